"""The golden values are a run of the original program, in float64 (its x2 file is float32)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import correlate2d

from kernelgan_fast.errors import InputError
from kernelgan_fast.kernels import (
    BlurKernel,
    centre_of_mass,
    compose_x4,
    kernel_x4,
    postprocess,
    recentre,
    shift,
)

Array = NDArray[np.float64]


@pytest.fixture(scope="module")
def original(golden: Path) -> dict[str, Array]:
    with np.load(golden / "postprocess.npz") as arrays:
        return {name: arrays[name].astype(np.float64) for name in arrays}


def cut(raw: Array) -> Array:
    """The steps before the shift, written out."""
    array: Array = np.maximum(raw - 0.75 * np.sort(raw.ravel())[::-1][40], 0)
    array /= array.sum()
    return array


def test_cut_and_shift_are_those_of_the_original(original: dict[str, Array]) -> None:
    # The original pads by 2 a side before the shift and keeps the padding: 17 x 17.
    array = cut(original["raw_kernel"])
    row, col = centre_of_mass(array)
    padded = shift(np.pad(array, 2), (6.5 - row, 6.5 - col))
    np.testing.assert_allclose(padded, original["post_kernel_x2"], atol=2e-8)


def test_the_kernel_is_the_original_s_without_padding_and_lobes(
    original: dict[str, Array],
) -> None:
    ours = postprocess(original["raw_kernel"]).array
    theirs = original["post_kernel_x2"][2:-2, 2:-2]  # 8.5 of 17 and 6.5 of 13 are one place
    assert theirs.min() < -1e-3
    without_lobes = np.maximum(theirs, 0) / np.maximum(theirs, 0).sum()
    assert np.abs(ours - without_lobes).sum() < 0.006
    assert np.linalg.norm(ours - theirs) / np.linalg.norm(theirs) < 0.02


def test_the_result_keeps_size_and_is_exact(original: dict[str, Array]) -> None:
    raw = original["raw_kernel"]
    before = raw.copy()
    kernel = postprocess(raw, provenance={"seed": 3})
    assert kernel.size == 13
    assert kernel.scale == 2
    assert kernel.provenance == {"seed": 3}
    assert kernel.array.min() >= 0
    assert kernel.array.sum() == pytest.approx(1, abs=1e-12)
    assert kernel.centre_of_mass == pytest.approx((6.5, 6.5), abs=1e-6)
    np.testing.assert_array_equal(raw, before)


def test_the_settings_decide_the_cut() -> None:
    raw = np.zeros((13, 13))
    raw[6, 4:9] = [1, 2, 3, 2, 1]
    flat = postprocess(raw + 0.01, scale=1, kept_values=5, cut_fraction=0.75).array
    wanted = np.full((13, 13), 0.0025) + raw
    np.testing.assert_allclose(flat, wanted / wanted.sum(), atol=1e-12)
    kept = postprocess(raw, scale=1, kept_values=1, cut_fraction=0.5).array
    np.testing.assert_allclose(kept[6, 4:9], np.array([0, 1, 2, 1, 0]) / 4, atol=1e-12)
    assert postprocess(raw, scale=4).centre_of_mass == pytest.approx((7.5, 7.5), abs=1e-6)


def test_a_small_kernel_has_no_floor() -> None:
    raw = np.array([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]])
    np.testing.assert_allclose(postprocess(raw, scale=1).array, raw / 16, atol=1e-12)


def test_a_negative_floor_lifts_nothing() -> None:
    raw = np.full((13, 13), -1.0)
    raw[6, 6] = 2
    assert postprocess(raw, scale=1).array[6, 6] == 1


@pytest.mark.parametrize(
    "settings", [{"kept_values": 0}, {"cut_fraction": 1.0}, {"cut_fraction": -0.1}]
)
def test_settings_out_of_range(settings: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="kept_values must be at least 1"):
        postprocess(np.ones((13, 13)), **settings)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (np.full((13, 13), np.nan), "finite"),
        (-np.ones((13, 13)), "without a positive value"),
        (np.ones((13, 12)), "square"),
        (np.ones((12, 12)), "odd side"),
    ],
)
def test_refuses_what_training_should_not_give(raw: Array, words: str) -> None:
    with pytest.raises(InputError, match=words):
        postprocess(raw)


def test_two_steps_of_2_are_one_step_of_4_exactly() -> None:
    rng = np.random.default_rng(0)
    kernel, image = rng.random((13, 13)), rng.random((97, 101))
    once = correlate2d(image, compose_x4(kernel), mode="valid")[::4, ::4]
    half = correlate2d(image, kernel, mode="valid")[::2, ::2]
    twice = correlate2d(half, kernel, mode="valid")[::2, ::2]
    twice = twice[: once.shape[0], : once.shape[1]]
    np.testing.assert_allclose(once, twice, rtol=1e-12)


@pytest.mark.parametrize("size", [11, 13, 17])
def test_both_conventions_survive_the_composition(size: int) -> None:
    # The centre tap c of the x2 kernel becomes 3c, the middle; the half pixel becomes 1.5.
    rng = np.random.default_rng(size)
    full = compose_x4(recentre(rng.random((size, size)), 2))
    assert full.shape == (3 * size - 2, 3 * size - 2)
    assert len(full) // 2 == 3 * (size // 2)
    middle = len(full) // 2 + 1.5
    assert centre_of_mass(full) == pytest.approx((middle, middle), abs=1e-9)


def test_the_x4_kernel_is_the_original_s(original: dict[str, Array]) -> None:
    full = compose_x4(original["post_kernel_x2"])[8:-8, 8:-8]
    np.testing.assert_allclose(full / full.sum(), original["analytic_kernel_x4"], atol=1e-9)


def test_x4_of_13_is_25_and_exactly_centred(original: dict[str, Array]) -> None:
    small = postprocess(original["raw_kernel"], provenance={"seed": 3})
    large = kernel_x4(small)
    assert (large.size, large.scale) == (25, 4)
    assert large.centre_of_mass == pytest.approx((13.5, 13.5), abs=1e-6)
    assert large.array.sum() == pytest.approx(1, abs=1e-12)
    assert large.provenance["seed"] == 3
    assert "x2" in large.provenance["derived"]
    # Variances add: those of the x2 kernel once and, at twice the distance, four times.
    np.testing.assert_allclose(large.covariance, 5 * small.covariance, rtol=0.02)


def test_x4_keeps_lobes_that_are_meant() -> None:
    cubic = np.array([-1.0, 0, 5, 8, 5, 0, -1]) / 16
    large = kernel_x4(BlurKernel(np.outer(cubic, cubic)))
    assert large.array.min() < 0
    assert large.array.sum() == pytest.approx(1, abs=1e-12)


def test_x4_is_made_of_x2_only() -> None:
    with pytest.raises(InputError, match="made of a x2 kernel, got scale 4"):
        kernel_x4(BlurKernel(np.ones((3, 3)) / 9, 4))
