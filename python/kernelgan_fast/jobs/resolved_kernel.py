"""A kernel to use on a photo, where such kernels come from, and reading one from a file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from kernelgan_fast.analysis import PhotoAnalysis
    from kernelgan_fast.degradation.blur_models import TrueKernel
    from kernelgan_fast.images import Photo
    from kernelgan_fast.kernels.blur_kernel import BlurKernel


@dataclass(frozen=True)
class ResolvedKernel:
    """A kernel to use on one photo.

    Attributes:
        kernel: centred by the half-pixel rule, sum 1.
        label: what to call it in a line for the user.
        facts: where it is from, ready for JSON.
        notes: what a user should know of it.
        error: relative L2 error that it may have, 0 for one that was given.
        noise: grey levels that the choice of the kernel adds (in squares) to the photo's noise.
        estimate: the most accurate kernel, where another one was selected from it.
    """

    kernel: BlurKernel
    label: str
    facts: Mapping[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    error: float = 0.0
    noise: float = 0.0
    estimate: BlurKernel | None = None


class KernelOf(Protocol):
    """Gives the kernel of a photo; see `KernelSource.of`."""

    def __call__(
        self, photo: Photo, name: str, analysis: PhotoAnalysis | None = None
    ) -> ResolvedKernel: ...


@dataclass(frozen=True)
class KernelSource:
    """Where kernels come from.

    Attributes:
        label: in a few words, for the user.
        of: gives the kernel of a photo, by the photo and the name its files get, and for
            enlarging by its analysis too; its errors are `InputError`.
        identity: tells, by the photo's file and that name, what kernel it will be, or None if
            there is none; ready for JSON. The same photo and the same identity mean the same
            kernel.
    """

    label: str
    of: KernelOf
    identity: Callable[[Path, str], object]


def from_file(path: str, scale: int) -> ResolvedKernel:
    """Read a kernel file; FILE:INDEX of one that holds several.

    Raises:
        InputError: it cannot be read as a kernel of this scale.
    """
    from kernelgan_fast.degradation import blur_models

    stored = blur_models.from_file(path, scale)
    kernel = normalised(stored, scale)
    error = kernel.expected_error
    facts = {**stored.parameters, **({} if error is None else {"expected_error": error})}
    return ResolvedKernel(kernel, Path(path).name, facts, stored.notes, error or 0.0)


def normalised(kernel: TrueKernel, scale: int) -> BlurKernel:
    """Make a kernel sum to 1: what was lost in centring would make the photo darker."""
    from kernelgan_fast.kernels.blur_kernel import BlurKernel

    return BlurKernel(
        kernel.array / kernel.array.sum(),
        scale,
        provenance=kernel.parameters,
        expected_error=kernel.expected_error,
    )


def content(kernel: BlurKernel) -> str:
    """A hash that tells a kernel's array from others."""
    return hashlib.sha256(kernel.array.tobytes()).hexdigest()
