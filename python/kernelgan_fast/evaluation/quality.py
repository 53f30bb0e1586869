"""How near a super-resolved photo is to the true one: PSNR and SSIM of the luma, as papers have it.

The luma is MATLAB's (16 to 235): with another one PSNR comes out 1.3 dB lower.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernelgan_fast.errors import InputError

Plane = NDArray[np.float64]

# rgb2ycbcr of MATLAB, for values 0 to 255.
_LUMA = np.array([65.481, 128.553, 24.966]) / 255
_BLACK = 16.0

_WHITE = 255.0
_SIGMA, _RADIUS = 1.5, 5
_K1, _K2 = 0.01, 0.03


def luma(pixels: NDArray[Any], *, rounded: bool = False) -> Plane:
    """The brightness Y of a photo.

    Args:
        pixels: (H, W, 3), uint8 in [0, 255] or float in [0, 1].
        rounded: to whole numbers, as MATLAB gives it for 8-bit photos.

    Returns:
        (H, W) float64 in [16, 235]: 16 + (65.481 R + 128.553 G + 24.966 B)/255 of R, G, B in
        [0, 255].

    Raises:
        InputError: not (H, W, 3).
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise InputError(f"luma is taken of (H, W, 3) pixels, got {pixels.shape}; give colour")
    levels = pixels.astype(np.float64) * (1.0 if pixels.dtype == np.uint8 else _WHITE)
    plane: Plane = _BLACK + levels @ _LUMA
    # Half up, as MATLAB rounds; numpy's rint goes to the even number.
    return np.floor(plane + 0.5) if rounded else plane


def shave(plane: Plane, border: int) -> Plane:
    """Cut `border` px off each side; borders are not what methods are judged by.

    Raises:
        InputError: nothing would be left.
    """
    if min(plane.shape) <= 2 * border:
        raise InputError(
            f"a photo must be larger than {2 * border} px to lose {border} a side, "
            f"got {plane.shape}; take a larger one"
        )
    return plane[border : plane.shape[0] - border, border : plane.shape[1] - border]


def psnr(plane: Plane, truth: Plane) -> float | None:
    """10 log₁₀(255² / mean squared error) in dB.

    Args:
        plane, truth: (H, W), 255 is white.

    Returns:
        The figure; None where both are equal.

    Raises:
        InputError: two sizes.
    """
    _check_sizes(plane, truth)
    error = float(np.mean((plane - truth) ** 2))
    return 10 * math.log10(_WHITE**2 / error) if error else None


def ssim(plane: Plane, truth: Plane) -> float:
    """Structural similarity, the mean over all places where the window fits.

    Args:
        plane, truth: (H, W) of at least 11 px a side, 255 is white.

    Returns:
        At most 1, which means equal.

    Raises:
        InputError: two sizes, or too small.

    Source: Wang et al., "Image Quality Assessment: From Error Visibility to Structural
        Similarity", TIP 2004: Gaussian window of 11 x 11, sigma 1.5, K1 = 0.01, K2 = 0.03.
    """
    _check_sizes(plane, truth)
    size = 2 * _RADIUS + 1
    if min(plane.shape) < size:
        raise InputError(f"SSIM needs {size} px a side, got {plane.shape}; take a larger photo")
    first, second = _smooth(plane), _smooth(truth)
    variances = _smooth(plane * plane) - first * first + _smooth(truth * truth) - second * second
    covariance = _smooth(plane * truth) - first * second
    small, large = (_K1 * _WHITE) ** 2, (_K2 * _WHITE) ** 2
    brightness = (2 * first * second + small) / (first * first + second * second + small)
    return float(np.mean(brightness * (2 * covariance + large) / (variances + large)))


def _smooth(plane: Plane) -> Plane:
    """Weigh by a Gaussian window wherever it fits, (H - 10, W - 10)."""
    from scipy.ndimage import correlate1d

    offsets = np.arange(-_RADIUS, _RADIUS + 1)
    window = np.exp(-0.5 * (offsets / _SIGMA) ** 2)
    window /= window.sum()
    inside = slice(_RADIUS, -_RADIUS)
    smooth: Plane = correlate1d(correlate1d(plane, window, axis=0)[inside], window, axis=1)
    return smooth[:, inside]


def _check_sizes(plane: Plane, truth: Plane) -> None:
    if plane.shape != truth.shape:
        raise InputError(
            f"photos must have one size to be compared, got {plane.shape} and {truth.shape}; "
            "cut the larger one"
        )
