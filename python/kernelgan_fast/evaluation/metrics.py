"""How far a kernel is from the true one.

Both are moved to the same centre first, by a cubic spline, and compared on one canvas: where a
kernel sits is a matter of convention, what it does to a photo is not. A kernel's distance from
where it belongs is told beside (`off_centre`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernelgan_fast.degradation import shapes
from kernelgan_fast.errors import InputError
from kernelgan_fast.kernels.blur_kernel import BlurKernel, Widths, widths_of
from kernelgan_fast.kernels.geometry import shift, target_centre

CANVAS = 33

# The side on which kernel PSNR is stated where nothing else is asked: DIV2KRK's kernels.
PSNR_SIZES = {2: 11, 4: 31}

# The fixed Gaussian that comes nearest to DIV2KRK's kernels, standard deviation in HR pixels.
CONSTANT_SIGMAS = {2: 1.7, 4: 3.8}

# Rounder than this a kernel has no direction worth the name.
LEAST_ELONGATION = 1.1

# Narrower than this, HR pixels, the widths of a kernel say nothing: bicubic's lobes undo them.
LEAST_WIDTH = 0.1

# A cubic spline rings: so far out it has died.
_MARGIN = 12


@dataclass(frozen=True)
class KernelErrors:
    """How far an estimate is from the true kernel; None where a measure has no meaning.

    Attributes:
        relative_l2: ‖estimate - truth‖₂ / ‖truth‖₂, both centred.
        psnr: 10·log₁₀(size² / ‖estimate - truth‖₂²) in dB, both centred; None of equal ones.
        covariance: ‖Σ̂ - Σ‖ / ‖Σ‖ (Frobenius) of the covariances; None of a truth without width.
        width: mean over the two axes of |estimate/truth - 1| of the standard
            deviations; None of a truth without width.
        width_bias: the same of the geometric mean of both axes, with its sign: above 0 where the
            estimate is too wide; None likewise.
        angle: between the wider axes, degrees in [0, 90]; None where either kernel's widths are
            less than `LEAST_ELONGATION` apart.
        off_centre: of the estimate's centre of mass from `target_centre`, HR pixels.
        widths, true_widths: standard deviations of both.
    """

    relative_l2: float
    psnr: float | None
    covariance: float | None
    width: float | None
    width_bias: float | None
    angle: float | None
    off_centre: float
    widths: Widths
    true_widths: Widths

    @property
    def angle_weight(self) -> float:
        """How much the angle counts in a mean, (a² - b²)/(a² + b²) of the true widths a, b."""
        major, minor = self.true_widths.major**2, self.true_widths.minor**2
        return (major - minor) / (major + minor) if self.angle is not None else 0.0


def compare(
    estimate: BlurKernel, truth: BlurKernel, *, psnr_size: int | None = None
) -> KernelErrors:
    """Measure an estimate.

    Args:
        estimate, truth: of the same scale; their sizes may differ.
        psnr_size: the side by which the PSNR counts pixels; that of DIV2KRK's kernels if None.

    Raises:
        InputError: two scales, or a scale without a PSNR size and none given.
    """
    if estimate.scale != truth.scale:
        raise InputError(
            f"kernels must have the same scale to be compared, got {estimate.scale} and "
            f"{truth.scale}; choose files of one scale"
        )
    size = default_psnr_size(truth.scale) if psnr_size is None else psnr_size
    canvas = max(CANVAS, estimate.size, truth.size)
    true = centred(truth, canvas)
    distance = float(np.linalg.norm(centred(estimate, canvas) - true))
    spread = float(np.linalg.norm(truth.covariance))
    # Second moments, and errors relative to them, mean nothing where lobes cancel the main lobe.
    has_width = widths_of(truth.covariance).minor > LEAST_WIDTH
    centre = np.array(estimate.centre_of_mass)
    return KernelErrors(
        relative_l2=distance / float(np.linalg.norm(true)),
        psnr=20 * math.log10(size / distance) if distance else None,
        covariance=_distance(estimate.covariance, truth.covariance) / spread if has_width else None,
        width=_width_error(estimate.widths, truth.widths) if has_width else None,
        width_bias=_width_bias(estimate.widths, truth.widths) if has_width else None,
        angle=_angle_error(estimate.widths, truth.widths),
        off_centre=float(np.hypot(*(centre - target_centre(estimate.size, estimate.scale)))),
        widths=estimate.widths,
        true_widths=truth.widths,
    )


def centred(kernel: BlurKernel, canvas: int = CANVAS) -> NDArray[np.float64]:
    """Move a kernel's centre of mass to `target_centre` of a canvas, by a cubic spline.

    Values below 0 are kept, as bicubic's lobes are meant.

    Args:
        kernel: any size up to the canvas's.
        canvas: odd.

    Returns:
        (canvas, canvas) float64.
    """
    target = target_centre(canvas, kernel.scale)
    frame = (canvas - kernel.size) // 2
    row, col = (target - frame - centre for centre in kernel.centre_of_mass)
    margin = _MARGIN + math.ceil(max(abs(row), abs(col)))
    moved = shift(np.pad(kernel.array, frame + margin), (row, col))
    return moved[margin:-margin, margin:-margin]


def constant_gaussian(scale: int) -> BlurKernel:
    """The baseline that estimates nothing: one Gaussian for every photo.

    Raises:
        InputError: a scale for which it was not measured.
    """
    if scale not in CONSTANT_SIGMAS:
        raise InputError(f"baselines are known for scale 2 and 4, got {scale}")
    covariance = CONSTANT_SIGMAS[scale] ** 2 * np.eye(2)
    return BlurKernel(shapes.gaussian(covariance, CANVAS, scale), scale)


def bicubic(scale: int) -> BlurKernel:
    """The kernel that super-resolution assumes: antialiased bicubic (Keys, a = -1/2)."""
    return BlurKernel(shapes.resampler("bicubic", CANVAS, scale), scale)


def default_psnr_size(scale: int) -> int:
    """The side on which kernel PSNR is stated.

    Raises:
        InputError: there is none for this scale.
    """
    if scale not in PSNR_SIZES:
        raise InputError(f"kernel PSNR needs a size at scale {scale}; give psnr_size")
    return PSNR_SIZES[scale]


def _distance(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(one - other))


def _width_error(widths: Widths, true: Widths) -> float:
    return (abs(widths.major / true.major - 1) + abs(widths.minor / true.minor - 1)) / 2


def _width_bias(widths: Widths, true: Widths) -> float:
    return math.sqrt(widths.major * widths.minor / (true.major * true.minor)) - 1


def _angle_error(widths: Widths, true: Widths) -> float | None:
    for each in (widths, true):
        if each.major < max(LEAST_ELONGATION * each.minor, LEAST_WIDTH):
            return None
    turn = abs(widths.angle - true.angle) % 180.0
    return min(turn, 180.0 - turn)
