"""PSNR and SSIM against scikit-image, to six digits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from kernelgan_fast.errors import InputError
from kernelgan_fast.evaluation.quality import luma, psnr, shave, ssim
from kernelgan_fast.images import read_image

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(params=["roman-colosseum_160x112.png", "perched-osprey_112x112.png"])
def photos(request: pytest.FixtureRequest) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A photo with errors, and the photo."""
    truth = read_image(DATA / request.param).pixels
    noise = np.random.default_rng(0).normal(0, 6, truth.shape)
    return np.clip(truth + noise, 0, 255).astype(np.uint8), truth


def test_luma_is_matlab_s(photos: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> None:
    pixels, _ = photos
    assert np.abs(luma(pixels) - rgb2ycbcr(pixels)[..., 0]).max() < 1e-9
    assert np.allclose(luma(pixels / np.float32(255)), luma(pixels), atol=1e-4)
    ends = np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)
    assert np.allclose(luma(ends), [[16, 235]])


def test_luma_is_rounded_half_up(photos: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> None:
    whole = luma(photos[0], rounded=True)
    assert np.array_equal(whole, np.round(whole))
    assert 0.4 < np.abs(whole - luma(photos[0])).max() <= 0.5 + 1e-9


@pytest.mark.parametrize("border", [0, 2, 4])
def test_psnr_and_ssim(photos: tuple[NDArray[np.uint8], NDArray[np.uint8]], border: int) -> None:
    plane, truth = (shave(luma(pixels), border) for pixels in photos)
    assert psnr(plane, truth) == pytest.approx(
        peak_signal_noise_ratio(truth, plane, data_range=255), abs=1e-9
    )
    theirs = structural_similarity(
        plane,
        truth,
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert ssim(plane, truth) == pytest.approx(theirs, abs=5e-7)
    assert 0.5 < theirs < 0.99


def test_equal_photos(photos: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> None:
    plane = luma(photos[1])
    assert psnr(plane, plane) is None
    assert ssim(plane, plane) == pytest.approx(1, abs=1e-12)


def test_shave_cuts_each_side() -> None:
    plane = np.arange(63.0).reshape(7, 9)
    assert np.array_equal(shave(plane, 2), plane[2:5, 2:7])
    assert np.array_equal(shave(plane, 0), plane)


def test_what_cannot_be_measured() -> None:
    plane = np.zeros((12, 12))
    with pytest.raises(InputError, match=r"of \(H, W, 3\) pixels, got \(12, 12\)"):
        luma(plane)
    with pytest.raises(InputError, match="larger than 12 px to lose 6 a side"):
        shave(plane, 6)
    with pytest.raises(InputError, match="one size to be compared"):
        psnr(plane, plane[1:])
    with pytest.raises(InputError, match="one size to be compared"):
        ssim(plane, plane[1:])
    with pytest.raises(InputError, match="SSIM needs 11 px a side"):
        ssim(plane[:10], plane[:10])
