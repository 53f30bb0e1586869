"""Block spectra: what they measure, what they leave out, and what they refuse."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kernelgan_fast.degradation import shapes
from kernelgan_fast.errors import ImageError, InputError
from kernelgan_fast.estimation.spectral.blocks import BlockSpectrum, block_spectrum, region_spectra
from kernelgan_fast.estimation.spectral.model import frequencies

MakePhoto = Callable[..., NDArray[np.uint8]]

# The lowest cells hold the mean's leakage, which nobody fits.
FITTED = frequencies(2).cells


@pytest.fixture(scope="module")
def photo(make_photo: MakePhoto) -> NDArray[np.uint8]:
    return make_photo(shapes.gaussian(np.eye(2) * 1.4**2, 13, 2), side=320)


def log_difference(one: BlockSpectrum, other: BlockSpectrum) -> float:
    """Root mean square over the fitted cells."""
    difference = np.log(one.power[FITTED] / other.power[FITTED])
    return float(np.sqrt(np.mean(difference**2)))


def test_white_noise_adds_its_variance_everywhere() -> None:
    random = np.random.default_rng(0)
    noise = random.normal(0.5, 10 / 255, (600, 600)).astype(np.float32)
    spectrum = block_spectrum(np.repeat(noise[:, :, None], 3, axis=2))
    assert spectrum.power[FITTED].mean() == pytest.approx(100, rel=0.01)
    assert spectrum.power[FITTED].std() < 10
    assert (spectrum.rejected, spectrum.relaxed) == (0, False)


def test_bytes_and_floats_agree(photo: NDArray[np.uint8]) -> None:
    one, other = block_spectrum(photo), block_spectrum(photo.astype(np.float32) / 255)
    np.testing.assert_allclose(one.power[FITTED], other.power[FITTED], rtol=1e-3)


def test_threads_change_nothing_and_the_photo_is_not_written_to(photo: NDArray[np.uint8]) -> None:
    kept = photo.copy()
    one = block_spectrum(photo)
    for threads in (2, 5):
        np.testing.assert_array_equal(block_spectrum(photo, threads=threads).power, one.power)
    np.testing.assert_array_equal(photo, kept)


def test_channels_are_told_apart(photo: NDArray[np.uint8]) -> None:
    coloured = photo.copy()
    coloured[:, :, 0] = np.rint(coloured[:, :, 0] * 0.5)
    red, green = (block_spectrum(coloured, channel=name) for name in ("red", "green"))
    strong = FITTED & (green.power > 100)  # rounding hardly shows there
    ratio = red.power[strong] / green.power[strong]
    assert np.median(ratio) == pytest.approx(0.25, rel=0.05)
    grey = block_spectrum(coloured)
    expected = (1 - 0.299 / 2) ** 2
    assert np.median(grey.power[strong] / green.power[strong]) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (17, 12, 200)])
def test_letterbox_bars_do_not_count(
    photo: NDArray[np.uint8], colour: tuple[int, int, int]
) -> None:
    barred = photo.copy()
    barred[:70] = barred[-75:] = colour
    inside = block_spectrum(photo[70:-75])
    spectrum = block_spectrum(barred)
    assert 0.3 < spectrum.rejected < 0.6
    assert log_difference(spectrum, inside) < 0.15
    # The bars' edge would show in the cross of the spectrum; it is not fitted.
    assert not FITTED[:, :2].any() and not FITTED[:2].any() and not FITTED[-1].any()


def test_burnt_out_parts_do_not_count(photo: NDArray[np.uint8]) -> None:
    burnt = np.clip(photo.astype(int) * 2, 0, 255).astype(np.uint8)
    spectrum = block_spectrum(burnt)
    assert spectrum.rejected > 0.3
    whole = block_spectrum(photo)
    # Where a block is not clipped it is the photo's, twice as bright.
    assert np.median(spectrum.power[FITTED] / whole.power[FITTED]) == pytest.approx(4, rel=0.5)


def test_a_photo_of_bars_alone_is_taken_as_it_is(photo: NDArray[np.uint8]) -> None:
    stripes = np.full_like(photo, 60)
    stripes[::40, ::40] = 200
    spectrum = block_spectrum(stripes)
    assert spectrum.relaxed
    assert spectrum.blocks > 0


def test_regions_add_up_to_the_whole(photo: NDArray[np.uint8]) -> None:
    regions = [r for line in region_spectra(photo, (2, 3)) for r in line if r is not None]
    whole = block_spectrum(photo)
    assert len(regions) == 6
    assert sum(region.blocks for region in regions) == whole.blocks
    total = sum(region.power * region.blocks for region in regions)
    np.testing.assert_allclose(total / whole.blocks, whole.power)


def test_a_region_without_contrast_is_none(photo: NDArray[np.uint8]) -> None:
    half = photo.copy()
    half[:, 140:] = 99
    left, right = region_spectra(half, (1, 2))[0]
    assert left is not None and left.blocks > 50
    assert right is None


def test_the_smallest_photo_has_a_spectrum(photo: NDArray[np.uint8]) -> None:
    spectrum = block_spectrum(photo[:48, :48])
    assert spectrum.blocks == 4
    assert np.isfinite(spectrum.power).all()


def test_memory_does_not_grow_with_the_photo() -> None:
    random = np.random.default_rng(0)
    strip = random.integers(0, 256, (200, 4000, 3)).astype(np.uint8)
    large = np.concatenate([strip] * 15)  # 12 megapixels, 36 MB
    tracemalloc.start()
    spectrum = block_spectrum(large)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6
    assert 2000 < spectrum.blocks < 5000


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (np.zeros((47, 90, 3), np.uint8), "at least 48 px"),
        (np.zeros((90, 90), np.uint8), "must be \\(height, width, 3\\)"),
        (np.zeros((90, 90, 3), np.int32), "of uint8 or float32"),
        (np.full((90, 90, 3), 7, np.uint8), "must have contrast"),
    ],
)
def test_photos_that_cannot_be_used_are_refused(pixels: NDArray[Any], words: str) -> None:
    with pytest.raises(ImageError, match=words):
        block_spectrum(pixels)


def test_arguments_out_of_range_are_refused(photo: NDArray[np.uint8]) -> None:
    with pytest.raises(InputError, match="channel must be one of grey, red"):
        block_spectrum(photo, channel="luma")
    with pytest.raises(InputError, match="threads must be at least 1, got 0"):
        block_spectrum(photo, threads=0)
    with pytest.raises(InputError, match="at least 1 row"):
        region_spectra(photo, (0, 3))
