"""Weights of the unfolding network on disk: one safetensors file that says how it was made."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import BinaryIO

from kernelgan_fast.errors import InputError
from kernelgan_fast.files import atomic_write
from kernelgan_fast.sr.unfold_net import Shape, UnfoldNet

FORMAT = "kernelgan-fast unfold 1"

# All metadata is one entry, since safetensors writes several in no order of its own.
_ENTRY = "kernelgan-fast"


def shipped() -> Path:
    """The weights that the package carries."""
    return Path(str(files("kernelgan_fast.sr") / "unfold.safetensors"))


def save(network: UnfoldNet, path: str | os.PathLike[str], about: Mapping[str, object]) -> None:
    """Write a network.

    Args:
        network: what to write; its weights as float32.
        path: the file; an old one is replaced.
        about: how it was trained, ready for JSON.

    Raises:
        OutputError: it could not be written; an old file is untouched.
    """
    from safetensors.torch import save as to_bytes

    metadata = {"format": FORMAT, "shape": network.shape.as_dict(), "about": dict(about)}
    weights = {
        name: weight.detach().float().cpu().contiguous()
        for name, weight in network.state_dict().items()
    }
    content = to_bytes(weights, {_ENTRY: json.dumps(metadata)})

    def write(stream: BinaryIO) -> None:
        stream.write(content)

    atomic_write(path, write)


def load(path: str | os.PathLike[str] | None = None) -> tuple[UnfoldNet, dict[str, object]]:
    """Read a network, ready to run, and how it was trained.

    Args:
        path: the file; the shipped weights if None.

    Raises:
        InputError: no such file, damaged, or not weights of this network.
    """
    from safetensors import SafetensorError, safe_open

    file = shipped() if path is None else Path(path)
    if not file.is_file():
        raise InputError(f"{file}: no such file; train weights, or leave the option out")
    try:
        with safe_open(file, framework="pt") as stored:
            entries = stored.metadata() or {}
            weights = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise InputError(f"{file}: not a readable safetensors file ({error})") from error
    metadata = json.loads(entries.get(_ENTRY, "{}"))
    if metadata.get("format") != FORMAT:
        raise InputError(
            f"{file}: the format must be '{FORMAT}', got '{metadata.get('format')}'; "
            "give weights that this program trained"
        )
    shape = metadata["shape"]
    network = UnfoldNet(Shape(shape["stages"], tuple(shape["widths"]), shape["blocks"]))
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise InputError(f"{file}: the weights do not fit their shape ({error})") from error
    about: dict[str, object] = metadata["about"]
    return network.eval().requires_grad_(False), about
