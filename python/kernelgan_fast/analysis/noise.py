"""The noise of a photo: standard deviation per channel, and its growth with brightness.

White noise has the same variance in every coefficient of a block's cosine transform, while a
photo's detail is concentrated in the low ones. The noise is therefore read from the highest
coefficients of the blocks that have the least energy in the others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIDE = 8

# Radius of each coefficient in units of half a cycle per block.
ROWS, COLS = np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij")
RADIUS: NDArray[np.float64] = np.hypot(ROWS, COLS)


# Coefficients that measure the noise, and those that measure texture.
_HIGH = ROWS + COLS >= 9
_TEXTURE = (ROWS + COLS >= 1) & (ROWS + COLS <= 5)

# Blocks are taken this many pixels apart, further apart in large photos.
_STEP, _MOST_BLOCKS = 5, 16384
_SMOOTH_SHARE, _FEWEST_BLOCKS = 0.25, 64

# Texture adds energy to some coefficients only, so the mean of the lowest quarter counts.
_LOWEST_SHARE = 0.25

_MOST_CLIPPED = 0.05
_BINS, _BIN_BLOCKS = 6, 48


def levels(pixels: NDArray[np.generic]) -> NDArray[np.float32]:
    """Give pixels in grey levels of 0 to 255.

    Args:
        pixels: uint8, or floating point in [0, 1], of any shape.

    Returns:
        float32 of the same shape.
    """
    if pixels.dtype == np.uint8:
        return pixels.astype(np.float32)
    return pixels.astype(np.float32) * np.float32(255)


def luma(pixels: NDArray[np.generic]) -> NDArray[np.float32]:
    """Give the luma of JPEG (BT.601, full range) in grey levels of 0 to 255.

    Args:
        pixels: (H, W, 3), uint8, or floating point in [0, 1].

    Returns:
        (H, W) float32.
    """
    return _weighted(pixels, (0.299, 0.587, 0.114))


def mean_level(pixels: NDArray[np.generic]) -> NDArray[np.float32]:
    """Give the mean of the channels in grey levels of 0 to 255; see `luma`."""
    return _weighted(pixels, (1 / 3, 1 / 3, 1 / 3))


def _weighted(
    pixels: NDArray[np.generic], weights: tuple[float, float, float]
) -> NDArray[np.float32]:
    total = np.zeros(pixels.shape[:2], np.float32)
    for channel, weight in enumerate(weights):
        total += np.float32(weight) * levels(pixels[:, :, channel])
    return total


def tiled(plane: NDArray[np.float32], top: int = 0, left: int = 0) -> NDArray[np.float32]:
    """Cut a plane into adjacent 8 x 8 blocks.

    Args:
        plane: (H, W).
        top, left: first row and column of the grid, 0 to 7.

    Returns:
        (N, 8, 8), row by row; incomplete blocks are left out.
    """
    plane = plane[top:, left:]
    rows, cols = (side // SIDE for side in plane.shape)
    plane = plane[: rows * SIDE, : cols * SIDE]
    return plane.reshape(rows, SIDE, cols, SIDE).swapaxes(1, 2).reshape(-1, SIDE, SIDE)


def transform(blocks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute the orthonormal DCT-II of blocks.

    Args:
        blocks: (N, 8, 8).

    Returns:
        (N, 8, 8) coefficients. White noise of variance v has variance v in each.
    """
    basis = _basis()
    coefficients: NDArray[np.float32] = np.einsum(
        "ui,nij,vj->nuv", basis, blocks, basis, optimize=True
    )
    return coefficients


def _basis() -> NDArray[np.float32]:
    places = np.arange(SIDE)
    basis = np.cos(np.pi * places[:, None] * (places + 0.5) / SIDE) * np.sqrt(2 / SIDE)
    basis[0] /= np.sqrt(2)
    rounded: NDArray[np.float32] = basis.astype(np.float32)
    return rounded


@dataclass(frozen=True)
class Noise:
    """Noise of a photo, in grey levels of 255.

    Attributes:
        channels: standard deviation in red, green and blue, averaged over the brightness of the
            photo. A channel that cannot be measured, because it is clipped or has one value, is
            given the mean of the others.
        constant: standard deviation at black, averaged over the channels.
        slope: growth of the variance with brightness, in squared grey levels per grey level.
        measured: False where the photo does not show its noise, because too few blocks are free
            of clipped values or because compression removed it; the values are then upper bounds.
    """

    channels: tuple[float, float, float]
    constant: float
    slope: float
    measured: bool = True

    @property
    def level(self) -> float:
        """Root mean square of the channels."""
        return math.sqrt(sum(value**2 for value in self.channels) / 3)

    def facts(self) -> dict[str, object]:
        """Values for a record."""
        return {
            "channels": [round(value, 3) for value in self.channels],
            "constant": round(self.constant, 3),
            "slope": round(self.slope, 5),
            "measured": self.measured,
        }


def measure_noise(pixels: NDArray[np.generic]) -> Noise:
    """Measure the noise of a photo that was not compressed with loss.

    Args:
        pixels: (H, W, 3), uint8, or floating point in [0, 1]; sides of at least 16 px.

    Returns:
        The noise. Of 18 photos with white noise of 1 to 25 grey levels, half are within 5 % and
        nine tenths within 20 % of the truth (docs/in_the_wild.md).
    """
    planes = (levels(pixels[:, :, channel]) for channel in range(3))
    found = [_channel_noise(plane) for plane in planes]
    measured = [each for each in found if each is not None]
    if not measured:
        return Noise((0.0, 0.0, 0.0), 0.0, 0.0, measured=False)
    variance, constant, slope = (float(value) for value in np.mean(measured, axis=0))
    red, green, blue = (math.sqrt(variance if each is None else each[0]) for each in found)
    return Noise((red, green, blue), math.sqrt(constant), slope)


def _channel_noise(plane: NDArray[np.float32]) -> tuple[float, float, float] | None:
    """Variance, and the constant and the slope of its linear growth with brightness.

    None if too few blocks have values that are neither clipped nor all the same.
    """
    blocks = _sampled(plane)
    clipped = ((blocks <= 0.5) | (blocks >= 254.5)).mean(axis=(1, 2)) > _MOST_CLIPPED
    constant = np.ptp(blocks, axis=(1, 2)) == 0
    usable = blocks[~(clipped | constant)]
    if len(usable) < 4:
        return None
    coefficients = transform(usable)
    texture = np.square(coefficients[:, _TEXTURE]).sum(axis=1)
    energy = np.square(coefficients[:, _HIGH])
    brightness = usable.mean(axis=(1, 2))
    count = min(max(int(len(usable) * _SMOOTH_SHARE), _FEWEST_BLOCKS), len(usable))
    smooth = np.argpartition(texture, count - 1)[:count]
    variance = _floor(energy[smooth])
    base, slope = _growth(brightness, texture, energy, variance)
    return variance, base, slope


def _growth(
    brightness: NDArray[np.float32],
    texture: NDArray[np.float32],
    energy: NDArray[np.float32],
    overall: float,
) -> tuple[float, float]:
    """Fit variance = base + slope * brightness through bins of brightness; both at least 0."""
    order = np.argsort(brightness)
    means, floors, counts = [], [], []
    for part in np.array_split(order, _BINS):
        count = max(int(len(part) * _SMOOTH_SHARE), _BIN_BLOCKS)
        if len(part) < count:
            continue
        smooth = part[np.argpartition(texture[part], count - 1)[:count]]
        means.append(float(brightness[smooth].mean()))
        floors.append(_floor(energy[smooth]))
        counts.append(count)
    if len(means) < 3 or max(means) - min(means) < 40:
        return overall, 0.0
    # A variance is uncertain in proportion to itself.
    weights = np.sqrt(counts) / (np.array(floors) + 0.1 * overall + 1e-9)
    slope, base = np.polyfit(means, floors, 1, w=weights)
    if slope <= 0 or base <= 0:
        ratio = np.average(np.array(floors) / np.array(means), weights=weights)
        return (overall, 0.0) if slope <= 0 else (0.0, float(ratio))
    return float(base), float(slope)


def _floor(energy: NDArray[np.float32]) -> float:
    """Variance of the noise from (N, M) squared coefficients of smooth blocks."""
    by_coefficient = np.sort(energy.mean(axis=0, dtype=np.float64))
    lowest = by_coefficient[: max(int(len(by_coefficient) * _LOWEST_SHARE), 1)]
    return float(lowest.mean())


def _sampled(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = plane.shape
    step = max(_STEP, math.ceil(math.sqrt(height * width / _MOST_BLOCKS)))
    windows = np.lib.stride_tricks.sliding_window_view(plane, (SIDE, SIDE))[::step, ::step]
    return windows.reshape(-1, SIDE, SIDE)
