"""A kernel per region of a photo: lenses blur more in the corners."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernelgan_fast.errors import ImageError
from kernelgan_fast.estimation.spectral.blocks import BlockSpectrum, region_spectra
from kernelgan_fast.estimation.spectral.estimate import (
    SpectralEstimate,
    checked_size,
    estimate_from_spectrum,
)
from kernelgan_fast.estimation.spectral.fit import Expected, fit_shapes
from kernelgan_fast.estimation.spectral.model import frequencies
from kernelgan_fast.kernels.blur_kernel import BlurKernel

Array = NDArray[np.float64]

# How far a tile's widths are expected to lie from the photo's, as a factor: 30 %.
_LOG_WIDTH_SPREAD = 0.3
_FEWEST_BLOCKS = 4

# Regions of `grid_for`: from this side on widths err by 5 % or less (docs/accuracy.md).
SMALLEST_REGION, _MOST_SHORT, _MOST_LONG = 160, 7, 15


@dataclass(frozen=True, eq=False)
class TileMap:
    """Kernels by region.

    Attributes:
        whole: the estimate of the whole photo.
        tiles: rows of estimates; None where a region shows too little to tell.
        widths: (rows, cols, 3) of the tiles' covariances: major and minor width in HR pixels,
            angle of the major one in degrees (see `BlurKernel.widths`); NaN where unknown.
        photo: (height, width) of the photo in pixels.
    """

    whole: SpectralEstimate
    tiles: tuple[tuple[SpectralEstimate | None, ...], ...]
    widths: Array
    photo: tuple[int, int]

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, cols)."""
        return len(self.tiles), len(self.tiles[0])

    @property
    def edges(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Where regions begin and the last ends, in photo pixels, (rows + 1) and (cols + 1)."""
        first, second = (
            np.arange(parts + 1) * side // parts
            for parts, side in zip(self.grid, self.photo, strict=True)
        )
        return first, second

    def kernel(self, row: int, col: int) -> BlurKernel:
        """The kernel of a region; the whole photo's where the region shows too little."""
        tile = self.tiles[row][col]
        return self.whole.kernel if tile is None else tile.kernel


def grid_for(height: int, width: int) -> tuple[int, int]:
    """Choose a grid for a photo: odd numbers, so that there is a middle, regions about square.

    Args:
        height, width: of the photo in pixels.

    Returns:
        (rows, cols), each 1 or more; regions of at least 160 px across the shorter side.
    """
    short, long = sorted((height, width))
    few = _odd(min(short // SMALLEST_REGION, _MOST_SHORT))
    many = _odd(min(few * long / short + 1, _MOST_LONG))
    return (few, many) if height <= width else (many, few)


def estimate_tiles(
    pixels: NDArray[Any],
    grid: tuple[int, int],
    *,
    scale: int = 2,
    size: int | None = None,
    channel: str = "grey",
    threads: int = 1,
) -> TileMap:
    """Estimate a kernel for every region of a photo, in one pass over it.

    A region's kernel and image spectrum are expected near those of the whole photo, so that
    regions with little to see stay with it.

    Args:
        pixels, scale, size, channel, threads: as for `estimate_spectral`.
        grid: (rows, cols) of regions of equal size.

    Returns:
        The map.

    Raises:
        ImageError: the photo has a wrong shape or dtype, is too small, or has no contrast.
        InputError: scale, size, channel, threads or grid is out of range.
    """
    size = checked_size(scale, size)
    regions = region_spectra(pixels, grid, channel=channel, threads=threads)
    spectrum = _together([region for line in regions for region in line if region is not None])
    whole = estimate_from_spectrum(spectrum, scale, size)
    gaussian = fit_shapes(spectrum.power, frequencies(scale))[0]
    expected = Expected(gaussian.parameters, _LOG_WIDTH_SPREAD)
    tiles = tuple(
        tuple(
            None
            if region is None or region.relaxed or region.blocks < _FEWEST_BLOCKS
            else estimate_from_spectrum(region, scale, size, expected)
            for region in line
        )
        for line in regions
    )
    widths = np.full((*grid, 3), np.nan)
    for row, line in enumerate(tiles):
        for col, tile in enumerate(line):
            if tile is not None:
                widths[row, col] = tile.widths
    return TileMap(whole, tiles, widths, (pixels.shape[0], pixels.shape[1]))


def _odd(count: float) -> int:
    """The largest odd number that is not above; at least 1."""
    return max(2 * int((count + 1) // 2) - 1, 1)


def _together(regions: list[BlockSpectrum]) -> BlockSpectrum:
    """The spectrum of several regions as one."""
    sure = [region for region in regions if not region.relaxed] or regions
    if not sure:
        raise ImageError(
            "a photo must have contrast, got one of a single grey value; use another photo"
        )
    blocks = np.array([region.blocks for region in sure])
    power = np.tensordot(blocks / blocks.sum(), np.array([region.power for region in sure]), 1)
    everything = sum(region.blocks / (1 - region.rejected) for region in regions)
    rejected = 1 - float(blocks.sum()) / everything
    return BlockSpectrum(power, int(blocks.sum()), rejected, sure[0].relaxed)
