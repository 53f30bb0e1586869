"""The default method: the kernel in closed form from the spectrum of the photo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from kernelgan_fast.estimation.estimator import Found, Prepared
from kernelgan_fast.estimation.spectral.estimate import SpectralEstimate, estimate_spectral_scales
from kernelgan_fast.estimation.spectral.tiles import SMALLEST_REGION, estimate_tiles, grid_for

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kernelgan_fast.estimation.capacity import MemoryBudget
    from kernelgan_fast.estimation.estimator import TrainProgress
    from kernelgan_fast.estimation.options import EstimateOptions


class SpectralEstimator:
    """Estimates kernels while photos are prepared, one by one; a batch has nothing left to do.

    Args:
        options: `scale`, `tiles` and `threads` apply.
    """

    def __init__(self, options: EstimateOptions) -> None:
        self._options = options

    def prepare(self, pixels: NDArray[np.generic]) -> Prepared:
        """See `Estimator`."""
        options = self._options
        spectra = spectra_of(pixels, options)
        grid = options.tiles
        if grid is None:
            return Prepared(spectra=spectra)
        if isinstance(grid, str):
            grid = grid_for(*pixels.shape[:2])
        tiles = estimate_tiles(pixels, grid, scale=options.scale, threads=options.threads)
        notes: tuple[str, ...] = ()
        if options.tiles == "auto" and tiles.grid == (1, 1):
            notes = (
                f"tiles need {SMALLEST_REGION} px per side, so there is one; a grid such as 3x3 "
                "gives smaller ones with larger errors",
            )
        # Both hold the kernel of the whole photo; they differ by rounding.
        tiles = replace(tiles, whole=spectra[options.scale])
        return Prepared(spectra=spectra, tiles=tiles, notes=notes)

    def find(
        self,
        photos: Sequence[Prepared],
        progress: TrainProgress | None,
        *,
        device: str = "cpu",
        budget: MemoryBudget | None = None,
    ) -> tuple[list[Found], tuple[str, ...]]:
        """See `Estimator`."""
        return [found_by_spectrum(photo.spectra, self._options.scale) for photo in photos], ()


def spectra_of(
    pixels: NDArray[np.generic], options: EstimateOptions
) -> Mapping[int, SpectralEstimate]:
    """Estimate at scale 2 and at the scale of the options."""
    scales = sorted({2, options.scale})
    return estimate_spectral_scales(pixels, scales, threads=options.threads)


def found_by_spectrum(spectra: Mapping[int, SpectralEstimate], scale: int) -> Found:
    """Convert the spectral estimates of a photo."""
    return Found(
        kernels={each: found.kernel for each, found in spectra.items()},
        raw=np.stack([spectra[2].kernel.array]),
        expected_error=spectra[2].quality.expected_error,
        warnings=spectra[scale].warnings,
    )
