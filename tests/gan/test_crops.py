"""Gradient and probability maps follow the recorded ones; plans hold what the samplers need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from kernelgan_fast.errors import ImageError
from kernelgan_fast.gan import crops
from kernelgan_fast.gan.config import TrainConfig, profile
from kernelgan_fast.gan.crops import gradient_map, plan_crops, probability_map

CONFIG = profile("corrected")


def photo(height: int = 120, width: int = 150, dtype: Any = np.uint8) -> np.ndarray:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return pixels if dtype == np.uint8 else (pixels / 255).astype(dtype)


@pytest.fixture(scope="module")
def coffee(golden: Path) -> np.ndarray:
    with Image.open(golden / "coffee_192x256.png") as picture:
        return np.asarray(picture.convert("RGB"))


@pytest.fixture(scope="module")
def recorded(golden: Path) -> dict[str, np.ndarray]:
    with np.load(golden / "trajectory.npz") as file:
        return {name: file[name] for name in ("gradient_map", "prob_map_d", "prob_map_g")}


@pytest.fixture(scope="module")
def grey(coffee: np.ndarray) -> np.ndarray:
    return coffee[10:-10, 10:-10] / 255.0 @ np.array([0.299, 0.587, 0.114])


def assert_follows(got: np.ndarray, wanted: np.ndarray, tolerance: float) -> None:
    assert np.abs(got[3::5, 2::5] - wanted).max() <= tolerance * wanted.max()


def test_gradient_map_follows(grey: np.ndarray, recorded: dict[str, np.ndarray]) -> None:
    assert_follows(gradient_map(grey), recorded["gradient_map"], 1e-12)


def test_discriminator_probabilities_follow(
    grey: np.ndarray, recorded: dict[str, np.ndarray]
) -> None:
    assert_follows(probability_map(gradient_map(grey), 26), recorded["prob_map_d"], 1e-12)


def test_generator_probabilities_follow(grey: np.ndarray, recorded: dict[str, np.ndarray]) -> None:
    coarse = gradient_map(crops._halve(grey)).repeat(2, axis=0).repeat(2, axis=1)
    # The recorded half-size image carries float32 rounding.
    assert_follows(probability_map(coarse, 64), recorded["prob_map_g"], 2e-8)


def test_gradient_map_scale_and_offset_do_not_matter(grey: np.ndarray) -> None:
    np.testing.assert_allclose(gradient_map(grey * 64 + 2), gradient_map(grey), rtol=0, atol=1e-9)


def test_float32_maps_are_close(grey: np.ndarray) -> None:
    exact, single = gradient_map(grey), gradient_map(grey.astype(np.float32))
    assert single.dtype == np.float32
    assert np.abs(single - exact).mean() < 1e-3


def test_halving_keeps_constants_and_ramps() -> None:
    assert np.allclose(crops._halve(np.full((20, 24), 3.0)), 3.0)
    ramp = crops._halve(np.tile(np.arange(40.0), (20, 1)))
    np.testing.assert_allclose(ramp[5, 3:-3], 2 * np.arange(20)[3:-3] + 0.5)


def test_flat_pictures_have_empty_maps_and_uniform_probabilities() -> None:
    assert not gradient_map(np.ones((40, 40))).any()
    assert not gradient_map(np.ones((10, 40))).any()
    assert np.allclose(probability_map(np.zeros((40, 50)), 26), 1 / 2000)


def test_stripes_of_one_direction_give_finite_maps() -> None:
    stripes = np.tile(np.arange(60)[:, None] % 7, (1, 60)).astype(float)
    gradients = gradient_map(stripes)
    assert np.isfinite(gradients).all()
    assert gradients.mean() == pytest.approx(1)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_plan(dtype: Any) -> None:
    pixels = photo(121, 150, dtype)
    plan = plan_crops(pixels, CONFIG)
    assert plan.image.shape == (3, 100, 130)
    assert plan.image.is_contiguous()
    assert np.array_equal(plan.image.numpy(), pixels[10:110, 10:140].transpose(2, 0, 1))
    assert plan.generator_cdf.shape == (19, 34)
    assert plan.discriminator_cdf.shape == (38, 53)
    for cdf in (plan.generator_cdf, plan.discriminator_cdf):
        assert cdf.dtype == torch.float64
        assert cdf.is_contiguous()
        assert (cdf.flatten().diff() >= 0).all()
        assert cdf[0, 0] >= 0
        assert cdf[-1, -1] == 1


def test_corner_probabilities_are_those_of_their_centres() -> None:
    gradients = np.random.default_rng(1).random((48, 54))
    for size in (26, 25):
        wanted = np.zeros(((48 - size) // 2 + 1, (54 - size) // 2 + 1))
        for (row, col), chance in np.ndenumerate(probability_map(gradients, size)):
            top = min(max(row - size // 2, 0), 48 - size) // 2
            left = min(max(col - size // 2, 0), 54 - size) // 2
            wanted[top, left] += chance
        got = np.diff(crops._corner_cdf(gradients, size).ravel(), prepend=0)
        np.testing.assert_allclose(got.reshape(wanted.shape), wanted, rtol=0, atol=1e-14)


def test_real_photos_keep_their_border() -> None:
    assert plan_crops(photo(64, 65), CONFIG, real=True).image.shape == (3, 64, 64)


def test_plan_shares_no_memory_with_the_photo() -> None:
    pixels = photo()
    pixels.flags.writeable = False
    planar = np.ascontiguousarray(pixels.transpose(2, 0, 1)).transpose(1, 2, 0)
    image = plan_crops(planar, TrainConfig(shave=0)).image
    assert not np.shares_memory(image.numpy(), planar)


def test_too_small() -> None:
    with pytest.raises(ImageError, match="at least 84 x 84 px"):
        plan_crops(photo(83, 200), CONFIG)
    with pytest.raises(ImageError, match="at least 64 x 64 px"):
        plan_crops(photo(64, 63), CONFIG, real=True)
    assert plan_crops(photo(84, 84), CONFIG).image.shape == (3, 64, 64)


def test_constant() -> None:
    pixels = np.full((100, 100, 3), 9, dtype=np.uint8)
    pixels[0] = 200  # contrast outside what is used does not count
    with pytest.raises(ImageError, match="contrast"):
        plan_crops(pixels, CONFIG)


@pytest.mark.parametrize(
    "pixels", [photo()[:, :, 0], photo()[:, :, :2], photo().astype(np.float64)]
)
def test_wrong_arrays(pixels: np.ndarray) -> None:
    with pytest.raises(ImageError, match="convert it"):
        plan_crops(pixels, CONFIG)
