"""From a photo to its kernel in closed form: block spectrum, one fit a shape, their mean."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernelgan_fast.errors import InputError
from kernelgan_fast.estimation.spectral.blocks import BlockSpectrum, block_spectrum
from kernelgan_fast.estimation.spectral.fit import (
    Expected,
    ShapeFit,
    fit_shapes,
    log_width_errors,
    probabilities,
)
from kernelgan_fast.estimation.spectral.model import NOISE, frequencies
from kernelgan_fast.estimation.spectral.shapes import Shape, default_size, draw
from kernelgan_fast.kernels.blur_kernel import BlurKernel, Widths, widths_of

Array = NDArray[np.float64]

LARGEST_SCALE = 8

_FEW_BLOCKS = 16
_MANY_REJECTED = 0.5
_POOR_FIT = 0.45
_UNSURE_WIDTH = 0.2
_UNSURE_SHAPE = 0.6

# Measured on 858 photos with kernels of all shapes, clean, noisy and compressed: how much of the
# residual turns up as an error of the kernel, and the error that remains when all is well.
_ERROR_BY_RESIDUAL = 0.4
_LEAST_ERROR = 0.08
# A path is more than its length and direction.
_MOTION_ERROR = 0.5


@dataclass(frozen=True)
class FitQuality:
    """How well the spectrum's model fits a photo, and how sure the kernel is.

    Attributes:
        residual: root mean square of what the model leaves unexplained, in units of the natural
            logarithm of the power spectrum; 0.2 is usual.
        blocks: how many blocks were averaged.
        rejected: the part of the blocks that was left out (flat or clipped), in [0, 1].
        width_errors: relative standard errors of the major and the minor width, from the
            curvature of the fit at its optimum.
        expected_error: the error ‖k̂ - k‖₂ / ‖k‖₂ to expect, as a root mean square: from the
            uncertain shape and widths, from the residual, and from what no model can know of a
            kernel. It ranks errors; it knows little of kernels outside the model, such as motion.
    """

    residual: float
    blocks: int
    rejected: float
    width_errors: tuple[float, float]
    expected_error: float


@dataclass(frozen=True, eq=False)
class SpectralEstimate:
    """The kernel that a photo's spectrum tells.

    Attributes:
        kernel: the mean of the shapes' kernels, each with its probability; centred exactly.
        covariance: (2, 2) of the likeliest of Gaussian, disk and motion, HR px² in the order
            (row, col); read-only.
        shape: the most probable shape: "gaussian", "disk", "motion", "bicubic", "lanczos", "box"
            or "bilinear".
        probabilities: of each shape, by name; sum 1.
        exponent: p of the image's power law, under the most probable shape.
        noise: standard deviation of the noise floor in grey levels of 0..255.
        quality: of the fit under the most probable shape.
        warnings: what may make the kernel less trustworthy, in words fit for a user.
    """

    kernel: BlurKernel
    covariance: Array
    shape: str
    probabilities: Mapping[str, float]
    exponent: float
    noise: float
    quality: FitQuality
    warnings: tuple[str, ...]

    @property
    def widths(self) -> Widths:
        """Standard deviations of `covariance` along its axes in HR px, and the angle."""
        return widths_of(self.covariance)

    def facts(self) -> dict[str, object]:
        """What a record keeps of it."""
        return {
            "shape": self.shape,
            "probabilities": {name: round(part, 4) for name, part in self.probabilities.items()},
            "exponent": round(self.exponent, 4),
            "noise": round(self.noise, 4),
            "residual": round(self.quality.residual, 4),
            "blocks": self.quality.blocks,
            "rejected": round(self.quality.rejected, 4),
            "expected_error": round(self.quality.expected_error, 4),
        }

    def __repr__(self) -> str:
        return (
            f"SpectralEstimate({self.kernel!r}, {self.shape} at "
            f"{self.probabilities[self.shape]:.0%}, residual {self.quality.residual:.2f})"
        )


def estimate_spectral(
    pixels: NDArray[Any],
    *,
    scale: int = 2,
    size: int | None = None,
    channel: str = "grey",
    threads: int = 1,
    ignored: NDArray[np.bool_] | None = None,
) -> SpectralEstimate:
    """Estimate the kernel that made a photo from its power spectrum, without training.

    Args:
        pixels: (H, W, 3) uint8, or float32 in [0, 1]; at least 48 px a side; never written to.
        scale: how many times smaller the photo is than the image it shall be enlarged to, 1 to 8.
        size: side of the kernel, odd; by default 6·scale + 1: 13 at scale 2, 25 at scale 4.
        channel: "grey", or "red", "green" or "blue" for the kernel of one colour.
        threads: how many strips of the photo are worked on at a time; the result is the same.
        ignored: (H, W), true where pixels do not belong to the photo, such as burnt-in text.

    Returns:
        The kernel, and how sure it is.

    Raises:
        ImageError: the photo has a wrong shape or dtype, is too small, or has no contrast.
        InputError: scale, size, channel or threads is out of range.

    Source: the power law of natural images is Field's (JOSA A 4, 1987), the choice between shapes
        by evidence MacKay's (Neural Computation 4, 1992). The model (equations in `model`) and
        its numbers are this project's, measured in docs/accuracy.md.
    """
    size = checked_size(scale, size)
    spectrum = block_spectrum(pixels, channel=channel, threads=threads, ignored=ignored)
    return estimate_from_spectrum(spectrum, scale, size)


def estimate_spectral_scales(
    pixels: NDArray[Any], scales: Sequence[int], *, threads: int = 1
) -> dict[int, SpectralEstimate]:
    """Do what `estimate_spectral` does for several scales, with one pass over the photo.

    Args:
        pixels, threads: as there.
        scales: each from 1 to 8.

    Returns:
        The estimates by scale, of default size.

    Raises:
        ImageError, InputError: as there.
    """
    sizes = {scale: checked_size(scale, None) for scale in scales}
    spectrum = block_spectrum(pixels, threads=threads)
    return {scale: estimate_from_spectrum(spectrum, scale, size) for scale, size in sizes.items()}


def checked_size(scale: int, size: int | None) -> int:
    """Check scale and size; give the size."""
    if isinstance(scale, bool) or not isinstance(scale, int) or not 1 <= scale <= LARGEST_SCALE:
        raise InputError(
            f"scale must be an integer from 1 to {LARGEST_SCALE} for a spectral kernel, "
            f"got {scale!r}; use 2 or 4"
        )
    size = default_size(scale) if size is None else size
    if size % 2 == 0 or size < 2 * scale + 1:
        raise InputError(
            f"the size of a kernel for scale {scale} must be odd and at least {2 * scale + 1}, "
            f"got {size}; leave it out for {default_size(scale)}"
        )
    return size


def estimate_from_spectrum(
    spectrum: BlockSpectrum, scale: int, size: int, expected: Expected | None = None
) -> SpectralEstimate:
    """Fit the model to a block spectrum and draw the kernel; see `estimate_spectral`."""
    fits = fit_shapes(spectrum.power, frequencies(scale), expected)
    likely = probabilities(fits)
    kernels = [draw(fit.shape, fit.covariance, scale, size) for fit in fits]
    array = np.tensordot(likely, np.array(kernels), 1)
    best = fits[int(likely.argmax())]
    # Widths are told by the likelier of the shapes that have any.
    scaling = max((fit for fit in fits if fit.shape.scales), key=lambda fit: fit.log_evidence)
    covariance = scaling.covariance
    covariance.setflags(write=False)
    quality = FitQuality(
        residual=best.residual,
        blocks=spectrum.blocks,
        rejected=spectrum.rejected,
        width_errors=log_width_errors(scaling),
        expected_error=math.hypot(
            _model_error(fits, likely, kernels, array),
            _ERROR_BY_RESIDUAL * best.residual,
            0.0 if best.shape.trace is None else _MOTION_ERROR,
            _LEAST_ERROR,
        ),
    )
    by_name = {fit.shape.name: float(part) for fit, part in zip(fits, likely, strict=True)}
    provenance = {
        "method": "spectral",
        "shape": best.shape.name,
        "probability": round(float(likely.max()), 4),
        "residual": round(quality.residual, 4),
        "expected_error": round(quality.expected_error, 4),
    }
    return SpectralEstimate(
        kernel=BlurKernel(
            array / array.sum(),
            scale,
            provenance=provenance,
            expected_error=round(quality.expected_error, 4),
        ),
        covariance=covariance,
        shape=best.shape.name,
        probabilities=MappingProxyType(by_name),
        exponent=float(best.parameters[1]),
        noise=math.exp(best.parameters[NOISE] / 2),
        quality=quality,
        warnings=_warnings(spectrum, quality, best.shape, float(likely.max())),
    )


def _model_error(fits: list[ShapeFit], likely: Array, kernels: list[Array], mean: Array) -> float:
    """The spread of the shapes about their mean, and of the widths within those that scale.

    A Gaussian whose two widths are wrong by the factors 1 + e₁ and 1 + e₂ is wrong by
    √(¾·(e₁² + e₂²) + ½·e₁·e₂) of its norm; the mixed term is left out.
    """
    total = 0.0
    norm = float((mean**2).sum())
    for fit, part, kernel in zip(fits, likely, kernels, strict=True):
        total += part * float(((kernel - mean) ** 2).sum()) / norm
        if fit.shape.scales:
            errors = log_width_errors(fit)
            total += part * 0.75 * (errors[0] ** 2 + errors[1] ** 2)
    return math.sqrt(total)


def _warnings(
    spectrum: BlockSpectrum, quality: FitQuality, shape: Shape, likely: float
) -> tuple[str, ...]:
    found = []
    if spectrum.relaxed:
        found.append(
            "nearly all of the photo is flat or clipped: the kernel comes from blocks that are "
            "normally left out"
        )
    elif quality.rejected > _MANY_REJECTED:
        found.append(f"{quality.rejected:.0%} of the photo is flat or clipped and was left out")
    if quality.blocks < _FEW_BLOCKS:
        found.append(f"only {quality.blocks} blocks of 32 px to measure; a larger photo is surer")
    if shape.trace is not None:
        found.append(
            "motion blur: the photo tells length and direction of the movement, not its path"
        )
    if quality.residual > _POOR_FIT:
        found.append(
            f"the spectrum fits no kernel known here (residual {quality.residual:.2f}, usually "
            "0.2): a path of a camera, strong texture or heavy processing"
        )
    if shape.scales and max(quality.width_errors) > _UNSURE_WIDTH:
        found.append(f"the kernel's width is unsure by {max(quality.width_errors):.0%}")
    if likely < _UNSURE_SHAPE:
        found.append(f"the kernel's shape is unsure: the likeliest has {likely:.0%}")
    return tuple(found)
