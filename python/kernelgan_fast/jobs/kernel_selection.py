"""Each photo's own kernel for enlarging it: estimated, then selected by its expected loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernelgan_fast.errors import ImageError
from kernelgan_fast.jobs.kernel_source import BICUBIC, bicubic
from kernelgan_fast.jobs.resolved_kernel import ResolvedKernel

if TYPE_CHECKING:
    from kernelgan_fast.analysis import PhotoAnalysis
    from kernelgan_fast.estimation.spectral import SpectralEstimate
    from kernelgan_fast.images import Photo

# Relative error from which a look at the alternative is worth its time.
_DOUBTFUL = 0.45


def estimate_content(photo: Photo, analysis: PhotoAnalysis, scale: int) -> SpectralEstimate:
    """Estimate the kernel of a photo from what lies within its frame.

    Raises:
        ImageError: the content is too small or has no contrast.
    """
    import numpy as np

    from kernelgan_fast.analysis import stretched
    from kernelgan_fast.estimation.spectral import estimate_spectral

    content = stretched(analysis.frame.inside(photo.pixels), analysis.white)
    content = np.ascontiguousarray(content)
    return estimate_spectral(content, scale=scale, ignored=analysis.overlay)


def kernel_for(photo: Photo, analysis: PhotoAnalysis, scale: int) -> ResolvedKernel:
    """Select the kernel to enlarge a photo with.

    Args:
        photo: the photo.
        analysis: of it.
        scale: 2 or 4.

    Returns:
        The kernel with the smallest expected loss; the bicubic one where the photo tells none.
    """
    from kernelgan_fast.estimation.spectral.selection import expected_error, select_kernel

    if analysis.bicubic_only:
        return ResolvedKernel(bicubic(scale).kernel, BICUBIC, {"estimate": None})
    try:
        estimate = estimate_content(photo, analysis, scale)
    except ImageError as error:
        note = f"no kernel can be estimated ({error}), so the bicubic kernel was used"
        return ResolvedKernel(bicubic(scale).kernel, BICUBIC, {"estimate": None}, (note,))
    selected = select_kernel(estimate, analysis)
    facts = {
        "estimate": "spectral",
        "expected_error": round(expected_error(estimate, analysis), 4),
        "spectrum": estimate.facts(),
        "selected": selected.facts(),
    }
    notes = list(() if selected.replaced else estimate.warnings)
    if selected.replaced and not analysis.drawn:
        notes.append("no kernel explains the photo's spectrum, so the bicubic kernel was used")
    elif selected.error > _DOUBTFUL and not selected.replaced:
        notes.append(
            f"expected kernel error {selected.error:.0%}: compare the result with --kernel bicubic"
        )
    label = BICUBIC if selected.replaced else "its own kernel"
    return ResolvedKernel(
        selected.kernel,
        label,
        facts,
        tuple(notes),
        selected.error,
        selected.noise,
        estimate.kernel,
    )
