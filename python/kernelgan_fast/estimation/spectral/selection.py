"""The kernel to enlarge a photo with: the one with the smallest expected loss of the result.

The most accurate kernel is not the best one to enlarge with. A kernel that is 15 % too wide costs
several times what one that is 15 % too narrow costs, and a photo whose own detail is soft (as
cameras and their processing leave it) looks like a sharp photo with a wider kernel. So the
estimate is made narrower where it is uncertain in this way, and the bicubic kernel replaces it
where the picture has no natural spectrum.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernelgan_fast.analysis import PhotoAnalysis
from kernelgan_fast.estimation.spectral.estimate import SpectralEstimate
from kernelgan_fast.estimation.spectral.shapes import SHAPES, draw
from kernelgan_fast.kernels.blur_kernel import BlurKernel
from kernelgan_fast.kernels.geometry import RESAMPLERS

Array = NDArray[np.float64]

# By scale, measured in docs/in_the_wild.md: the narrowest kernel that is chosen, relative to the
# estimate's width, and the standard errors of the width by which every kernel is narrower.
_NARROWEST = {1: 0.8, 2: 0.8, 3: 0.75, 4: 0.75}
_CAUTION = {1: 0.0, 2: 0.0, 3: 0.5, 4: 1.0}

# Standard error of the logarithm of the width: below the first value the width is certain, above
# the second it is not.
_CERTAIN, _UNCERTAIN = 0.045, 0.065

# Noise that the fit finds by what smooth blocks show: the excess is detail or processing.
# The limits hold for quiet and for noisy photos; between them they change with the noise.
_EXCESS_QUIET, _EXCESS_NOISY = (1.25, 1.5), (1.06, 1.10)
_QUIET, _NOISY = 0.5, 1.0

# What white noise per channel leaves in the grey image, and the noise of rounding there.
_GREY_SHARE, _GREY_ROUNDING = 0.669, 0.19

# Mean widths beyond this many pixels of the photo are no downscaling kernel alone, and neither is
# an axis longer than the last value: where the kernel is doubted, it is cut to that.
_WIDE, _TOO_WIDE, _LONGEST_AXIS = 1.2, 1.45, 1.25

# Exponents of the image's power law beyond which part of it is blur.
_STEEP, _TOO_STEEP, _STEEP_SHARE = 3.15, 3.45, 0.3

# JPEG leaves little noise in the highest frequencies; what the fit finds there by the noise before
# compression is texture, which makes the kernel look wide at scale 4.
_TEXTURE, _MUCH_TEXTURE = 0.25, 0.4

# The expected error grows with the compression level L as exp(_COMPRESSION_ERROR L).
_COMPRESSION_ERROR = 2.0

# The model does not describe the spectrum: the kernel is not to be trusted at all.
_POOR_FIT, _NO_FIT = 0.55, 0.8

# Grey levels that a photo's hidden processing counts as, and the kernel error that it adds.
_PROCESSING_NOISE, _PROCESSED_BELOW, _NOT_PROCESSED = 5.0, 0.4, 0.7
_ADDED_ERROR = 0.3

# A photo that was enlarged before counts as processed by this part.
_ENLARGED_SHARE = 0.7

# Motion is believed of photos that are at least this good.
_MOTION_QUALITY, _MOTION_NOISE = 85, 3.0


@dataclass(frozen=True, eq=False)
class SelectedKernel:
    """A kernel to enlarge with.

    Attributes:
        kernel: with the smallest expected loss.
        error: relative L2 error to expect of it.
        noise: grey levels to add (in squares) to the photo's noise.
        narrowed: its width relative to the estimate's; 1 if it is the estimate.
        replaced: whether the bicubic kernel took its place.
    """

    kernel: BlurKernel
    error: float
    noise: float = 0.0
    narrowed: float = 1.0
    replaced: bool = False

    def facts(self) -> dict[str, object]:
        """Values for a record."""
        return {
            "expected_error": round(self.error, 4),
            "added_noise": round(self.noise, 3),
            "narrowed": round(self.narrowed, 4),
            "replaced_by_bicubic": self.replaced,
        }


def select_kernel(estimate: SpectralEstimate, analysis: PhotoAnalysis) -> SelectedKernel:
    """Choose the kernel with the smallest expected loss of the enlarged photo.

    Args:
        estimate: the most accurate kernel.
        analysis: of the same photo.

    Returns:
        The estimate itself where it is certain; a narrower kernel, or the bicubic one, where not.
    """
    scale, size = estimate.kernel.scale, estimate.kernel.size
    error = estimate.quality.expected_error
    poor = _ramp(estimate.quality.residual, _POOR_FIT, _NO_FIT)
    if analysis.drawn or poor >= 1:
        return SelectedKernel(_bicubic(scale, size), _ADDED_ERROR, replaced=True)
    doubt, processed = _doubt(estimate, analysis)
    narrowed = _narrowed(estimate, doubt)
    values, axes = np.linalg.eigh(estimate.covariance)
    if doubt:
        values = np.minimum(values, (_LONGEST_AXIS * scale) ** 2)
    narrow = draw(SHAPES[0], (axes * values) @ axes.T * narrowed**2, scale, size)
    # Fixed shapes have no width of their own: they give way to a Gaussian little by little.
    gaussian = estimate.shape == SHAPES[0].name and narrowed < 1
    fully = gaussian or _unlikely_motion(estimate, analysis)
    share = 1.0 if fully else min(doubt / 0.3, 1.0)
    array = (1 - share) * estimate.kernel.array + share * narrow
    array = (1 - poor) * array + poor * _bicubic(scale, size).array
    error = min(error + _ADDED_ERROR * doubt, 1.0)
    kernel = BlurKernel(
        array / array.sum(),
        scale,
        provenance=estimate.kernel.provenance,
        expected_error=round(error, 4),
    )
    return SelectedKernel(
        kernel,
        error,
        noise=_PROCESSING_NOISE * processed,
        narrowed=narrowed,
    )


def expected_error(estimate: SpectralEstimate, analysis: PhotoAnalysis) -> float:
    """Expected error of an estimate, with what the compression of the photo adds to it.

    Args:
        estimate: Of the photo.
        analysis: Of the same photo.

    Returns:
        Relative L2 error, at most 1.
    """
    error = estimate.quality.expected_error
    if analysis.compression is not None:
        error *= math.exp(_COMPRESSION_ERROR * analysis.compression.level)
    return min(error, 1.0)


def _narrowed(estimate: SpectralEstimate, doubt: float) -> float:
    """Width of the kernel to enlarge with, relative to the estimate's."""
    narrowest = _NARROWEST[estimate.kernel.scale]
    error = min(float(np.mean(estimate.quality.width_errors)), 1.0)  # infinite if unknown
    cautious = math.exp(-_CAUTION[estimate.kernel.scale] * error)
    return max((1 - (1 - narrowest) * doubt) * cautious, narrowest)


def _doubt(estimate: SpectralEstimate, analysis: PhotoAnalysis) -> tuple[float, float]:
    """How far the width may include more than the kernel, and processing: both 0 to 1."""
    quality, noise = estimate.quality, analysis.noise.level
    widths = np.array(estimate.widths[:2]) / estimate.kernel.scale
    wide = _ramp(float(widths.mean()), _WIDE, _TOO_WIDE)
    uncertain = _ramp(float(np.mean(quality.width_errors)), _CERTAIN, _UNCERTAIN)
    expected = max(_GREY_SHARE * noise, _GREY_ROUNDING)
    if analysis.enlarged is not None:
        return 1.0, _ENLARGED_SHARE
    if analysis.compression is not None:
        texture = 0.0
        if estimate.kernel.scale == 4:
            texture = _ramp(estimate.noise / expected, _TEXTURE, _MUCH_TEXTURE)
        return max(wide, texture), 0.0
    noisy = _ramp(noise, _QUIET, _NOISY)
    limits = (1 - noisy) * np.array(_EXCESS_QUIET) + noisy * np.array(_EXCESS_NOISY)
    excess = _ramp(estimate.noise / expected, float(limits[0]), float(limits[1]))
    steep = _STEEP_SHARE * _ramp(estimate.exponent, _STEEP, _TOO_STEEP)
    doubt = max(excess * uncertain, wide, steep)
    quiet = 1 - _ramp(noise, _PROCESSED_BELOW, _NOT_PROCESSED)
    return doubt, max(excess * uncertain, wide) * quiet


def _unlikely_motion(estimate: SpectralEstimate, analysis: PhotoAnalysis) -> bool:
    """Whether blocks or noise may have been taken for the fringes of motion."""
    if estimate.shape != "motion":
        return False
    compressed = analysis.compression is not None and analysis.compression.quality < _MOTION_QUALITY
    return compressed or analysis.noise.level > _MOTION_NOISE


def _bicubic(scale: int, size: int) -> BlurKernel:
    shape = next(shape for shape in SHAPES if shape.profile is RESAMPLERS["bicubic"])
    return BlurKernel(draw(shape, np.eye(2), scale, size), scale, provenance={"shape": "bicubic"})


def _ramp(value: float, first: float, last: float) -> float:
    """0 up to `first`, 1 from `last` on, smooth in between."""
    part = min(max((value - first) / (last - first), 0.0), 1.0)
    return part * part * (3 - 2 * part) if math.isfinite(part) else 1.0
