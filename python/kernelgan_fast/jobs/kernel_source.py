"""Where the kernels of a run come from: a file, a folder of them, each photo's own, or bicubic."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from kernelgan_fast.errors import InputError
from kernelgan_fast.estimation.options import SCALES
from kernelgan_fast.jobs.kernel_folder import SUFFIXES, photo_kernels
from kernelgan_fast.jobs.resolved_kernel import (
    KernelSource,
    ResolvedKernel,
    content,
    from_file,
)

if TYPE_CHECKING:
    from kernelgan_fast.analysis import PhotoAnalysis
    from kernelgan_fast.images import Photo
    from kernelgan_fast.kernels.blur_kernel import BlurKernel

ESTIMATE, BICUBIC = "estimate", "bicubic"

_ESTIMATE_FIRST = "estimate it into that folder first, or give a kernel file"


def kernel_source(
    kernel: str | os.PathLike[str] | BlurKernel, scale: int, *, advice: str = _ESTIMATE_FIRST
) -> KernelSource:
    """Find out what a kernel argument means, and read the files it names.

    Args:
        kernel: a kernel; a file of one (.mat, .npy, .json; FILE:INDEX where it holds several); a
            folder of such files, in which each photo has its own; "estimate", each photo's own by
            its spectrum; "bicubic", the antialiased resampler.
        scale: 1 to 4.
        advice: what to do about a photo without a kernel in a folder.

    Raises:
        InputError: a scale or kernel that cannot be used, or a folder without kernels.
    """
    from kernelgan_fast.kernels.blur_kernel import BlurKernel

    if scale not in SCALES:
        raise InputError(f"scale must be 1, 2, 3 or 4, got {scale!r}")
    if isinstance(kernel, BlurKernel):
        if kernel.scale != scale:
            raise InputError(
                f"the kernel is for scale {kernel.scale}, got scale {scale}; give "
                f"scale={kernel.scale} or another kernel"
            )
        return _one(ResolvedKernel(kernel, "a kernel", error=kernel.expected_error or 0.0))
    name = os.fspath(kernel)
    if name == ESTIMATE:
        return _estimated(scale)
    if name == BICUBIC:
        return _one(bicubic(scale))
    if Path(name).is_dir():
        return photo_kernels(Path(name), scale, advice)
    if not Path(name).exists() and Path(name.partition(":")[0]).suffix.lower() not in SUFFIXES:
        raise InputError(
            "the kernel must be estimate, bicubic, a file (.mat .npy .json) or a folder of "
            f"them, got {name!r}; check the path"
        )
    return _one(from_file(name, scale))


def fixed_kernel(kernel: str | os.PathLike[str], scale: int) -> ResolvedKernel:
    """Read a kernel that no photo decides.

    Args:
        kernel: a file, FILE:INDEX or "bicubic".
        scale: 1 to 4.

    Raises:
        InputError: a scale or kernel that cannot be used, or one that each photo has its own of.
    """
    name = os.fspath(kernel)
    if scale not in SCALES:
        raise InputError(f"scale must be 1, 2, 3 or 4, got {scale!r}")
    if name == ESTIMATE or Path(name).is_dir():
        raise InputError(
            f"one kernel for all photos is wanted, got {name}; give a file (.mat .npy .json) or "
            "bicubic"
        )
    return bicubic(scale) if name == BICUBIC else from_file(name, scale)


def _one(applied: ResolvedKernel) -> KernelSource:
    array = content(applied.kernel)
    return KernelSource(
        applied.label, lambda photo, name, analysis=None: applied, lambda photo, name: array
    )


def bicubic(scale: int) -> ResolvedKernel:
    """Give the antialiased bicubic kernel."""
    from kernelgan_fast.degradation.shapes import resampler
    from kernelgan_fast.kernels.blur_kernel import BlurKernel

    size = 8 * scale + 1  # as blur models have it; the cubic reaches 2·scale px to either side
    return ResolvedKernel(BlurKernel(resampler(BICUBIC, size, scale), scale), BICUBIC)


def _estimated(scale: int) -> KernelSource:
    from kernelgan_fast.estimation.options import estimate_options
    from kernelgan_fast.jobs import records

    settings = estimate_options(scale=scale, device="cpu")
    request = {"estimate": records.request(settings)}

    def of(photo: Photo, name: str, analysis: PhotoAnalysis | None = None) -> ResolvedKernel:
        if analysis is not None:
            from kernelgan_fast.jobs.kernel_selection import kernel_for

            return kernel_for(photo, analysis, scale)
        # Late: it loads what estimates need.
        from kernelgan_fast.estimation.devices import Choice
        from kernelgan_fast.estimation.pipeline import find_batch, finish, prepare

        choice = Choice(("cpu",), "cpu", "one kernel at a time")
        prepared = prepare(photo, settings)
        (result,) = find_batch([prepared], settings, choice)
        found = finish(prepared, result, settings)
        facts = {"estimate": settings.method, "expected_error": found.expected_error}
        told = tuple(note for note in found.diagnostics.warnings if note not in photo.notes)
        error = found.expected_error or 0.0
        return ResolvedKernel(found.kernel, "its own kernel", facts, told, error)

    return KernelSource("each photo's own kernel", of, lambda photo, name: request)
