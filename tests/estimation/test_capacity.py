"""How many problems a GPU takes: the estimate covers what is known, batches come out even."""

from __future__ import annotations

import numpy as np
import pytest

from kernelgan_fast.estimation.capacity import (
    MOST_PHOTO_BYTES,
    MOST_PROBLEMS,
    MemoryBudget,
    bytes_per_photo,
    bytes_per_problem,
    photos_at_once,
)
from kernelgan_fast.gan.batches import bytes_per_iteration
from kernelgan_fast.gan.config import TrainConfig, profile
from kernelgan_fast.gan.crops import plan_crops
from kernelgan_fast.gan.discriminator import Discriminator
from kernelgan_fast.gan.generator import Generator
from kernelgan_fast.ops.library.registry import native

CONFIG = profile("corrected")


@pytest.mark.parametrize(
    "config", [CONFIG, CONFIG.replace(features=17, crop=48)], ids=["as is", "other"]
)
def test_the_estimate_covers_what_is_known(config: TrainConfig) -> None:
    weights = Generator(1, config).weights.numel() + Discriminator(1, config).weights.numel()
    saved = native.discriminate_saved(
        3, config.discriminator_crop, config.features, 7, config.discriminator_blocks, 2
    )
    known = 4 * (4 * weights + saved) + 2 * 10 * bytes_per_iteration(config)
    assert known < bytes_per_problem(config) < 3 * known


def test_a_card_takes_what_its_memory_holds() -> None:
    problem = bytes_per_problem(CONFIG)
    room = MemoryBudget.with_free(100 * problem)
    assert room.problems == MOST_PROBLEMS
    assert room.admits(80, 0, CONFIG)
    assert not room.admits(81, 0, CONFIG)
    assert not room.admits(80, problem, CONFIG)
    large = MemoryBudget.with_free(1 << 40)
    assert large.admits(MOST_PROBLEMS, MOST_PHOTO_BYTES, CONFIG)
    assert not large.admits(MOST_PROBLEMS + 1, 0, CONFIG)
    assert not large.admits(1, MOST_PHOTO_BYTES + 1, CONFIG)


def test_the_size_of_a_photo() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (120, 140, 3), dtype=np.uint8)
    plan = plan_crops(pixels, CONFIG)
    corners = (100 - 64) // 2 + 1, (120 - 64) // 2 + 1, (100 - 26) // 2 + 1, (120 - 26) // 2 + 1
    cells = corners[0] * corners[1] + corners[2] * corners[3]
    assert bytes_per_photo(plan) == 3 * 100 * 120 + 8 * cells


@pytest.mark.parametrize(
    ("photos", "seeds", "gpus", "room", "wanted"),
    [
        (1, 1, 1, 256, 1),
        (0, 1, 1, 256, 1),
        (256, 1, 1, 256, 256),
        (257, 1, 1, 256, 129),
        (600, 1, 2, 256, 150),
        (3, 1, 2, 256, 2),
        (600, 3, 2, 256, 75),
        (171, 3, 1, 256, 57),
        (9, 100, 1, 256, 2),
        (9, 100, 1, 64, 1),
    ],
)
def test_batches_come_out_even(photos: int, seeds: int, gpus: int, room: int, wanted: int) -> None:
    assert photos_at_once(photos, seeds, gpus, room) == wanted
