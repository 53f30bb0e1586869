"""Weights of the unfolding network on disk: one safetensors file that says how it was made."""

from __future__ import annotations

import json
import os
import reprlib
from collections.abc import Callable, Mapping
from dataclasses import fields
from importlib.resources import files
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor, nn

from kernelgan_fast.errors import InputError
from kernelgan_fast.files import atomic_write
from kernelgan_fast.sr.unfold_net import Shape, UnfoldNet
from kernelgan_fast.sr.unfolding_network import Architecture, UnfoldingNetwork

FORMAT = "kernelgan-fast unfold 2"

# The network of two stages that version 0.1.0 was trained with.
FIRST_FORMAT = "kernelgan-fast unfold 1"

# All metadata is one entry, since safetensors writes several in no order of its own.
_ENTRY = "kernelgan-fast"

# Bounds of a shape in a file, since it decides how much is allocated. The shipped network has up to
# 96 channels in 3 levels.
_MOST_BLOCKS, _LARGEST_WIDTH, _MOST_LEVELS = 64, 1024, 8


def shipped() -> Path:
    """The weights that the package carries."""
    return Path(str(files("kernelgan_fast.sr") / "unfold.safetensors"))


def save(
    network: UnfoldNet | UnfoldingNetwork,
    path: str | os.PathLike[str],
    about: Mapping[str, object],
) -> None:
    """Write a network.

    Args:
        network: Network to write. Its weights are stored as float16, those of the first network
            as float32.
        path: File; an old one is replaced.
        about: How it was trained, ready for JSON.

    Raises:
        OutputError: The file could not be written; an old file is untouched.
    """
    from safetensors.torch import save as to_bytes

    if isinstance(network, UnfoldingNetwork):
        dtype = torch.float16
        metadata: dict[str, Any] = {"format": FORMAT}
        metadata["architecture"] = network.architecture.as_dict()
    else:
        dtype = torch.float32
        metadata = {"format": FIRST_FORMAT, "shape": network.shape.as_dict()}
    metadata["about"] = dict(about)
    weights = {
        name: weight.detach().to("cpu", dtype).contiguous()
        for name, weight in network.state_dict().items()
    }
    content = to_bytes(weights, {_ENTRY: json.dumps(metadata)})

    def write(stream: BinaryIO) -> None:
        stream.write(content)

    atomic_write(path, write)


def load(
    path: str | os.PathLike[str] | None = None,
) -> tuple[UnfoldNet | UnfoldingNetwork, dict[str, object]]:
    """Read a network, ready to run, and how it was trained.

    Args:
        path: the file; the shipped weights if None.

    Raises:
        InputError: no such file, damaged, not weights of this network, or weights that are not
            finite.
    """
    from safetensors import SafetensorError, safe_open

    file = shipped() if path is None else Path(path)
    if not file.is_file():
        raise InputError(f"{file}: no such file; train weights, or leave the option out")
    try:
        with safe_open(file, framework="pt") as stored:
            entries = stored.metadata() or {}
            weights = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, RuntimeError, ValueError, TypeError) as error:
        raise InputError(f"{file}: not a readable safetensors file ({error})") from error
    metadata = _metadata(entries.get(_ENTRY, "{}"))
    make = _maker(metadata, file)
    with torch.device("meta"):  # memory is allocated only once the tensors are known to fit
        _check_tensors(make(), weights, file)
    network = make()
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise InputError(f"{file}: the weights do not fit their shape ({error})") from error
    about = metadata.get("about")
    return network.eval().requires_grad_(False), about if isinstance(about, dict) else {}


def _metadata(text: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        content = None
    return content if isinstance(content, dict) else {}


def _maker(metadata: Mapping[str, Any], file: Path) -> Callable[[], UnfoldNet | UnfoldingNetwork]:
    """Find the network that a file is for; the result makes one."""
    try:
        if metadata.get("format") == FORMAT:
            architecture = _architecture(metadata.get("architecture"))
            return lambda: UnfoldingNetwork(architecture)
        if metadata.get("format") == FIRST_FORMAT:
            shape = _shape(metadata.get("shape"))
            return lambda: UnfoldNet(shape)
    except ValueError as error:
        raise InputError(
            f"{file}: the shape of its network is damaged ({error}); train it again"
        ) from error
    raise InputError(
        f"{file}: the format must be '{FORMAT}', got {reprlib.repr(metadata.get('format'))}; "
        "give weights that this program trained"
    )


def _architecture(stored: object) -> Architecture:
    entries = _entries(stored, Architecture)
    return Architecture(
        stages=_bounded(entries["stages"], _MOST_BLOCKS),
        width=_bounded(entries["width"], _LARGEST_WIDTH),
        blocks=_bounded(entries["blocks"], _MOST_BLOCKS),
        coarse_width=_bounded(entries["coarse_width"], _LARGEST_WIDTH, least=0),
        coarse_blocks=_bounded(entries["coarse_blocks"], _MOST_BLOCKS, least=0),
    )


def _shape(stored: object) -> Shape:
    entries = _entries(stored, Shape)
    return Shape(
        stages=_bounded(entries["stages"], _MOST_BLOCKS),
        widths=tuple(_bounded(width, _LARGEST_WIDTH) for width in _levels(entries["widths"])),
        blocks=_bounded(entries["blocks"], _MOST_BLOCKS),
    )


def _entries(stored: object, kind: type[Architecture] | type[Shape]) -> dict[str, object]:
    names = [each.name for each in fields(kind)]
    if not isinstance(stored, dict) or sorted(stored) != sorted(names):
        raise ValueError(f"it must have {', '.join(names)}, got {reprlib.repr(stored)}")
    return stored


def _levels(value: object) -> list[object]:
    if not isinstance(value, list) or not 1 <= len(value) <= _MOST_LEVELS:
        raise ValueError(f"widths must be a list of 1 to {_MOST_LEVELS}, got {reprlib.repr(value)}")
    return value


def _bounded(value: object, most: int, least: int = 1) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(
            f"its numbers must be integers of {least} to {most}, got {reprlib.repr(value)}"
        )
    return value


def _check_tensors(network: nn.Module, weights: Mapping[str, Tensor], file: Path) -> None:
    """Compare the tensors of a file with those of a network."""
    for name, wanted in network.state_dict().items():
        sides = tuple(wanted.shape)
        got = tuple(weights[name].shape) if name in weights else "nothing"
        if got != sides:
            raise InputError(
                f"{file}: the weights do not fit their shape: {name} must be {sides}, got {got}; "
                "give other weights"
            )
    if not all(each.is_floating_point() and each.isfinite().all() for each in weights.values()):
        raise InputError(f"{file}: the weights must be finite numbers, got NaN; train them again")
