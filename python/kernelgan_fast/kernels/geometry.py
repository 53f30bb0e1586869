"""Where a kernel points and where it sits: every convention of this package, written once.

Orientation. A kernel is stored for correlation and never flipped:

    LR = correlate(HR, kernel)[::scale, ::scale]

with the image continued half-sample symmetrically (d c b a | a b c d | d c b a). Tap `size // 2`
is the centre tap: it meets HR pixel (scale * i, scale * j) when LR pixel (i, j) is made. So an
impulse in HR shows the kernel flipped in LR, and `flip` gives the array for libraries that
convolve.

Half-pixel rule. LR pixel (0, 0) shall sit in the middle of the first scale x scale HR pixels,
(scale - 1) / 2 from HR pixel (0, 0). For odd sizes this puts the centre of mass at

    size // 2 + (scale - size % 2) / 2

on both axes: 6.5 for 13 x 13 at scale 2, 13.5 for 25 x 25 at scale 4. Libraries disagree by
exactly one pixel here, and half a pixel costs several dB of super-resolution.

All coordinates are array indices in HR pixels, in the order (row, col).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kernelgan_fast.errors import InputError
from kernelgan_fast.kernels.blur_kernel import moments

# A cubic B-spline rings with a factor of about -0.27 a pixel: 12 pixels on it has died out.
_MARGIN = 12

_CENTRED, _CLOSE = 1e-10, 1e-6

# Rounding leaves values of this size where a spline means 0; no weight may blow them up.
_DUST = 1e-12

# Near its minimum the convex function below changes by less than it can be computed.
_ROUNDING = 1e-12


Array = NDArray[np.float64]


def target_centre(size: int, scale: int) -> float:
    """Say where the centre of mass belongs, on both axes, by the half-pixel rule.

    Args:
        size: side of the kernel.
        scale: how many times smaller the LR image is.

    Returns:
        The index coordinate, HR pixels.
    """
    return size // 2 + 0.5 * (scale - size % 2)


def centre_of_mass(kernel: ArrayLike) -> tuple[float, float]:
    """Find the centre of mass (row, col) of a (k, k) array, in index coordinates.

    Raises:
        InputError: not a square array, not finite, or the sum is 0.
    """
    array = _square(kernel)
    if array.sum() == 0:
        raise InputError("a kernel that sums to 0 has no centre of mass; estimate it again")
    row, col = moments(array)[0]
    return float(row), float(col)


def flip(kernel: ArrayLike) -> NDArray[np.float64]:
    """Turn a kernel by 180 degrees: correlation and convolution kernels become each other."""
    return np.ascontiguousarray(_square(kernel)[::-1, ::-1])


def shift(kernel: ArrayLike, offset: tuple[float, float]) -> NDArray[np.float64]:
    """Move a kernel by a fraction of a pixel with a cubic spline, zero outside the frame.

    Nothing is padded or normalised, and the spline may leave small negative values: this is the
    rule by which the DIV2KRK images were made, to the grey level. See `recentre` for more care.

    Args:
        kernel: (k, k).
        offset: (down, right) in HR pixels.

    Returns:
        (k, k) float64.
    """
    from scipy import ndimage

    moved: NDArray[np.float64] = ndimage.shift(
        _square(kernel), offset, order=3, mode="constant", cval=0.0
    )
    return moved


def recentre(kernel: ArrayLike, scale: int) -> NDArray[np.float64]:
    """Bring the centre of mass to `target_centre`, keeping the size; values below 0 are cut.

    One spline shift does nearly all of it. Cutting its negative lobes and what left the frame
    moves the centre a little again; a weight exp(a*row + b*col) on the values takes that back
    exactly. On a Gaussian such a weight is itself a pure shift: it costs no shape.

    Args:
        kernel: (k, k) with positive values. Kernels with lobes that are meant to be negative
            (bicubic) are not for this function: use `shift`.
        scale: how many times smaller the LR image is.

    Returns:
        (k, k) float64, at least 0, sum 1, centred to 1e-6 px (1e-10 in practice).

    Raises:
        InputError: no positive value, or too small a frame to hold the target (a 1 x 1 kernel).
    """
    array = np.clip(_square(kernel), 0.0, None)
    if array.sum() == 0:
        raise InputError("a kernel without a positive value cannot be centred; estimate it again")
    target = target_centre(array.shape[0], scale)
    down, right = (target - centre for centre in centre_of_mass(array))
    # Where a shift would push a whole side out of the frame, the weight does without it.
    for offset in ((down, right), (0.0, right), (down, 0.0), (0.0, 0.0)):
        centred = _tilted(_moved(array, offset), target)
        if centred is not None:
            return centred
    size = array.shape[0]
    raise InputError(
        f"a {size}x{size} kernel with its mass on one side cannot be centred at {target}; "
        "give it a larger frame (numpy.pad) or estimate it again"
    )


def _moved(array: NDArray[np.float64], offset: tuple[float, float]) -> NDArray[np.float64]:
    """Shift inside a larger frame of zeros, crop back, and cut what the spline left below 0."""
    furthest = max(abs(part) for part in offset)
    if furthest <= _CENTRED:
        return array
    margin = _MARGIN + math.ceil(furthest)
    inside = slice(margin, -margin)
    return np.clip(shift(np.pad(array, margin), offset)[inside, inside], 0.0, None)


def _tilted(array: NDArray[np.float64], target: float) -> NDArray[np.float64] | None:
    """Weight values by exp(a*row + b*col) so that the centre is exact, and normalise.

    The exponents minimise log sum(array * exp(a*(row - target) + b*(col - target))), a convex
    function whose gradient is the distance to the target: Newton's method with halved steps.

    Returns:
        The weighted array; None where no mass lies beyond the target, so that none can be had.
    """
    array = np.where(array > _DUST * array.max(), array, 0.0)
    y, x = np.indices(array.shape, dtype=np.float64) - target
    slope = np.zeros(2)
    height, weighted = _weighted(array, slope, y, x)
    for _ in range(100):
        centre, covariance = moments(weighted)
        miss = target - centre
        if np.abs(miss).max() <= _CENTRED:
            return weighted
        step = np.linalg.lstsq(covariance, miss, rcond=None)[0]
        for _ in range(40):
            lower, candidate = _weighted(array, slope + step, y, x)
            if lower <= height + _ROUNDING:
                break
            step = step / 2
        slope, height, weighted = slope + step, lower, candidate
    return weighted if np.abs(miss).max() <= _CLOSE else None


def _weighted(
    array: NDArray[np.float64],
    slope: NDArray[np.float64],
    y: NDArray[np.float64],
    x: NDArray[np.float64],
) -> tuple[float, NDArray[np.float64]]:
    exponent = slope[0] * y + slope[1] * x
    peak = float(exponent.max())  # taken out so that exp cannot overflow
    weighted = array * np.exp(exponent - peak)
    total = float(weighted.sum())
    if total == 0:  # the weight has driven everything to 0: no step to take
        return math.inf, array
    return peak + math.log(total), weighted / total


def _square(kernel: Any) -> NDArray[np.float64]:
    array = np.asarray(kernel, dtype=np.float64)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or array.size == 0:
        raise InputError(f"a kernel must be a square array, got shape {array.shape}")
    if not np.isfinite(array).all():
        raise InputError("a kernel must be finite, got NaN or infinity; estimate it again")
    return array


def bicubic(distance: Array) -> Array:
    """Keys' cubic with a = -1/2, 0 from 2 on.

    Source: Keys, "Cubic convolution interpolation for digital image processing", IEEE Transactions
        on Acoustics, Speech, and Signal Processing 29, 1981.
    """
    x = np.abs(distance)
    inner = (1.5 * x - 2.5) * x * x + 1
    outer = ((-0.5 * x + 2.5) * x - 4) * x + 2
    value: Array = np.where(x < 1, inner, np.where(x < 2, outer, 0.0))
    return value


def bilinear(distance: Array) -> Array:
    """A triangle, 0 from 1 on."""
    value: Array = np.maximum(1 - np.abs(distance), 0.0)
    return value


def lanczos(distance: Array) -> Array:
    """A sinc windowed by a sinc three times as wide, 0 from 3 on."""
    return np.where(np.abs(distance) < 3, np.sinc(distance) * np.sinc(distance / 3), 0.0)


def box(distance: Array) -> Array:
    """The mean over a pixel, 0 from 1/2 on."""
    return np.where(np.abs(distance) < 0.5, 1.0, 0.0)


RESAMPLERS: Mapping[str, Callable[[Array], Array]] = MappingProxyType(
    {"bicubic": bicubic, "bilinear": bilinear, "lanczos": lanczos, "box": box}
)
