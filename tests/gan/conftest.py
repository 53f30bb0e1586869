"""A recorded run of the published program, and a small problem for quick tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from kernelgan_fast.gan.config import TrainConfig
from kernelgan_fast.gan.crops import plan_crops
from kernelgan_fast.gan.trainer import Problem


@dataclass(frozen=True)
class GoldenRun:
    """24 iterations of the published program in float64, noise off, one problem.

    Attributes:
        arrays: by name, see tests/golden/README.md.
        generator, discriminator: (1, P) initial weights.
        u: (1, U) initial left singular vectors.
        image: (1, 3, H, W) in [-1, 1].
    """

    arrays: dict[str, np.ndarray]
    generator: Tensor
    discriminator: Tensor
    u: Tensor
    image: Tensor

    def crop(self, corners: str, iteration: int, size: int) -> Tensor:
        row, col = (int(place) for place in self.arrays[corners][iteration])
        return self.image[:, :, row : row + size, col : col + size].contiguous()


def _weights(planes: np.ndarray) -> Tensor:
    """Undo the byte planes that make float64 weights compress."""
    return torch.from_numpy(np.ascontiguousarray(planes.T).view("<f8")[:, 0].copy())[None]


@pytest.fixture(scope="session")
def golden_run(golden: Path) -> GoldenRun:
    with np.load(golden / "trajectory.npz") as file:
        arrays = {name: file[name] for name in file.files}
    with Image.open(golden / "coffee_192x256.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))[10:-10, 10:-10]
    return GoldenRun(
        arrays=arrays,
        generator=_weights(arrays["generator_bytes"]),
        discriminator=_weights(arrays["discriminator_bytes"]),
        u=torch.from_numpy(arrays["u"])[None],
        image=torch.from_numpy(pixels.transpose(2, 0, 1) / 255.0 * 2 - 1)[None],
    )


@pytest.fixture(scope="session")
def small_config() -> TrainConfig:
    """Networks small enough for gradient checks: kernel 5 x 5, crops 16 -> 6, map 4 x 4."""
    return TrainConfig(
        profile="test",
        iterations=25,
        generator_sizes=(3, 3, 1),
        features=6,
        discriminator_size=3,
        discriminator_blocks=2,
        crop=16,
        shave=0,
    )


@pytest.fixture(scope="session")
def make_problem(small_config: TrainConfig) -> Callable[..., Problem]:
    def make(seed: int, side: int = 40, **changes: Any) -> Problem:
        random = np.random.default_rng(seed)
        pixels = random.integers(0, 256, (side, side + 6, 3), dtype=np.uint8)
        return Problem(plan_crops(pixels, small_config.replace(**changes)), seed)

    return make
