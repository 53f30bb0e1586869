"""Weights of SRMD: a state dict in .safetensors or .pth, and ncnn's pair of files with a basis."""

from __future__ import annotations

import functools
import io
import json
import zipfile
from pathlib import Path

import numpy as np
from fuzz import target_mat
from fuzz.mutation import edited, number_edited
from fuzz.outcomes import check_pixels, may_refuse
from fuzz.safetensors_edits import safetensors_edited
from models import narrow_blur, write_srmd_weights
from numpy.random import Generator

from kernelgan_fast import upscale

# The first bytes of an input tell its form. The pair is three files in one: after their lengths
# param, bin and mat.
_PAIR, _ZIP = b"pair", b"PK"


@functools.cache
def seeds() -> list[bytes]:
    """The same small network in all forms."""
    import torch
    from safetensors.torch import save

    path = write_srmd_weights(Path("seed.pth"), 2)
    entries = torch.load(path, weights_only=True)
    basis = entries.pop("P")
    lines = ["7767517", "5 5", "Input x 0 1 x 0=0"]
    blobs = b""
    for number in (0, 2, 4):
        weight, bias = entries[f"model.{number}.weight"], entries[f"model.{number}.bias"]
        lines.append(f"Convolution c{number} 1 1 x x 0={len(bias)} 1=3 4=1 5=1 6={weight.numel()}")
        blobs += bytes(4) + weight.numpy().tobytes() + bias.numpy().tobytes()
    mat = target_mat.mat({"P": basis.numpy()})
    pair = _joined(["\n".join(lines).encode(), blobs, mat])
    return [save({**entries, "P": basis}), pair, path.read_bytes()]


def structured(data: bytes, rng: Generator) -> bytes:
    """Change the state dict's header, a file of the archive, or a file of the pair."""
    if data.startswith(_ZIP):
        return _archive_edited(data, rng)
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
        path = path.with_suffix(".pth") if data.startswith(_ZIP) else path
        path.write_bytes(data)
    photo = np.random.default_rng(0).random((16, 16, 3)).astype(np.float32)
    with may_refuse(path.stem, "srmd_pca_matlab.mat"):
        large = upscale(photo, kernel=narrow_blur(2), method="srmd", weights=path)
        check_pixels(large.pixels, (32, 32, 3))


def _archive_edited(data: bytes, rng: Generator) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            parts = {name: archive.read(name) for name in names}
    except Exception:  # zipfile has errors of many kinds for what an earlier edit has damaged
        return edited(data, rng)
    if not names:
        return edited(data, rng)
    pickles = [name for name in names if name.endswith("data.pkl")]
    among = pickles if pickles and rng.random() < 0.5 else names
    chosen = among[rng.integers(len(among))]
    parts[chosen] = edited(parts[chosen], rng)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(name), content)  # with the same date every time
    return stream.getvalue()


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
