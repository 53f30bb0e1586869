"""The noise estimate: within its documented error on textured photos, in every kind of photo."""

from __future__ import annotations

import numpy as np
import pytest
from photos import COLOSSEUM, OSPREY, photo, with_noise

from kernelgan_fast.analysis import analyse_photo
from kernelgan_fast.analysis.noise import measure_noise
from kernelgan_fast.images import as_photo

# Nine tenths of estimates are within this part of the truth (see `measure_noise`).
ERROR = 0.2


@pytest.mark.parametrize("name", [OSPREY, COLOSSEUM])
@pytest.mark.parametrize("sigma", [2, 5, 10, 25])
def test_white_noise(name: str, sigma: float) -> None:
    noise = measure_noise(with_noise(photo(name), sigma, seed=sigma))
    assert noise.measured and noise.level == pytest.approx(sigma, rel=ERROR)


def test_each_channel_has_its_own_noise() -> None:
    sigma = (3.0, 6.0, 12.0)
    noise = measure_noise(with_noise(photo(), sigma))
    assert noise.channels == pytest.approx(sigma, rel=ERROR)
    assert noise.level == pytest.approx(np.sqrt(np.mean(np.square(noise.channels))))


def test_noise_that_grows_with_brightness() -> None:
    pixels = photo()
    noise = measure_noise(with_noise(pixels, np.sqrt(1 + 0.5 * pixels.astype(np.float64))))
    assert noise.slope == pytest.approx(0.5, rel=0.4)
    white = measure_noise(with_noise(pixels, 8.0))
    assert white.slope < 0.1 and white.constant == pytest.approx(8.0, rel=0.3)


def test_deep_photos_have_the_same_noise() -> None:
    noisy = with_noise(photo(), 5.0)
    eight = analyse_photo(as_photo(noisy)).noise
    for deep in (noisy.astype(np.uint16) * 257, noisy / np.float32(255)):
        assert analyse_photo(as_photo(deep)).noise.channels == pytest.approx(eight.channels, 1e-3)


def test_noise_is_relative_to_the_effective_white() -> None:
    random = np.random.default_rng(0)
    deep = np.rint(photo() * 16.0 + random.normal(0, 5 * 16, photo().shape)).clip(0, 4095)
    analysis = analyse_photo(as_photo(deep.astype(np.uint16)))  # 12 bits in 16
    stretch = 4095 / 65535 / analysis.white
    assert analysis.noise.level == pytest.approx(5 * stretch, rel=ERROR)


def test_a_channel_without_a_measure_does_not_count() -> None:
    """As of fluorescence, where one channel is used."""
    noisy = with_noise(photo(), 6.0)
    level = measure_noise(noisy).channels[1]
    noisy[:, :, (0, 2)] = 0
    assert measure_noise(noisy).level == pytest.approx(level)


@pytest.mark.parametrize("value", [0, 77, 255])
def test_a_single_value_shows_no_noise(value: int) -> None:
    noise = measure_noise(np.full((40, 50, 3), value, np.uint8))
    assert noise.level == 0 and not noise.measured


def test_tiny_photos() -> None:
    random = np.random.default_rng(0)
    for height, width in ((1, 1), (2, 7), (15, 40), (16, 16), (17, 90)):
        pixels = random.integers(90, 130, (height, width, 3)).astype(np.uint8)
        analysis = analyse_photo(as_photo(pixels))
        assert np.isfinite(analysis.noise.level)
        assert analysis.noise.measured == (min(height, width) >= 16)
