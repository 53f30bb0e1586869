"""Weights of SRMD: a state dict in .safetensors, and ncnn's pair of files with a basis in .mat."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import numpy as np
from numpy.random import Generator

from fuzz import target_mat
from fuzz.mutation import edited, number_edited
from fuzz.outcomes import check_pixels, may_refuse
from fuzz.safetensors_edits import safetensors_edited
from kernelgan_fast import upscale
from models import narrow_blur, write_srmd_weights

# An input for the pair is three files in one: param, bin and mat, each after its length.
_PAIR = b"pair"


@functools.cache
def seeds() -> list[bytes]:
    """The same small network in both forms."""
    import torch
    from safetensors.torch import save

    entries = torch.load(write_srmd_weights(Path("seed.pth"), 2), weights_only=True)
    basis = entries.pop("P")
    lines = ["7767517", "5 5", "Input x 0 1 x 0=0"]
    blobs = b""
    for number in (0, 2, 4):
        weight, bias = entries[f"model.{number}.weight"], entries[f"model.{number}.bias"]
        lines.append(f"Convolution c{number} 1 1 x x 0={len(bias)} 1=3 4=1 5=1 6={weight.numel()}")
        blobs += bytes(4) + weight.numpy().tobytes() + bias.numpy().tobytes()
    mat = target_mat.mat({"P": basis.numpy()})
    return [save({**entries, "P": basis}), _joined(["\n".join(lines).encode(), blobs, mat])]


def structured(data: bytes, rng: Generator) -> bytes:
    """Change the state dict's header, or one file of the pair."""
    if not data.startswith(_PAIR):
        return safetensors_edited(data, rng)
    parts = _parts(data)
    at = int(rng.integers(3))
    edit = (number_edited, edited, target_mat.structured)[at]
    parts[at] = edit(parts[at], rng)
    return _joined(parts)


def run(data: bytes) -> None:
    """Enlarge a small photo with it."""
    path = Path("fuzzed.safetensors")
    if data.startswith(_PAIR):
        path = Path("fuzzed.param")
        plan, blobs, mat = _parts(data)
        path.write_bytes(plan)
        path.with_suffix(".bin").write_bytes(blobs)
        Path("srmd_pca_matlab.mat").write_bytes(mat)
    else:
        path.write_bytes(data)
    photo = np.random.default_rng(0).random((16, 16, 3)).astype(np.float32)
    with may_refuse(path.stem, "srmd_pca_matlab.mat"):
        large = upscale(photo, kernel=narrow_blur(2), method="srmd", weights=path)
        check_pixels(large.pixels, (32, 32, 3))


def _joined(parts: list[bytes]) -> bytes:
    lengths = json.dumps([len(part) for part in parts]).encode().ljust(64)
    return _PAIR + lengths + b"".join(parts)


def _parts(data: bytes) -> list[bytes]:
    """The three files; what the lengths do not cover is the last's."""
    try:
        first, second, _ = json.loads(data[4:68])
        at = (68, 68 + int(first), 68 + int(first) + int(second))
    except (ValueError, TypeError):
        at = (68, 68, 68)
    return [data[at[0] : at[1]], data[at[1] : at[2]], data[at[2] :]]
