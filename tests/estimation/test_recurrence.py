"""Patches that recur at half their size tell the kernel; what cannot be used is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from kernelgan_fast.errors import ImageError, InputError
from kernelgan_fast.estimation import recurrence
from kernelgan_fast.estimation.recurrence import (
    SIZE,
    estimate_recurrence,
    estimate_recurrence_scales,
)
from kernelgan_fast.kernels.geometry import centre_of_mass, target_centre


def gaussian(rows: float, cols: float) -> NDArray[np.float64]:
    y, x = np.indices((SIZE, SIZE)) - target_centre(SIZE, 2)
    array = np.exp(-0.5 * ((y / rows) ** 2 + (x / cols) ** 2))
    return array / array.sum()


def photo(kernel: NDArray[np.float64], side: int = 180) -> NDArray[np.uint8]:
    """Overlapping disks of all sizes, one grey each, blurred and halved."""
    random = np.random.default_rng(3)
    sharp = np.full((2 * side, 2 * side), 128.0)
    for _ in range(400):
        radius = min(4 / random.random() ** 0.7, side / 2)
        row, col = random.random(2) * 2 * side
        rows, cols = (slice(max(0, int(c - radius)), int(c + radius) + 2) for c in (row, col))
        y, x = np.ogrid[rows, cols]
        level = random.integers(10, 246)
        part = sharp[rows, cols]
        part[np.hypot(y - row, x - col)[: part.shape[0], : part.shape[1]] < radius] = level
    small = ndimage.correlate(sharp, kernel, mode="reflect")[::2, ::2]
    return np.repeat(np.clip(small, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)


@pytest.fixture(scope="module", autouse=True)
def _fewer_patches() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recurrence, "_QUERIES", 700)
        patch.setattr(recurrence, "_PARENTS", 6000)
        yield


@pytest.fixture(scope="module")
def wide() -> NDArray[np.uint8]:
    return photo(gaussian(1.2, 2.1))


def test_the_kernel_leans_as_the_true_one(wide: NDArray[np.uint8]) -> None:
    true = gaussian(1.2, 2.1)
    found = estimate_recurrence(wide)
    across, along = np.sqrt(np.diag(found.kernel.covariance))
    assert along > 1.2 * across
    assert np.linalg.norm(found.kernel.array - true) < 0.35 * np.linalg.norm(true)
    assert found.quality.accepted > 0.8


def test_it_does_not_depend_on_the_start(wide: NDArray[np.uint8]) -> None:
    narrow = estimate_recurrence(wide, iterations=12).recurring.array
    broad = estimate_recurrence(wide, iterations=12, start=gaussian(2.5, 2.5)).recurring.array
    assert np.linalg.norm(narrow - broad) < 0.15 * np.linalg.norm(narrow)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_kernel_keeps_the_conventions(wide: NDArray[np.uint8], scale: int) -> None:
    kernel = estimate_recurrence(wide, scale=scale, iterations=2).kernel
    assert (kernel.scale, kernel.size) == (scale, 6 * scale + 1)
    assert kernel.array.min() >= 0
    assert centre_of_mass(kernel.array) == pytest.approx([target_centre(kernel.size, scale)] * 2)
    assert kernel.provenance["method"] == "recurrence"


def test_several_scales_come_of_one_search(wide: NDArray[np.uint8]) -> None:
    told: list[int] = []
    found = estimate_recurrence_scales(
        wide, (2, 4), iterations=2, progress=lambda done, of: told.append(done)
    )
    assert told == [1, 2]
    for scale, estimate in found.items():
        alone = estimate_recurrence(wide, scale=scale, iterations=2)
        assert estimate.kernel == alone.kernel
        assert estimate.recurring == alone.recurring
        assert estimate.facts() == alone.facts()
    facts = found[2].facts()
    assert facts["iterations"] == 2 and facts["patches"] == found[2].quality.patches


def test_the_same_seed_gives_the_same_kernel(wide: NDArray[np.uint8]) -> None:
    before = wide.copy()
    one, again, other = (estimate_recurrence(wide, seed=s, iterations=2) for s in (1, 1, 2))
    assert one.kernel == again.kernel
    assert one.kernel != other.kernel
    assert np.array_equal(wide, before)


def test_floats_and_bytes_are_the_same_photo(wide: NDArray[np.uint8]) -> None:
    floats = wide.astype(np.float32) / np.float32(255)
    one, two = (estimate_recurrence(pixels, iterations=2) for pixels in (wide, floats))
    assert one.recurring.array == pytest.approx(two.recurring.array, abs=2e-3)


def test_real_photos_keep_their_border(wide: NDArray[np.uint8]) -> None:
    cut = estimate_recurrence(wide[10:-10, 10:-10], real=True, iterations=2)
    assert estimate_recurrence(wide, iterations=2).kernel == cut.kernel
    assert estimate_recurrence(wide, real=True, iterations=2).kernel != cut.kernel


def test_progress_is_told(wide: NDArray[np.uint8]) -> None:
    told: list[tuple[int, int]] = []
    estimate_recurrence(wide, iterations=3, progress=lambda *event: told.append(event))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_few_and_poor_patches_are_warned_of() -> None:
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (84, 84, 3)).astype(np.uint8)
    found = estimate_recurrence(noise, real=True, iterations=2)
    assert found.quality.residual > 0.3
    quality = recurrence.RecurrenceQuality(300, 0.3, 0.7, 2, 0.1)
    assert len(recurrence._warnings(quality)) == 3


def test_nearest_neighbours_are_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    queries = random.standard_normal((30, 16)).astype(np.float32)
    side = recurrence._BLOCK
    parents = 9 * random.standard_normal((50, side, side)).astype(np.float32)
    monkeypatch.setattr(recurrence, "_QUERIES_AT_ONCE", 7)
    kernel = gaussian(1.0, 1.5)
    patches = np.array([ndimage.correlate(p, kernel)[6:13:2, 6:13:2].ravel() for p in parents])
    patches -= patches.mean(axis=1, keepdims=True)
    apart = ((queries[:, None] - patches) ** 2).sum(axis=2)
    chosen, accepted, residual = recurrence._neighbours(queries, parents, kernel)
    share = apart.min(axis=1) / (queries**2).sum(axis=1)
    assert np.array_equal(chosen, apart.argmin(axis=1))
    assert np.array_equal(accepted, share < 1)
    assert residual == pytest.approx(share[share < 1].mean(), rel=1e-4)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scale": 5}, "scale must be 2, 3 or 4"),
        ({"scale": True}, "scale must be 2, 3 or 4"),
        ({"iterations": 0}, "iterations must be at least 1"),
        ({"shave": -1}, "shave at least 0"),
        ({"start": np.ones((11, 11))}, "the start must be a 13x13 kernel"),
    ],
)
def test_arguments_are_checked(
    wide: NDArray[np.uint8], changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        estimate_recurrence(wide, **changes)


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (np.zeros((90, 90), np.uint8), "must be \\(height, width, 3\\)"),
        (np.zeros((90, 90, 3), np.float64), "must be \\(height, width, 3\\)"),
        (np.zeros((90, 83, 3), np.uint8), "at least 84 px a side"),
        (np.full((90, 90, 3), 7, np.uint8), "at least 200 patches with contrast"),
    ],
)
def test_photos_are_checked(pixels: NDArray[Any], words: str) -> None:
    with pytest.raises(ImageError, match=words):
        estimate_recurrence(pixels)


def test_patches_that_do_not_recur_are_refused() -> None:
    queries = np.ones((3, 16), np.float32)
    parents = np.zeros((5, recurrence._BLOCK, recurrence._BLOCK), np.float32)
    with pytest.raises(ImageError, match="no patch of the photo recurs"):
        recurrence._neighbours(queries, parents, gaussian(1, 1))


def test_parents_without_content_give_no_kernel() -> None:
    random = np.random.default_rng(0)
    parents = random.random((40, recurrence._BLOCK, recurrence._BLOCK)).astype(np.float32)
    shrunk = parents.reshape(40, -1) @ recurrence._shrinking(gaussian(1, 1))
    queries = -(shrunk - shrunk.mean(axis=1, keepdims=True))
    right = recurrence._solve(-queries, parents)
    assert right.sum() > 0.1
    with pytest.raises(ImageError, match="agree on no kernel"):
        recurrence._solve(np.zeros_like(queries), parents)
