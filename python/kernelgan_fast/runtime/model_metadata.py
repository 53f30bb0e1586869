"""What a model of ours says of itself, read from its properties."""

from __future__ import annotations

import json
import re
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernelgan_fast.errors import InputError
from kernelgan_fast.kernels.blur_kernel import LARGEST_SIZE, BlurKernel

PREFIX = "kernelgan_fast."

_SCALES, _PRECISIONS = (2, 4), ("float32", "float16")
_METHOD = re.compile(r"[a-z0-9_]{1,40}")

# LR px. Exported methods look at most 48 px beyond a tile; these bounds keep sums and memory sane.
_LARGEST_CONTEXT, _LARGEST_MULTIPLE, _LARGEST_SIDE = 4096, 256, 4096


@dataclass(frozen=True, eq=False)
class ModelMetadata:
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


def read_metadata(properties: Mapping[str, str], name: str) -> ModelMetadata:
    """Read the properties of a model that shall enlarge photos.

    Args:
        properties: metadata_props.
        name: of the model, for the error.

    Raises:
        InputError: it is no model of ours, or one for another task.
    """
    ours = _ours(properties)
    task = ours.get("task")
    if task != "upscale":
        what = f"is one to {task[:40]}" if task else "does not say its scale and its kernel"
        raise InputError(
            f"{name}: the model {what}; give one that kernelgan-fast export sr has made"
        )
    try:
        return _card(ours)
    except KeyError as error:
        raise _damaged(name, f"{error} is missing") from error
    except (ValueError, TypeError, RecursionError, OverflowError) as error:
        raise _damaged(name, str(error)) from error


def least_side(properties: Mapping[str, str], name: str) -> int:
    """Read the shortest side that a model's photos may have, LR px.

    Args:
        properties: metadata_props.
        name: name of the model, for the error.

    Raises:
        InputError: it is not a number in range.
    """
    try:
        return _integer({"least_side": "1", **_ours(properties)}, "least_side", 1, _LARGEST_SIDE)
    except ValueError as error:
        raise _damaged(name, str(error)) from error


def _ours(properties: Mapping[str, str]) -> dict[str, str]:
    return {
        key.removeprefix(PREFIX): word for key, word in properties.items() if key.startswith(PREFIX)
    }


def _damaged(name: str, why: str) -> InputError:
    return InputError(f"{name}: the model's properties are damaged ({why}); export it again")


def _card(ours: Mapping[str, str]) -> ModelMetadata:
    scale = _integer(ours, "scale", min(_SCALES), max(_SCALES))
    size = _integer(ours, "kernel_size", 1, LARGEST_SIZE)
    if scale not in _SCALES or size % 2 == 0:
        raise ValueError(f"the scale is 2 or 4 and the kernel's size odd, got {scale} and {size}")
    method, precision = ours["method"], ours["precision"]
    if _METHOD.fullmatch(method) is None or precision not in _PRECISIONS:
        raise ValueError(
            f"no such method or precision: {reprlib.repr(method)}, {reprlib.repr(precision)}"
        )
    kernel = None
    if ours["kernel_input"] == "no":
        kernel = BlurKernel(json.loads(ours["kernel"]), scale).array
    return ModelMetadata(
        method=method,
        scale=scale,
        kernel=kernel,
        kernel_size=size,
        context=_integer(ours, "context", 0, _LARGEST_CONTEXT),
        multiple=_integer(ours, "multiple", 1, _LARGEST_MULTIPLE),
        precision=precision,
    )


def _integer(ours: Mapping[str, str], key: str, low: int, high: int) -> int:
    word = ours[key]
    if re.fullmatch(r"[0-9]{1,9}", word) is None or not low <= int(word) <= high:
        raise ValueError(f"{key} must be {low} to {high}, got {reprlib.repr(word)}")
    return int(word)
