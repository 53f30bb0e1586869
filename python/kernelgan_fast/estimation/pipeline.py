"""The main path of estimation: prepare photos, find the kernels of a batch, finish estimates."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kernelgan_fast.analysis import analyse_photo
from kernelgan_fast.estimation.devices import Choice
from kernelgan_fast.estimation.estimator import Found, Prepared, TrainProgress, estimator_for
from kernelgan_fast.estimation.kernel_warnings import kernel_warnings
from kernelgan_fast.estimation.options import EstimateOptions, versions
from kernelgan_fast.estimation.result import Diagnostics, Estimate
from kernelgan_fast.images import as_photo, read_image

if TYPE_CHECKING:
    from kernelgan_fast.estimation.capacity import MemoryBudget
    from kernelgan_fast.kernels.blur_kernel import BlurKernel


def prepare(source: object, options: EstimateOptions) -> Prepared:
    """Read and analyse a photo, and prepare it for the method; the source is never written to.

    Args:
        source: A path, or an array or tensor as `images.as_photo` takes it.
        options: Of the estimation.

    Raises:
        ImageError: The photo cannot be read or is too small, constant or not finite.
    """
    began = time.perf_counter()
    path = source if isinstance(source, (str, os.PathLike)) else None
    photo = as_photo(source) if path is None else read_image(path)
    opened = time.perf_counter()
    analysis = analyse_photo(photo).facts()
    measured = time.perf_counter()
    prepared = estimator_for(options).prepare(photo.pixels)
    done = time.perf_counter()
    timings = {
        "read": opened - began,
        "analysis": measured - opened,
        "prepare": done - measured,
    }
    return replace(
        prepared,
        source=photo.source,
        notes=(*photo.notes, *prepared.notes),
        timings=timings,
        analysis=analysis,
    )


def find_batch(
    photos: Sequence[Prepared],
    options: EstimateOptions,
    choice: Choice,
    progress: TrainProgress | None = None,
    *,
    device: str = "cpu",
    budget: MemoryBudget | None = None,
) -> list[Found]:
    """Find the kernels of a batch of photos.

    A photo's result does not depend on the others in the batch.

    Args:
        photos: At least one.
        options: Of the estimation.
        choice: Of the run's devices.
        progress: Called about every 1 % with the iteration and the mean losses; may raise to stop.
        device: "cpu" or "cuda:<index>", one of these devices.
        budget: On a GPU, the memory that problems may take. Where memory runs out the budget is
            halved and the batch trained in parts.

    Returns:
        What was found for each photo, in order; failures of single photos among them.

    Raises:
        TrainingDiverged: The losses of every problem stopped being finite; of a batch in parts
            each photo fails on its own.
        NativeUnavailable: The compiled extension cannot be loaded.
        DeviceUnavailable: The GPU's memory does not hold a single problem.
    """
    began = time.perf_counter()
    found, notes = estimator_for(options).find(photos, progress, device=device, budget=budget)
    seconds = time.perf_counter() - began
    choice = replace(choice, notes=(*choice.notes, *notes))
    return [replace(each, seconds=seconds, device=device, choice=choice) for each in found]


def finish(photo: Prepared, found: Found, options: EstimateOptions) -> Estimate:
    """Turn what was found for a photo into its estimate.

    Raises:
        TrainingDiverged: Every run of the photo did.
        InputError: A trained kernel cannot be used, such as one that is nowhere positive, or the
            photo's patches do not recur.
    """
    begin = time.perf_counter()
    if found.failure is not None:
        raise found.failure
    provenance = _provenance(photo, found, options)
    kernels = {
        scale: replace(
            kernel,
            provenance={**provenance, **_derivation(kernel)},
            expected_error=found.expected_error,
        )
        for scale, kernel in found.kernels.items()
    }
    warnings = kernel_warnings(
        kernels[2], found.spread, found.similar_at, options.config, found.expected_error
    )
    timings = {**photo.timings, "train": found.seconds, "finish": time.perf_counter() - begin}
    assert found.choice is not None
    return Estimate(
        kernel=kernels[options.scale],
        kernel_x2=kernels[2],
        raw=found.raw,
        spread=found.spread,
        expected_error=found.expected_error,
        history=found.history,
        diagnostics=Diagnostics(
            timings=timings,
            warnings=(*photo.notes, *found.warnings, *warnings),
            method=options.method,
            config=options.config,
            seeds=found.seeds or options.seeds,
            similar_at=found.similar_at,
            versions=versions(),
            device=found.device,
            device_choice=found.choice.facts(),
            spectrum=photo.spectra[2].facts() if photo.spectra else None,
            recurrence=found.recurrence,
            analysis=photo.analysis,
        ),
        source=photo.source,
        tiles=photo.tiles,
    )


def photos_per_batch(seeds: int, threads: int) -> int:
    """The smallest number of photos whose problems keep at least 90 % of the threads busy.

    Args:
        seeds: problems a photo.
        threads: problems that train side by side.
    """
    for photos in range(1, threads + 1):
        problems = photos * seeds
        rounds = -(-problems // threads)
        if problems >= 0.9 * rounds * threads:
            return photos
    return threads


def _derivation(kernel: BlurKernel) -> Mapping[str, object]:
    return {name: value for name, value in kernel.provenance.items() if name == "derived"}


def _provenance(photo: Prepared, found: Found, options: EstimateOptions) -> dict[str, object]:
    # Nothing here changes from run to run: the same photo, seed and version give the same bytes.
    config = options.config
    return {
        "program": f"kernelgan-fast {versions()['kernelgan_fast']}",
        "source": Path(photo.source).name,
        "method": options.method,
        **({} if config is None else {"profile": config.profile}),
        "iterations": options.iterations,
        "seeds": list(found.seeds),
        "real": options.real,
    }
