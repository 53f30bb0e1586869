"""Weights of the unfolding network on disk: one safetensors file that says how it was made."""

from __future__ import annotations

import json
import os
import reprlib
from collections.abc import Mapping
from dataclasses import fields
from importlib.resources import files
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor, nn

from kernelgan_fast.errors import InputError
from kernelgan_fast.files import atomic_write
from kernelgan_fast.sr.unfolding_network import Architecture, UnfoldingNetwork

FORMAT = "kernelgan-fast unfold 2"

# All metadata is one entry, since safetensors writes several in no order of its own.
_ENTRY = "kernelgan-fast"

# Bounds of an architecture in a file, since it decides how much is allocated.
_MOST_BLOCKS, _LARGEST_WIDTH = 64, 1024


def shipped() -> Path:
    """The weights that the package carries."""
    return Path(str(files("kernelgan_fast.sr") / "unfold.safetensors"))


def save(
    network: UnfoldingNetwork,
    path: str | os.PathLike[str],
    about: Mapping[str, object],
) -> None:
    """Write a network.

    Args:
        network: Network to write. Its weights are stored as float16.
        path: File; an old one is replaced.
        about: How it was trained, ready for JSON.

    Raises:
        OutputError: The file could not be written; an old file is untouched.
    """
    from safetensors.torch import save as to_bytes

    metadata = {
        "format": FORMAT,
        "architecture": network.architecture.as_dict(),
        "about": dict(about),
    }
    weights = {
        name: weight.detach().to("cpu", torch.float16).contiguous()
        for name, weight in network.state_dict().items()
    }
    content = to_bytes(weights, {_ENTRY: json.dumps(metadata)})

    def write(stream: BinaryIO) -> None:
        stream.write(content)

    atomic_write(path, write)


def load(
    path: str | os.PathLike[str] | None = None,
) -> tuple[UnfoldingNetwork, dict[str, object]]:
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
    architecture = _stored_architecture(metadata, file)
    with torch.device("meta"):  # memory is allocated only once the tensors are known to fit
        _check_tensors(UnfoldingNetwork(architecture), weights, file)
    network = UnfoldingNetwork(architecture)
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


def _stored_architecture(metadata: Mapping[str, Any], file: Path) -> Architecture:
    if metadata.get("format") != FORMAT:
        raise InputError(
            f"{file}: the format must be '{FORMAT}', got {reprlib.repr(metadata.get('format'))}; "
            "give weights that this program trained"
        )
    try:
        return _architecture(metadata.get("architecture"))
    except ValueError as error:
        raise InputError(
            f"{file}: the shape of its network is damaged ({error}); train it again"
        ) from error


def _architecture(stored: object) -> Architecture:
    names = [each.name for each in fields(Architecture)]
    if not isinstance(stored, dict) or sorted(stored) != sorted(names):
        raise ValueError(f"it must have {', '.join(names)}, got {reprlib.repr(stored)}")
    return Architecture(
        stages=_bounded(stored["stages"], _MOST_BLOCKS),
        width=_bounded(stored["width"], _LARGEST_WIDTH),
        blocks=_bounded(stored["blocks"], _MOST_BLOCKS),
        coarse_width=_bounded(stored["coarse_width"], _LARGEST_WIDTH, least=0),
        coarse_blocks=_bounded(stored["coarse_blocks"], _MOST_BLOCKS, least=0),
    )


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
