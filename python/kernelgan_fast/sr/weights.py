"""Weights of the unfolding network on disk: one safetensors file that says how it was made."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, BinaryIO

import torch

from kernelgan_fast.errors import InputError
from kernelgan_fast.files import atomic_write
from kernelgan_fast.sr.unfold_net import Shape, UnfoldNet
from kernelgan_fast.sr.unfolding_network import Architecture, UnfoldingNetwork

FORMAT = "kernelgan-fast unfold 2"

# The network of two stages that version 0.1.0 was trained with.
FIRST_FORMAT = "kernelgan-fast unfold 1"

# All metadata is one entry, since safetensors writes several in no order of its own.
_ENTRY = "kernelgan-fast"


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


def load(path: str | os.PathLike[str] | None = None) -> tuple[
    UnfoldNet | UnfoldingNetwork, dict[str, object]
]:
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
    network: UnfoldNet | UnfoldingNetwork
    if metadata.get("format") == FORMAT:
        network = UnfoldingNetwork(Architecture(**metadata["architecture"]))
    elif metadata.get("format") == FIRST_FORMAT:
        shape = metadata["shape"]
        network = UnfoldNet(Shape(shape["stages"], tuple(shape["widths"]), shape["blocks"]))
    else:
        raise InputError(
            f"{file}: the format must be '{FORMAT}', got '{metadata.get('format')}'; "
            "give weights that this program trained"
        )
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise InputError(f"{file}: the weights do not fit their shape ({error})") from error
    about: dict[str, object] = metadata["about"]
    return network.eval().requires_grad_(False), about
