"""A recipe that trains in a tenth of a second, and photos, for tests of what is around training."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import kernelgan_fast
from kernelgan_fast.gan import config

# A high rate, so that the kernel is a positive one after a few steps.
QUICK = config.profile("corrected").replace(
    profile="quick", learning_rate=1e-2, features=16, iterations=20
)
ENDLESS = QUICK.replace(profile="endless", iterations=10_000_000)


def add_profiles(patch: pytest.MonkeyPatch) -> None:
    """Make these recipes known by name, for the command line."""
    profiles = {**config.PROFILES, "quick": QUICK, "endless": ENDLESS}
    patch.setattr(config, "PROFILES", profiles)


def environment() -> dict[str, str]:
    """The environment in which another Python, anywhere, finds the package and this module."""
    places = [Path(__file__).parent, Path(kernelgan_fast.__file__).parents[1]]
    path = os.pathsep.join(str(place.resolve()) for place in places)
    return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


def pixels(height: int = 96, width: int = 104, seed: int = 0) -> NDArray[Any]:
    """A photo of soft random blobs: (height, width, 3) uint8."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (height // 4 + 2, width // 4 + 2, 3)).astype(np.float64)
    fine = np.repeat(np.repeat(coarse, 4, axis=0), 4, axis=1)
    for axis in (0, 1):
        fine = (fine + np.roll(fine, 1, axis) + np.roll(fine, 2, axis)) / 3
    return fine[4 : height + 4, 4 : width + 4].astype(np.uint8)


def write_photo(path: Path, height: int = 96, width: int = 104, seed: int = 0) -> Path:
    """Write such a photo in the format that the suffix names."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels(height, width, seed)).save(path)
    return path
