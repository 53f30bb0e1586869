"""How many photos share a batch (what a batch does is tested through `estimate`)."""

from __future__ import annotations

import pytest
from quick import QUICK, pixels

from kernelgan_fast import estimate
from kernelgan_fast.estimation.pipeline import photos_per_batch


@pytest.mark.parametrize(
    ("seeds", "threads", "photos"),
    [(1, 1, 1), (1, 2, 2), (1, 16, 15), (3, 2, 2), (5, 2, 2), (4, 2, 1), (8, 16, 2), (100, 2, 1)],
)
def test_photos_per_batch(seeds: int, threads: int, photos: int) -> None:
    assert photos_per_batch(seeds, threads) == photos


def test_threads_are_kept_busy_and_batches_small() -> None:
    for threads in range(1, 33):
        for seeds in range(1, 20):
            photos = photos_per_batch(seeds, threads)
            rounds = -(-photos * seeds // threads)
            assert 1 <= photos <= threads
            assert photos * seeds >= 0.9 * rounds * threads


def test_a_kernel_made_of_another_says_so() -> None:
    result = estimate(pixels(), profile=QUICK, scale=4, threads=1)
    assert result.kernel.provenance["derived"] == "two x2 steps in one"
    assert "derived" not in result.kernel_x2.provenance
    assert result.kernel.provenance["profile"] == result.kernel_x2.provenance["profile"] == "quick"
    direct = estimate(pixels(), scale=4, threads=1)
    assert "derived" not in direct.kernel.provenance
