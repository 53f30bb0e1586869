"""The shapes a downscaling kernel may have: their power spectra and how they are drawn.

Three scale with a covariance: the Gaussian, the disk (defocus) and the motion of a camera, which
swings along a line and lingers at its ends. The others are the filters that programs downscale
with; they have no free number.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernelgan_fast.kernels.geometry import RESAMPLERS, target_centre

Array = NDArray[np.float64]

_DISK_SAMPLES = 8
_MOTION_DOTS = 200
_FIXED = ("bicubic", "lanczos", "box", "bilinear")
_TABLE_END, _TABLE_SIZE, _NODES = 64.0, 4096, 128


@dataclass(frozen=True)
class Shape:
    """One shape.

    Attributes:
        name: as it appears in results.
        log_prior: logarithm of how likely it is beforehand, up to a constant.
        power: |K|² and its derivative as functions of q = (2π)² uᵀΣu, u in cycles per HR pixel.
        trace: for a Gaussian that moves along a line, the same of the movement alone, with its
            own covariance in the place of Σ.
        profile: for fixed shapes, the filter along one axis as a function of the distance in LR
            pixels, up to a factor. One of the three is given.
    """

    name: str
    log_prior: float
    power: Callable[[Array], tuple[Array, Array]] | None = None
    trace: Callable[[Array], tuple[Array, Array]] | None = None
    profile: Callable[[Array], Array] | None = None

    @property
    def scales(self) -> bool:
        """Whether it has a covariance that can be fitted."""
        return self.profile is None


def default_size(scale: int) -> int:
    """The side of a kernel: 13 at scale 2, 25 at scale 4."""
    return 6 * scale + 1


def draw(shape: Shape, covariance: Array, scale: int, size: int) -> Array:
    """Draw a shape as a kernel.

    Args:
        shape: one of `SHAPES`.
        covariance: (2, 2) of the shape in HR px², order (row, col); fixed shapes ignore it.
        scale: how many times smaller the LR image is.
        size: side of the array, odd.

    Returns:
        (size, size), sum 1, symmetric about its centre, which is `target_centre`: exact without
        a shift, because taps without a partner on the other side are 0.
    """
    offsets: Array = np.arange(size, dtype=np.float64) - target_centre(size, scale)
    reach = min(-offsets[0], offsets[-1]) + 1e-9
    inside = (np.abs(offsets) <= reach).astype(np.float64)
    if shape.profile is not None:
        line = shape.profile(offsets / scale)
        array = np.outer(line, line)
    elif shape.trace is not None:
        array = _drawn_motion(covariance, offsets)
    else:
        inverse = np.asarray(np.linalg.inv(covariance), dtype=np.float64)
        if shape.name == "disk":
            array = _drawn_disk(inverse, offsets)
        else:
            array = np.exp(-0.5 * _distance(inverse, offsets))
    array *= np.outer(inside, inside)
    kernel: Array = array / array.sum()
    return kernel


def fixed_power(shape: Shape, scale: int, rows: Array, cols: Array) -> Array:
    """Compute |K|² of a fixed shape at frequencies in cycles per HR pixel."""
    assert shape.profile is not None
    offsets = np.arange(4 * scale) + 0.5 + (scale % 2) / 2
    offsets = np.concatenate([-offsets[::-1], [0.0] if scale % 2 else [], offsets])
    line = shape.profile(offsets / scale)
    line /= line.sum()
    transfer = [
        np.tensordot(line, np.cos(2 * np.pi * offsets[:, None, None] * axis), 1)
        for axis in (rows, cols)
    ]
    power: Array = (transfer[0] * transfer[1]) ** 2
    return power


def _distance(inverse: Array, offsets: Array) -> Array:
    y, x = offsets[:, None], offsets[None]
    distance: Array = inverse[0, 0] * y * y + 2 * inverse[0, 1] * y * x + inverse[1, 1] * x * x
    return distance


def _drawn_disk(inverse: Array, offsets: Array) -> Array:
    """Area of each pixel inside the ellipse whose uniform density has the covariance."""
    parts = (np.arange(_DISK_SAMPLES) + 0.5) / _DISK_SAMPLES - 0.5
    fine = (offsets[:, None] + parts).ravel()
    inside = _distance(inverse, fine) <= 4  # a disk of radius r has the variance r²/4
    size = len(offsets)
    area: Array = inside.reshape(size, _DISK_SAMPLES, size, _DISK_SAMPLES).sum((1, 3), dtype=float)
    return area if area.any() else np.exp(-0.5 * _distance(inverse, offsets))


def _drawn_motion(covariance: Array, offsets: Array) -> Array:
    """Gaussian dots along the wider axis, at equal times of a harmonic swing."""
    (minor, major), vectors = np.linalg.eigh(covariance)
    times = (np.arange(_MOTION_DOTS) + 0.5) / _MOTION_DOTS
    path = math.sqrt(2 * (major - minor)) * np.sin(np.pi * (times - 0.5))
    dots = np.multiply.outer(vectors[:, 1], path)
    y, x = (np.exp(-0.5 * (offsets[:, None] - dots[axis]) ** 2 / minor) for axis in (0, 1))
    drawn: Array = y @ x.T
    return drawn


def _gaussian_power(q: Array) -> tuple[Array, Array]:
    value = np.exp(-q)
    return value, -value


def _disk_power(q: Array) -> tuple[Array, Array]:
    """(2 J₁(x)/x)² with x = 2πr|u| = 2√q; its slope is -8 (2 J₁/x) J₂/x²."""
    radius, disk, _ = _tables()
    x = 2 * np.sqrt(q)
    return np.interp(x, radius, disk[0], right=0.0), np.interp(x, radius, disk[1], right=0.0)


def _swing_power(q: Array) -> tuple[Array, Array]:
    """J₀(x)² of a swing of amplitude A along u, with x = 2πA|u| = √(2q); slope -2 J₀ J₁/x."""
    radius, _, swing = _tables()
    x = np.sqrt(2 * q)
    return np.interp(x, radius, swing[0], right=0.0), np.interp(x, radius, swing[1], right=0.0)


@functools.lru_cache(maxsize=1)
def _tables() -> tuple[Array, tuple[Array, Array], tuple[Array, Array]]:
    """x; then value and slope by q of `_disk_power` and of `_swing_power` at x."""
    x = np.linspace(0, _TABLE_END, _TABLE_SIZE)
    # Bessel's integral; the midpoint rule is exact to rounding for so many nodes.
    angle = (np.arange(_NODES) + 0.5) * np.pi / _NODES
    phase = x[:, None] * np.sin(angle)
    zeroth, first, second = (np.cos(n * angle - phase).mean(axis=1) for n in (0, 1, 2))
    safe = np.where(x == 0, 1.0, x)
    half = np.where(x == 0, 0.5, first / safe)  # J₁/x
    bend = np.where(x == 0, 0.125, second / safe**2)
    return x, (4 * half**2, -16 * half * bend), (zeroth**2, -2 * zeroth * half)


SHAPES = (
    Shape("gaussian", 0.0, power=_gaussian_power),
    Shape("disk", -4.0, power=_disk_power),
    Shape("motion", -4.0, trace=_swing_power),
    *(Shape(name, -4.0, profile=RESAMPLERS[name]) for name in _FIXED),
)
