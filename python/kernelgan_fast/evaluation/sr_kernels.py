"""The kernels that super-resolution is given, photo by photo: bicubic, true, or estimated."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kernelgan_fast.analysis import analyse_photo
from kernelgan_fast.degradation.blur_models import from_file
from kernelgan_fast.errors import InputError
from kernelgan_fast.evaluation import metrics
from kernelgan_fast.evaluation.pairs import kernel_files
from kernelgan_fast.evaluation.sr_set import SrPhoto, SrSet
from kernelgan_fast.files import read_json
from kernelgan_fast.images import read_image
from kernelgan_fast.jobs.kernel_selection import kernel_for
from kernelgan_fast.kernels import store
from kernelgan_fast.kernels.blur_kernel import BlurKernel

BICUBIC, TRUE, SELECTED = "bicubic", "true", "selected"

# What an estimate that does not say it errs by, about: between the closed form (0.1 to 0.2) and
# the published program (0.4), see docs/accuracy.md.
UNKNOWN_ERROR = 0.25


@dataclass(frozen=True)
class GivenKernel:
    """A kernel to enlarge one photo with.

    Attributes:
        kernel: centred by the half-pixel rule, sum 1.
        expected_error: relative L2; 0 of one that is known.
        seconds: that its estimate took, if it was made now.
        noise: grey levels that the choice of the kernel adds to the photo's noise.
        estimate: the most accurate kernel, whose error is reported; None if it is `kernel`.
        exact: whether the LR photo was made with it.
    """

    kernel: BlurKernel
    expected_error: float = 0.0
    seconds: float | None = None
    noise: float = 0.0
    estimate: BlurKernel | None = None
    exact: bool = False


@dataclass(frozen=True)
class Kernels:
    """One way to come by kernels.

    Attributes:
        label: for the tables.
        given: by `SrPhoto.key` the kernel, or why there is none.
    """

    label: str
    given: Mapping[str, GivenKernel | str]


def bicubic_kernels(test: SrSet) -> Kernels:
    """The antialiased bicubic kernel for every photo: what super-resolution assumes."""
    given = GivenKernel(metrics.bicubic(test.scale))
    return Kernels(BICUBIC, {photo.key: given for photo in test.photos})


def true_kernels(test: SrSet) -> Kernels:
    """The kernels that the LR photos were made with.

    Raises:
        InputError: the test set has none.
    """
    if all(photo.true_kernel is None for photo in test.photos):
        raise InputError(
            f"true kernels must be in gt_k_x{test.scale}/, got {test.folder} without; "
            "leave `true` out of --kernels"
        )
    return Kernels(TRUE, {photo.key: _told(_true, photo, test.scale) for photo in test.photos})


def selected_kernels(test: SrSet, progress: Callable[[int], None] | None = None) -> Kernels:
    """The kernels that `upscale` selects: by expected loss, from each photo's analysis.

    Args:
        test: The photos.
        progress: Called with the number of photos done; may raise to stop.
    """

    def find(photo: SrPhoto, scale: int) -> GivenKernel:
        began = time.perf_counter()
        image = read_image(photo.low)
        applied = kernel_for(image, analyse_photo(image), scale)
        return GivenKernel(
            applied.kernel,
            applied.error,
            seconds=time.perf_counter() - began,
            noise=applied.noise,
            estimate=applied.estimate,
        )

    given: dict[str, GivenKernel | str] = {}
    for done, photo in enumerate(test.photos, 1):
        given[photo.key] = _told(find, photo, test.scale)
        if progress is not None:
            progress(done)
    return Kernels(SELECTED, given)


def stored_kernels(folder: str | os.PathLike[str], test: SrSet) -> Kernels:
    """Estimates in a folder, as `estimate` or another program wrote them.

    Where the record of `estimate` lies beside, the error it expects is taken from there.

    Raises:
        InputError: no kernels there, or none of these photos.
    """
    files = kernel_files(Path(folder), test.scale, "estimates")
    if not any(photo.key in files for photo in test.photos):
        raise InputError(
            f"estimates must have the names of the photos, got {min(files.values()).name} and "
            f"{test.photos[0].low.name}; rename one side"
        )

    def stored(photo: SrPhoto, scale: int) -> GivenKernel:
        if photo.key not in files:
            raise InputError(f"{photo.name}: no estimate in {folder}")
        file = files[photo.key]
        return GivenKernel(store.load(file, scale=scale), _recorded_error(file, photo.name))

    label = Path(folder).resolve().name
    return Kernels(label, {photo.key: _told(stored, photo, test.scale) for photo in test.photos})


def applied_kernel(photo: SrPhoto, scale: int) -> BlurKernel:
    """The true kernel as it was applied to make the LR photo, but for its sum, which is 1.

    Raises:
        InputError: there is none, or it cannot be read.
    """
    if photo.true_kernel is None:
        raise InputError(f"{photo.name}: no true kernel in gt_k_x{scale}/")
    array = from_file(photo.true_kernel, scale).array
    return BlurKernel(array / array.sum(), scale)


def _true(photo: SrPhoto, scale: int) -> GivenKernel:
    return GivenKernel(applied_kernel(photo, scale), exact=True)


def _told(
    find: Callable[[SrPhoto, int], GivenKernel], photo: SrPhoto, scale: int
) -> GivenKernel | str:
    try:
        return find(photo, scale)
    except InputError as error:
        return str(error)


def _recorded_error(file: Path, name: str) -> float:
    try:
        record = read_json(file.parent / f"{name}.json")
    except InputError:
        return UNKNOWN_ERROR
    error = record.get("expected_error") if isinstance(record, dict) else None
    return error if isinstance(error, float) and 0 <= error < math.inf else UNKNOWN_ERROR
