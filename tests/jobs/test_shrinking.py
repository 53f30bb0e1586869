"""Photos made smaller: the formula, strips, alpha, borders."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import correlate

from kernelgan_fast.degradation.blur_models import draw
from kernelgan_fast.errors import ImageError
from kernelgan_fast.jobs import shrinking
from kernelgan_fast.jobs.shrinking import cropped, shrink

Array = NDArray[Any]


def by_definition(image: Array, kernel: Array, scale: int) -> Array:
    taps = kernel[:, :, None] if image.ndim == 3 else kernel
    small: Array = correlate(image.astype(np.float64), taps, mode="reflect")[::scale, ::scale]
    return small


def rounding(kernel: Array) -> float:
    """The most that float32 can be off in a sum of pixels in [0, 1], weighted by a kernel.

    One rounding of 2^-24 for each tap's sum, and one for the pixel, the tap and the product.
    """
    return float((kernel.size + 3) * 2.0**-24 * np.abs(kernel).sum())


def photo(height: int, width: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("blur_model", ["div2krk", "bicubic"])
@pytest.mark.parametrize("strip", [1, 100, 1 << 22])
def test_it_is_the_formula_in_strips_of_any_size(
    scale: int, blur_model: str, strip: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shrinking, "_STRIP_PIXELS", strip)
    pixels = photo(44, 36)
    kernel = draw(blur_model, scale, seed=1, name="a").array
    small, alpha = shrink(pixels, kernel, scale)
    assert alpha is None and small.dtype == np.float32
    assert small.shape == (44 // scale, 36 // scale, 3)
    error = np.abs(small - by_definition(pixels / 255, kernel, scale)).max()
    assert error < rounding(kernel)


def test_strips_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = photo(90, 34).astype(np.float32) / 255
    alpha = photo(90, 34, seed=1)[:, :, 0].astype(np.float32) / 255
    kernel = draw("motion", 2, seed=1, name="a").array
    whole = shrink(pixels, kernel, 2, alpha=alpha)
    monkeypatch.setattr(shrinking, "_STRIP_PIXELS", 34 * 6)
    strips = shrink(pixels, kernel, 2, alpha=alpha)
    for one, other in zip(whole, strips, strict=True):
        assert one is not None and other is not None and np.array_equal(one, other)


def test_any_background_may_come_before_or_after() -> None:
    pixels = photo(40, 36) / np.float32(255)
    alpha = np.zeros((40, 36), np.uint8)
    alpha[8:30, 10:28] = np.random.default_rng(2).integers(1, 256, (22, 18))
    kernel = draw("gaussian", 2, seed=1, name="a").array
    opaque = (alpha / np.float32(255))[:, :, None]
    flat = np.float32(0.3)
    before, _ = shrink(pixels * opaque + flat * (1 - opaque), kernel, 2)
    small, small_alpha = shrink(pixels, kernel, 2, alpha=alpha)
    assert small_alpha is not None
    after = small * small_alpha[:, :, None] + flat * (1 - small_alpha[:, :, None])
    assert np.abs(after - before).max() < 0.5 / 255  # half a level where nearly nothing shows
    error = np.abs(small_alpha - by_definition(alpha / 255, kernel, 2)).max()
    assert error < rounding(kernel)


def test_where_nothing_shows_the_plain_colours_stay() -> None:
    pixels = photo(40, 36)
    kernel = draw("gaussian", 2, seed=1, name="a").array
    small, alpha = shrink(pixels, kernel, 2, alpha=np.zeros((40, 36), np.uint8))
    assert alpha is not None and not alpha.any()
    assert np.array_equal(small, shrink(pixels, kernel, 2)[0])


def test_a_flat_photo_stays_flat_to_its_very_border() -> None:
    flat = np.full((40, 36, 3), 77, np.uint8)
    for blur_model in ("bicubic", "disk"):
        small, _ = shrink(flat, draw(blur_model, 2, seed=0, name="").array, 2)
        assert np.abs(small * 255 - 77).max() < 1e-3


def test_a_ramp_is_not_shifted() -> None:
    ramp = np.arange(64, dtype=np.float32)[None, :, None] / 64
    pixels = np.broadcast_to(ramp, (40, 64, 3))
    small, _ = shrink(pixels, draw("div2krk", 2, seed=3, name="a").array, 2)
    wanted = (np.arange(32) * 2 + 0.5) / 64  # in the middle of two pixels
    assert np.abs(small[:, 6:-6] - wanted[6:-6, None]).max() < 1e-5


def test_a_photo_smaller_than_the_kernel() -> None:
    kernel = draw("bicubic", 2, seed=0, name="").array
    assert shrink(photo(18, 18), kernel, 2)[0].shape == (9, 9, 3)
    with pytest.raises(ImageError, match=r"a\.png: .*as its kernel, 17 x 17, got 40 x 16"):
        shrink(photo(16, 40), kernel, 2, source="a.png")


def test_sides_become_multiples() -> None:
    pixels = photo(43, 38)
    assert cropped(pixels, 4).shape == (40, 36, 3)
    assert cropped(pixels, 2).shape == (42, 38, 3)
    assert np.array_equal(cropped(pixels, 4), pixels[:40, :36])
