"""The closed-form estimator: a kernel from a photo's power spectrum, in a fraction of a second.

Natural images have power spectra close to a power law; a kernel bends them, and folding them at
the LR photo's lower rate adds aliases. `estimate_spectral` fits that model and draws the kernel,
`estimate_tiles` does so for every part of a photo.
"""

from __future__ import annotations

from kernelgan_fast.estimation.spectral.blocks import CHANNELS, SMALLEST_SIDE
from kernelgan_fast.estimation.spectral.estimate import (
    FitQuality,
    SpectralEstimate,
    estimate_spectral,
    estimate_spectral_scales,
)
from kernelgan_fast.estimation.spectral.tiles import TileMap, estimate_tiles, grid_for

__all__ = [
    "CHANNELS",
    "SMALLEST_SIDE",
    "FitQuality",
    "SpectralEstimate",
    "TileMap",
    "estimate_spectral",
    "estimate_spectral_scales",
    "estimate_tiles",
    "grid_for",
]
