"""What a finished kernel tells about itself: its widths, and reasons to trust it less."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from kernelgan_fast.gan.config import TrainConfig
    from kernelgan_fast.kernels.blur_kernel import BlurKernel

MOST_BORDER_MASS = 0.05
MOST_SPREAD = 0.3
MOST_EXPECTED_ERROR = 0.25

# A kernel whose widths are this close has no direction worth telling.
_ROUND = 1.01


def kernel_facts(kernel: BlurKernel) -> dict[str, float]:
    """Measure a kernel, for records and for printing.

    Returns:
        size: side in pixels;
        width_major, width_minor: standard deviations along the main axes, in pixels of the
        high-resolution image;
        angle: of the major axis, degrees counter-clockwise from horizontal;
        border_mass: the part of the absolute mass that lies on the outermost ring.
    """
    major, minor, angle = kernel.widths
    return {
        "size": kernel.size,
        "width_major": round(major, 4),
        "width_minor": round(minor, 4),
        "angle": round(angle, 2),
        "border_mass": round(border_mass(kernel), 4),
    }


def describe_widths(facts: Mapping[str, float]) -> str:
    """Say the widths of `kernel_facts`; the angle too, unless the kernel is round.

    Returns:
        Such as "1.71 x 0.93 px at 30 deg".
    """
    major, minor = facts["width_major"], facts["width_minor"]
    widths = f"{major:.2f} x {minor:.2f} px"
    return widths if major <= _ROUND * minor else f"{widths} at {facts['angle']:.0f} deg"


def border_mass(kernel: BlurKernel) -> float:
    """The part of a kernel's absolute mass that lies on its outermost ring of pixels."""
    weights = np.abs(kernel.array)
    return float(1.0 - weights[1:-1, 1:-1].sum() / weights.sum())


def kernel_warnings(
    kernel: BlurKernel,
    spread: float | None,
    similar_at: Sequence[int | None],
    config: TrainConfig | None,
    expected_error: float | None = None,
) -> list[str]:
    """Reasons to look twice at a kernel, in words for its user.

    Args:
        kernel: the finished kernel at scale 2.
        spread: between the seeds, or None.
        similar_at: by seed, when the generator came close to the ideal downscaler.
        config: Of KernelGAN; None for other methods.
        expected_error: relative error to be expected, or None.
    """
    found = []
    if expected_error is not None and expected_error > MOST_EXPECTED_ERROR:
        found.append(
            f"expected kernel error {expected_error:.0%}: compare the result with --kernel bicubic"
        )
    missed = sum(at is None for at in similar_at)
    if missed and config is not None and config.start == "random":
        found.append(_never_similar(missed, len(similar_at), config))
    border = border_mass(kernel)
    if border > MOST_BORDER_MASS:
        found.append(
            f"{border:.0%} of the kernel lies on its outermost ring: the true kernel may be wider "
            f"than {kernel.size} px"
        )
    if spread is not None and spread > MOST_SPREAD:
        found.append(
            f"the seeds disagree (spread {spread:.0%} of the kernel): take their mean with care"
        )
    return found


def _never_similar(missed: int, runs: int, config: TrainConfig) -> str:
    who = "the run" if runs == 1 else f"{missed} of {runs} runs"
    if config.iterations < 2 * config.ideal_every:
        cause = f"{config.iterations} iterations are too few, give at least 1000"
    else:
        cause = "strongly saturated colours do this"
    return (
        f"{who} never came close to the ideal downscaler, so the sparse and centre penalties "
        f"stayed off and the kernel is less reliable: {cause}"
    )
