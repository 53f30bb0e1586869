"""What a model of ours says of itself, read from its properties."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernelgan_fast.errors import InputError

PREFIX = "kernelgan_fast."


@dataclass(frozen=True, eq=False)
class Card:
    """The properties of a model that enlarges photos.

    Attributes:
        method: of `sr.METHODS`.
        scale: 2 or 4.
        kernel: (k, k) that is baked in; None where the model takes one.
        kernel_size: k.
        context: LR px beyond a tile that its result depends on.
        multiple: tiles begin at LR places that are multiples of this.
        precision: "float32" or "float16".
    """

    method: str
    scale: int
    kernel: NDArray[np.float64] | None
    kernel_size: int
    context: int
    multiple: int
    precision: str


def read_card(properties: Mapping[str, str], name: str) -> Card:
    """Read the properties of a model that shall enlarge photos.

    Args:
        properties: metadata_props.
        name: of the model, for the error.

    Raises:
        InputError: it is no model of ours, or one for another task.
    """
    ours = {
        key.removeprefix(PREFIX): word for key, word in properties.items() if key.startswith(PREFIX)
    }
    task = ours.get("task")
    if task != "upscale":
        what = f"is one to {task}" if task else "does not say its scale and its kernel"
        raise InputError(
            f"{name}: the model {what}; give one that kernelgan-fast export sr has made"
        )
    try:
        baked = ours["kernel_input"] == "no"
        return Card(
            method=ours["method"],
            scale=int(ours["scale"]),
            kernel=np.array(json.loads(ours["kernel"]), np.float64) if baked else None,
            kernel_size=int(ours["kernel_size"]),
            context=int(ours["context"]),
            multiple=int(ours["multiple"]),
            precision=ours["precision"],
        )
    except (KeyError, ValueError) as error:
        raise InputError(
            f"{name}: the model's properties are damaged ({error}); export it again"
        ) from error
