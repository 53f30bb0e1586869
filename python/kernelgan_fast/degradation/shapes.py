"""Kernels by formula: Gaussians, disks, paths of a camera, and the usual resamplers.

Every array is (size, size) float64 with sum 1, at `target_centre` of its size and scale, so it can
be applied as it is. Lengths are HR pixels, coordinates (row, col).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kernelgan_fast.errors import InputError
from kernelgan_fast.kernels.geometry import RESAMPLERS, target_centre

# Midpoints a pixel in the integral over a disk: coverage is right to about 1e-4.
_SLICES = 200

_PATH_POINTS = 2000
_PATH_WAVES = 5
_PATH_PERIODS = 0.6  # how much of the period is exposed


def covariance_matrix(major: float, minor: float, angle: float) -> NDArray[np.float64]:
    """Make a covariance from widths, the reverse of `BlurKernel.widths`.

    Args:
        major, minor: standard deviations along and across the axis, HR pixels; in any order.
        angle: of the axis of `major`, degrees counter-clockwise as seen on the screen.

    Returns:
        (2, 2) in px², order (row, col).
    """
    turn = math.radians(angle)
    along = np.array([-math.sin(turn), math.cos(turn)])  # rows grow downwards
    across = np.array([math.cos(turn), math.sin(turn)])
    covariance: NDArray[np.float64] = major**2 * np.outer(along, along) + minor**2 * np.outer(
        across, across
    )
    return covariance


def gaussian(covariance: NDArray[np.float64], size: int, scale: int) -> NDArray[np.float64]:
    """Sample a Gaussian at the taps.

    Args:
        covariance: (2, 2) in px², positive definite.
        size: side of the kernel.
        scale: how many times smaller the LR image is.

    Raises:
        InputError: the covariance is not positive definite.
    """
    if np.linalg.eigvalsh(covariance)[0] <= 0:
        raise InputError("a Gaussian must have widths above 0, got 0 or less; give larger ones")
    y, x = np.indices((size, size)) - target_centre(size, scale)
    offsets = np.stack([y, x], axis=-1)
    exponent = np.einsum("ijk,kl,ijl->ij", offsets, np.linalg.inv(covariance), offsets)
    return _normalised(np.exp(-0.5 * exponent))


def disk(radius: float, size: int, scale: int) -> NDArray[np.float64]:
    """Weigh each pixel by the part of it that a disk covers, as a lens out of focus does.

    Raises:
        InputError: the radius is not above 0.
    """
    if not radius > 0:
        raise InputError(f"the radius of a disk must be above 0, got {radius:g}; give a larger one")
    edges = np.arange(size + 1) - 0.5 - target_centre(size, scale)
    x = edges[:-1, None] + (np.arange(_SLICES) + 0.5) / _SLICES
    half = np.sqrt(np.maximum(radius**2 - x**2, 0.0))  # half the chord above and below each x
    bottom, top = edges[:-1, None, None], edges[1:, None, None]
    covered = np.minimum(top, half) - np.maximum(bottom, -half)
    return _normalised(np.maximum(covered, 0.0).mean(axis=2))


def camera_path(random: np.random.Generator, reach: float) -> NDArray[np.float64]:
    """Draw a smooth path that a shaken camera might take while the shutter is open.

    A piece of a random periodic curve whose waves fall as 1/frequency^1.5: it bends and lingers
    like a hand, has no corners, and neither starts nor ends at rest.

    Args:
        random: where the amplitudes come from.
        reach: the largest distance from the mean position, HR pixels.

    Returns:
        (points, 2) positions at equal times, (row, col) from their mean.
    """
    waves = np.arange(1, _PATH_WAVES + 1)
    times = (np.arange(_PATH_POINTS) + 0.5) / _PATH_POINTS
    phases = 2 * np.pi * _PATH_PERIODS * np.outer(times, waves)
    curves = np.concatenate([np.cos(phases), np.sin(phases)], axis=1)
    amplitudes = random.standard_normal((2, _PATH_WAVES, 2)) / waves[:, None] ** 1.5
    path: NDArray[np.float64] = curves @ amplitudes.reshape(2 * _PATH_WAVES, 2)
    path -= path.mean(axis=0)
    path *= reach / np.hypot(path[:, 0], path[:, 1]).max()
    return path


def path_kernel(path: NDArray[np.float64], size: int, scale: int) -> NDArray[np.float64]:
    """Turn a path into a kernel, each point a cubic B-spline on the taps.

    The spline is scale/2 px a knot. Its sum, mean and variance do not depend on where between the
    taps a point lies, so the kernel has the path's mean and its covariance plus (scale/2)²/3
    exactly, and moving the path by a part of a pixel moves the kernel by just that.

    Args:
        path: (points, 2), (row, col) from the kernel's centre.
        size: side of the kernel; what lies outside is cut.
        scale: how many times smaller the LR image is.
    """
    knot = max(1, scale // 2)  # whole pixels, or the promise above fails
    taps = np.arange(size)[:, None] - target_centre(size, scale)
    rows, cols = (_cubic_spline((taps - path[:, axis]) / knot) for axis in (0, 1))
    return _normalised(rows @ cols.T)


def resampler(name: str, size: int, scale: int) -> NDArray[np.float64]:
    """Sample the antialiased kernel of a usual downscaler, widened by `scale`.

    Args:
        name: one of `kernels.shapes.RESAMPLERS`.
        size: side of the kernel; it must hold 2·scale, 4·scale or 6·scale taps.
        scale: how many times smaller the LR image is.
    """
    taps = RESAMPLERS[name]((np.arange(size) - target_centre(size, scale)) / scale)
    return _normalised(np.outer(taps, taps))


def _cubic_spline(t: NDArray[np.float64]) -> NDArray[np.float64]:
    t = np.abs(t)
    near = 2 / 3 - t**2 + t**3 / 2
    return np.where(t < 1, near, np.maximum(2 - t, 0.0) ** 3 / 6)


def _normalised(array: NDArray[np.float64]) -> NDArray[np.float64]:
    total = float(array.sum())
    normalised: NDArray[np.float64] = array / total
    return normalised
