"""Photos whose kernel is known, made without files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Array = NDArray[Any]
MakePhoto = Callable[..., NDArray[np.uint8]]


def power_law(side: int, exponent: float, seed: int) -> Array:
    """A random image in 0..255 with a power spectrum ∝ |f|^-exponent, continued periodically."""
    random = np.random.default_rng(seed)
    radius = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side))
    radius[0, 0] = 1.0
    spectrum = np.fft.rfft2(random.standard_normal((side, side))) * radius ** (-exponent / 2)
    spectrum[0, 0] = 0.0
    image = np.fft.irfft2(spectrum, (side, side))
    return np.clip(128 + 40 * image / image.std(), 0, 255)


def correlate(image: Array, kernel: Array) -> Array:
    """Correlate with a small kernel, the image continued periodically."""
    size, middle = len(kernel), len(kernel) // 2
    frame = np.zeros_like(image)
    frame[:size, :size] = kernel
    frame = np.roll(frame, (-middle, -middle), axis=(0, 1))
    return np.fft.irfft2(np.fft.rfft2(image) * np.conj(np.fft.rfft2(frame)), image.shape)


@pytest.fixture(scope="session")
def make_photo() -> MakePhoto:
    """(kernel, scale=2, side=256, exponent=2.4, noise=0.0, seed=0) -> (side, side, 3) uint8."""

    def make(
        kernel: Array,
        *,
        scale: int = 2,
        side: int = 256,
        exponent: float = 2.4,
        noise: float = 0.0,
        seed: int = 0,
    ) -> NDArray[np.uint8]:
        image = power_law(side * scale, exponent, seed)
        small = correlate(image, kernel)[::scale, ::scale]
        small += noise * np.random.default_rng(seed + 1).standard_normal(small.shape)
        grey = np.rint(np.clip(small, 0, 255)).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)

    return make
