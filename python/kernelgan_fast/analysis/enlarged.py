"""Recognise a photo that was enlarged earlier, by the rhythm that interpolation leaves.

Interpolated pixels lie at a few distances from the pixels that they come from, which repeat with
the period of the enlargement. So does the mean difference of neighbours along a row.

Source: Gallagher, "Detection of linear and cubic interpolation in JPEG compressed images",
    CRV 2005, here with first differences, which also show a factor of 2 with half-pixel centres.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_SIDE = 64

# Differences count up to this many grey levels, so that single edges do not decide.
_MOST_DIFFERENCE, _LEAST_DIFFERENCE = 12.0, 0.05
_SMOOTHING = 9

# Power at the frequency of a factor, relative to the median power. Photos that were never enlarged
# stay below 10; the grid of JPEG, halved twice, reaches 200 at 1/4 and 130 at 1/2 cycle per pixel.
_LEAST_POWER, _LEAST_QUARTER, _LEAST_FINE = 50.0, 300.0, 100.0
_DOMINANCE = 10.0


def earlier_enlargement(grey: NDArray[np.float32]) -> float | None:
    """Find the factor by which a photo was enlarged earlier, if it was by 1.5, 2, 3 or 4.

    Args:
        grey: (H, W) in grey levels of 0 to 255.

    Returns:
        The factor; None if the photo shows none, or has a side below 64 px. Factors of 1.5 and 3
        leave the same rhythm and are told apart by the energy that a factor of 3 cannot leave.
    """
    if min(grey.shape) < _SIDE:
        return None
    half, third, quarter = _powers(grey, order=1)
    fine_third = _powers(grey, order=4)[1]
    if quarter > _LEAST_QUARTER:
        return 4.0
    if half > max(_LEAST_POWER, _DOMINANCE * quarter, third):
        return 2.0
    if third > max(_LEAST_POWER, half, quarter) or fine_third > _LEAST_FINE:
        return 1.5 if _fine_share(grey) > _FINE_SHARE else 3.0
    return None


def _powers(grey: NDArray[np.float32], order: int) -> list[float]:
    """Power of the mean absolute difference at 1/2, 1/3 and 1/4 cycle per pixel.

    Args:
        grey: (H, W).
        order: of the differences. High orders see what good interpolation leaves, such as Lanczos.

    Returns:
        Relative to the median power, the smaller one of rows and columns.
    """
    along = [_rhythm(turned, order) for turned in (grey, grey.T)]
    return [min(_power(line, frequency) for line in along) for frequency in (1 / 2, 1 / 3, 1 / 4)]


def _rhythm(plane: NDArray[np.float32], order: int) -> NDArray[np.float32]:
    difference = np.minimum(np.abs(np.diff(plane, order, axis=1)), _MOST_DIFFERENCE)
    along = np.log(difference.mean(axis=0) + _LEAST_DIFFERENCE)
    padded = np.pad(along, _SMOOTHING // 2, mode="edge")
    rhythm: NDArray[np.float32] = along - np.convolve(
        padded, np.full(_SMOOTHING, 1 / _SMOOTHING), "valid"
    )
    return rhythm


def _power(along: NDArray[np.float32], frequency: float) -> float:
    power = np.abs(np.fft.rfft(along * np.hanning(len(along)))) ** 2
    frequencies = np.fft.rfftfreq(len(along))
    near = np.abs(frequencies - frequency) < 1.6 / len(along)
    background = float(np.median(power[frequencies > 0.15]))
    return float(power[near].max()) / max(background, 1e-12)


# Share of the energy of first differences beyond 0.2 cycles per pixel: after a factor of 3 only
# what interpolation left of frequencies up to 1/6.
_FINE_SHARE = 0.01


def _fine_share(grey: NDArray[np.float32]) -> float:
    spectrum = np.abs(np.fft.rfft(np.diff(grey, axis=1), axis=1)) ** 2
    frequencies = np.fft.rfftfreq(grey.shape[1] - 1)
    total = spectrum.mean(axis=0)
    return float(total[frequencies > 0.2].sum() / max(total.sum(), 1e-12))
