"""Block spectra: the mean power spectrum of a photo, over its small overlapping blocks.

One pass over strips of the photo, so that memory does not grow with it. Blocks that cannot tell
about the blur are left out: pixels that are clipped or copies of their neighbours (letterbox bars,
drawn areas, burnt-out skies) were not made by a kernel.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernelgan_fast.errors import ImageError, InputError

BLOCK = 32
SMALLEST_SIDE = 48

_STEP = BLOCK // 2
# More blocks than this cost time and change nothing: on larger photos they lie further apart.
_MOST_BLOCKS = 4096

_WEIGHTS = {
    "grey": (0.299, 0.587, 0.114),
    "red": (1.0, 0.0, 0.0),
    "green": (0.0, 1.0, 0.0),
    "blue": (0.0, 0.0, 1.0),
}
CHANNELS = tuple(_WEIGHTS)

# The largest part of a block's pixels that may be clipped, or equal to both earlier neighbours.
_MOST_CLIPPED = 0.05
_MOST_FLAT = 0.25
_FEWEST, _FEWEST_SHARE = 4, 0.02

Spectrum = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BlockSpectrum:
    """The mean power spectrum of a region.

    Attributes:
        power: (32, 17) float64, as from numpy.fft.rfft2, in squared grey levels of 0..255; white
            noise of variance v adds v everywhere.
        blocks: how many blocks were averaged.
        rejected: the part of all blocks that was left out, in [0, 1].
        relaxed: too few blocks passed, so all that have any contrast were taken.
    """

    power: Spectrum
    blocks: int
    rejected: float
    relaxed: bool


def block_spectrum(
    pixels: NDArray[Any],
    *,
    channel: str = "grey",
    threads: int = 1,
    ignored: NDArray[np.bool_] | None = None,
) -> BlockSpectrum:
    """Average the power spectra of a photo's blocks (32 px, Hann window, half overlapping).

    Args:
        pixels: (H, W, 3) uint8, or float32 in [0, 1]; at least 48 px a side; never written to.
        channel: "grey", "red", "green" or "blue".
        threads: how many strips are worked on at a time; the result does not depend on it.
        ignored: (H, W), true where pixels do not belong to the photo; blocks with any are left out.

    Returns:
        The spectrum.

    Raises:
        ImageError: wrong shape or dtype, too small, or without contrast.
        InputError: an unknown channel, or no thread.
    """
    whole = region_spectra(pixels, (1, 1), channel=channel, threads=threads, ignored=ignored)[0][0]
    if whole is None:
        raise ImageError(
            "a photo must have contrast, got one of a single grey value; use another photo"
        )
    return whole


def region_spectra(
    pixels: NDArray[Any],
    grid: tuple[int, int],
    *,
    channel: str = "grey",
    threads: int = 1,
    ignored: NDArray[np.bool_] | None = None,
) -> list[list[BlockSpectrum | None]]:
    """Average block spectra by region of a grid, in one pass; see `block_spectrum`.

    Args:
        pixels, channel, threads, ignored: as for `block_spectrum`.
        grid: (rows, cols) of regions of equal size. A block belongs where its centre lies.

    Returns:
        A list of rows; None where no block has any contrast.

    Raises:
        ImageError: wrong shape or dtype, or too small.
        InputError: an unknown channel, no thread, or a grid without regions.
    """
    _check(pixels, channel, threads)
    if min(grid) < 1:
        raise InputError(f"a grid must have at least 1 row and 1 column, got {grid}")
    height, width = pixels.shape[:2]
    step = max(_STEP, math.ceil(math.sqrt(height * width / _MOST_BLOCKS)))
    tops, lefts = _corners(height, step), _corners(width, step)
    regions = [
        np.minimum((corners + BLOCK // 2) * parts // side, parts - 1)
        for corners, parts, side in ((tops, grid[0], height), (lefts, grid[1], width))
    ]
    sums = [[_Sums() for _ in range(grid[1])] for _ in range(grid[0])]
    weights = np.array(_WEIGHTS[channel], dtype=np.float32)

    def strip(top: int) -> list[_Sums]:
        rows = slice(top, top + BLOCK)
        outside = None if ignored is None else ignored[rows]
        return _strip_sums(pixels[rows], lefts, regions[1], grid[1], weights, outside)

    # Added up in the order of the strips, so that the result does not depend on the threads.
    for row, part in zip(regions[0], _in_order(strip, tops, threads), strict=True):
        for total, some in zip(sums[row], part, strict=True):
            total.add(some)
    return [[total.spectrum() for total in line] for line in sums]


def _check(pixels: NDArray[Any], channel: str, threads: int) -> None:
    if channel not in _WEIGHTS:
        raise InputError(f"channel must be one of {', '.join(CHANNELS)}, got {channel!r}")
    if threads < 1:
        raise InputError(f"threads must be at least 1, got {threads}")
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype not in (np.uint8, np.float32):
        raise ImageError(
            "a photo must be (height, width, 3) of uint8 or float32, "
            f"got {pixels.shape} of {pixels.dtype}; convert it"
        )
    if min(pixels.shape[:2]) < SMALLEST_SIDE:
        raise ImageError(
            f"a photo must be at least {SMALLEST_SIDE} px a side for a spectrum, "
            f"got {pixels.shape[0]} x {pixels.shape[1]}; use a larger photo"
        )


class _Sums:
    """Sums over blocks: those that passed, and those that have any contrast at all."""

    def __init__(self) -> None:
        self.passed: Spectrum = np.zeros((BLOCK, BLOCK // 2 + 1))
        self.any: Spectrum = np.zeros((BLOCK, BLOCK // 2 + 1))
        self.passed_count = self.any_count = self.all_count = 0

    def add(self, other: _Sums) -> None:
        self.passed += other.passed
        self.any += other.any
        self.passed_count += other.passed_count
        self.any_count += other.any_count
        self.all_count += other.all_count

    def spectrum(self) -> BlockSpectrum | None:
        if self.any_count == 0:
            return None
        relaxed = self.passed_count < max(_FEWEST, _FEWEST_SHARE * self.all_count)
        if relaxed:
            total, count = self.any, self.any_count
        else:
            total, count = self.passed, self.passed_count
        return BlockSpectrum(total / count, count, 1 - count / self.all_count, relaxed)


def _strip_sums(
    pixels: NDArray[Any],
    lefts: NDArray[np.intp],
    regions: NDArray[np.intp],
    count: int,
    weights: NDArray[np.float32],
    ignored: NDArray[np.bool_] | None,
) -> list[_Sums]:
    """The sums of one strip of blocks, by region."""
    unit = np.float32(1 if pixels.dtype == np.uint8 else 255)
    # One plane after the other is several times faster than a product over the last axis.
    grey: NDArray[np.float32] = pixels[:, :, 0] * (weights[0] * unit)
    for channel in (1, 2):
        if weights[channel]:
            grey += pixels[:, :, channel] * (weights[channel] * unit)
    flat = np.zeros(grey.shape, dtype=bool)
    flat[1:, 1:] = (grey[1:, 1:] == grey[:-1, 1:]) & (grey[1:, 1:] == grey[1:, :-1])
    clipped = (grey <= 0.5) | (grey >= 254.5)
    contrast = _share(flat, lefts) < (1 - 1 / BLOCK) ** 2 - 1e-9
    passed = (_share(flat, lefts) <= _MOST_FLAT) & (_share(clipped, lefts) <= _MOST_CLIPPED)
    if ignored is not None:
        inside = _share(ignored, lefts) == 0
        contrast, passed = contrast & inside, passed & inside
    blocks = np.lib.stride_tricks.sliding_window_view(grey, BLOCK, axis=1)[:, lefts]
    transformed = np.fft.rfft2(blocks.transpose(1, 0, 2) * _window())
    power = transformed.real**2 + transformed.imag**2
    sums = []
    for region in range(count):
        here = regions == region
        some = _Sums()
        some.all_count = int(here.sum())
        for mask, name in ((here & passed, "passed"), (here & contrast, "any")):
            setattr(some, name, power[mask].sum(axis=0, dtype=np.float64))
            setattr(some, f"{name}_count", int(mask.sum()))
        sums.append(some)
    return sums


def _share(mask: NDArray[np.bool_], lefts: NDArray[np.intp]) -> NDArray[np.float64]:
    """By block, the part of its pixels at which `mask` holds."""
    running = np.concatenate([[0], np.cumsum(mask.sum(axis=0))])
    share: NDArray[np.float64] = (running[lefts + BLOCK] - running[lefts]) / BLOCK**2
    return share


def _window() -> NDArray[np.float32]:
    line = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(BLOCK) / BLOCK)
    window: NDArray[np.float32] = (np.outer(line, line) / (line**2).sum()).astype(np.float32)
    return window


def _corners(side: int, step: int) -> NDArray[np.intp]:
    """Corners at about equal distances, the first and the last block at the photo's borders."""
    count = (side - BLOCK) // step + 1
    return np.linspace(0, side - BLOCK, max(count, 2)).astype(np.intp)


def _in_order(strip: Any, tops: NDArray[np.intp], threads: int) -> Iterator[list[_Sums]]:
    if threads == 1:
        yield from map(strip, tops)
        return
    with ThreadPoolExecutor(threads) as pool:
        # A few strips ahead of the sum, no more: each holds its blocks.
        for first in range(0, len(tops), 4 * threads):
            yield from pool.map(strip, tops[first : first + 4 * threads])
