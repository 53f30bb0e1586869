"""Weights of the unfolding network, in .safetensors files."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
from fuzz.outcomes import check_pixels, may_refuse
from fuzz.safetensors_edits import safetensors_edited as structured
from models import write_weights

from kernelgan_fast import upscale

__all__ = ["run", "seeds", "structured"]


@functools.cache
def seeds() -> list[bytes]:
    """A tiny network."""
    return [write_weights(Path("seed.safetensors")).read_bytes()]


def run(data: bytes) -> None:
    """Enlarge a small photo with it."""
    path = Path("fuzzed.safetensors")
    path.write_bytes(data)
    photo = np.random.default_rng(0).random((16, 16, 3)).astype(np.float32)
    with may_refuse(path.name):
        large = upscale(photo, kernel="bicubic", method="unfold", weights=path)
        check_pixels(large.pixels, (32, 32, 3))
