"""One batch of photos: prepare each, train all as one set of problems, finish each."""

from __future__ import annotations

import itertools
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kernelgan_fast.crops import CropPlan, plan_crops, smallest_side
from kernelgan_fast.errors import InputError, TrainingDiverged
from kernelgan_fast.images import as_photo, read_image
from kernelgan_fast.kernels.blur_kernel import BlurKernel
from kernelgan_fast.kernels.postprocess import kernel_x4, postprocess
from kernelgan_fast.runs.devices import Choice
from kernelgan_fast.runs.findings import findings
from kernelgan_fast.runs.result import Diagnostics, Estimate
from kernelgan_fast.runs.settings import Settings, versions
from kernelgan_fast.spectral import SpectralEstimate, estimate_spectral_scales

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kernelgan_fast.config import TrainConfig
    from kernelgan_fast.gan.trainer import TrainedKernel
    from kernelgan_fast.runs.capacity import Room

TrainProgress = Callable[[int, Mapping[str, float]], None]


@dataclass(frozen=True)
class Prepared:
    """A photo ready to train on.

    Attributes:
        plan: its pixels and crop distributions; None where nothing is to be trained.
        starts: by scale the kernel in closed form, where the profile begins there; else empty.
        source: the file it came from, or "array".
        notes: what was done to it while reading.
        timings: seconds of the stages read, spectrum and prepare.
    """

    plan: CropPlan | None
    source: str
    notes: tuple[str, ...]
    timings: Mapping[str, float] = field(default_factory=dict)
    starts: Mapping[int, SpectralEstimate] = field(default_factory=dict)


@dataclass(frozen=True)
class Trained:
    """A photo's runs, one a seed.

    Attributes:
        photo: what they trained on.
        runs: in the order of the seeds; empty where nothing was to be trained.
        seconds: that the training of the whole batch took.
        device: where.
        choice: of the run's devices.
        notes: what went otherwise there than planned.
    """

    photo: Prepared
    runs: Sequence[TrainedKernel]
    seconds: float
    device: str
    choice: Choice
    notes: tuple[str, ...] = ()


def prepare(source: object, settings: Settings) -> Prepared:
    """Read a photo, find where to start, plan its crops; the source is never written to.

    Args:
        source: a path, or an array or tensor as `images.as_photo` takes it.

    Raises:
        ImageError: the photo cannot be read or is too small, constant or not finite.
    """
    began = time.perf_counter()
    path = source if isinstance(source, (str, os.PathLike)) else None
    photo = as_photo(source) if path is None else read_image(path)
    opened = time.perf_counter()
    starts: Mapping[int, SpectralEstimate] = {}
    if settings.config.start == "spectral":
        scales = sorted({2, settings.scale})
        starts = estimate_spectral_scales(photo.pixels, scales, threads=settings.threads)
    started = time.perf_counter()
    plan, notes = _plan(photo.pixels, settings)
    timings = {
        "read": opened - began,
        "spectrum": started - opened,
        "prepare": time.perf_counter() - started,
    }
    return Prepared(plan, photo.source, (*photo.notes, *notes), timings, starts)


def _plan(pixels: NDArray[np.generic], settings: Settings) -> tuple[CropPlan | None, list[str]]:
    """The crops to train on, if any, and what to say of it."""
    config = settings.config
    if config.iterations == 0:
        return None, []
    least = smallest_side(config, real=settings.real)
    side = min(pixels.shape[:2])
    if config.start == "spectral" and side < least:
        return None, [
            f"the kernel is the one in closed form: training needs {least} px a side, this photo "
            f"has {side}"
        ]
    return plan_crops(pixels, config, real=settings.real), []


def train_batch(
    photos: Sequence[Prepared],
    settings: Settings,
    choice: Choice,
    progress: TrainProgress | None = None,
    *,
    device: str = "cpu",
    room: Room | None = None,
) -> list[Trained]:
    """Train every photo with every seed as one batch.

    A photo's result does not depend on the others in the batch.

    Args:
        photos: at least one.
        choice: of the run's devices.
        progress: called about every 1 % with the iteration and the mean losses; may raise to stop.
        device: "cpu" or "cuda:<index>", one of these devices.
        room: on a GPU, how many problems it takes at once. Where memory runs out it is halved and
            the batch trained in parts.

    Returns:
        The runs of each photo, in order.

    Raises:
        TrainingDiverged: the losses of every problem stopped being numbers; of a batch in parts
            `finish` tells, photo by photo.
        NativeUnavailable: the compiled extension cannot be loaded.
        DeviceUnavailable: the GPU's memory does not hold a single problem.
    """
    start = time.perf_counter()
    trained: list[TrainedKernel] = []
    notes: tuple[str, ...] = ()
    if any(photo.plan is not None for photo in photos):
        trained, notes = _train(photos, settings, progress, device, room)
    seconds = time.perf_counter() - start
    left = iter(trained)
    runs = len(settings.seeds)
    return [
        Trained(
            photo,
            list(itertools.islice(left, 0 if photo.plan is None else runs)),
            seconds,
            device,
            choice,
            notes,
        )
        for photo in photos
    ]


def _train(
    photos: Sequence[Prepared],
    settings: Settings,
    progress: TrainProgress | None,
    device: str,
    room: Room | None,
) -> tuple[list[TrainedKernel], tuple[str, ...]]:
    # Late, because they load torch, which takes longer than a kernel in closed form.
    from kernelgan_fast.gan import trainer
    from kernelgan_fast.runs.parts import train_in_parts

    config = settings.config
    problems = [
        trainer.Problem(photo.plan, seed, photo.starts[2].kernel.array if photo.starts else None)
        for photo in photos
        if photo.plan is not None
        for seed in settings.seeds
    ]
    if room is not None:
        return train_in_parts(problems, config, device, room, progress)
    trained = trainer.train(
        problems, config, device=device, threads=settings.threads, progress=progress
    )
    return trained, ()


def finish(trained: Trained, settings: Settings) -> Estimate:
    """Turn a photo's trained runs, or its start in closed form, into its kernel.

    A start in closed form is the kernel: training from there does not make it better, but how far
    it moves tells how far to trust it (docs/accuracy.md). Runs that diverged are left out, with a
    warning.

    Raises:
        TrainingDiverged: all of them did.
        InputError: a trained kernel cannot be used, such as one that is nowhere positive.
    """
    begin = time.perf_counter()
    config, photo, starts = settings.config, trained.photo, trained.photo.starts
    runs = _finite(trained.runs) if trained.runs else []
    raw = np.stack([run.kernel for run in runs] or [starts[2].kernel.array])
    expected = None
    if starts:
        kernel_x2 = starts[2].kernel
        moved, spread = _movement(raw, kernel_x2.array)
        expected = math.hypot(starts[2].quality.expected_error, moved)
    else:
        kernel_x2, spread = _mean([_usable(kernel, config) for kernel in raw])
    provenance = _provenance(photo, settings, runs)
    kernel_x2 = replace(kernel_x2, provenance=provenance)
    kernel = kernel_x2
    if settings.scale == 4:
        kernel = (
            replace(starts[4].kernel, provenance=provenance) if starts else kernel_x4(kernel_x2)
        )
    history: dict[str, NDArray[np.generic]] = {
        name: np.stack([run.history[name] for run in runs])
        for name in (runs[0].history if runs else ())
    }
    history["iteration"] = runs[0].iterations if runs else np.zeros(0, np.int64)
    similar_at = tuple(run.similar_at for run in runs)
    lost = [f"seed {run.seed} diverged and was left out" for run in trained.runs if run.diverged]
    told = starts[settings.scale].warnings if starts else ()
    found = findings(kernel_x2, spread, similar_at, config, expected)
    timings = {**photo.timings, "train": trained.seconds, "finish": time.perf_counter() - begin}
    return Estimate(
        kernel=kernel,
        kernel_x2=kernel_x2,
        raw=raw,
        spread=spread,
        expected_error=expected,
        history=history,
        diagnostics=Diagnostics(
            timings=timings,
            warnings=(*photo.notes, *lost, *told, *found),
            config=config,
            seeds=tuple(run.seed for run in runs) or settings.seeds,
            similar_at=similar_at,
            versions=versions(),
            device=trained.device,
            device_choice=trained.choice.facts(trained.notes),
            spectrum=starts[2].facts() if starts else None,
        ),
        source=photo.source,
    )


def _movement(raw: NDArray[np.float64], start: NDArray[np.float64]) -> tuple[float, float | None]:
    """How far trained kernels are from their start, and from each other, relative to the start."""
    kernels = raw / raw.sum(axis=(1, 2), keepdims=True)
    norm = np.linalg.norm(start)
    mean = kernels.mean(axis=0)
    moved = float(np.linalg.norm(mean - start) / norm)
    distances = np.linalg.norm(kernels - mean, axis=(1, 2)) / norm
    return moved, float(distances.mean()) if len(kernels) > 1 else None


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


def _finite(runs: Sequence[TrainedKernel]) -> list[TrainedKernel]:
    kept = [run for run in runs if not run.diverged]
    if kept:
        return kept
    raise TrainingDiverged(
        "losses and kernel must stay finite, got others with every seed; try another seed or a "
        "lower learning rate",
        iteration=int(runs[0].iterations[-1]),
        losses={name: float(values[-1]) for name, values in runs[0].history.items()},
    )


def _usable(raw: NDArray[np.float64], config: TrainConfig) -> BlurKernel:
    try:
        return postprocess(raw, kept_values=config.kept_values, cut_fraction=config.cut_fraction)
    except InputError as error:
        # The generator starts near zero, and its first kernels may well be negative.
        raise InputError(
            f"the kernel after {config.iterations} iterations must have positive values that can "
            f"be centred, got another ({error}); train longer or try another seed"
        ) from error


def _mean(members: Sequence[BlurKernel]) -> tuple[BlurKernel, float | None]:
    # Each member is centred and sums to one, so their mean does too.
    if len(members) == 1:
        return members[0], None
    stack = np.stack([member.array for member in members])
    mean = stack.mean(axis=0)
    distances = np.linalg.norm(stack - mean, axis=(1, 2))
    spread = float(distances.mean() / np.linalg.norm(mean))
    return replace(members[0], array=mean), spread


def _provenance(
    photo: Prepared, settings: Settings, runs: Sequence[TrainedKernel]
) -> dict[str, object]:
    # Nothing here changes from run to run: the same photo, seed and version give the same bytes.
    return {
        "program": f"kernelgan-fast {versions()['kernelgan_fast']}",
        "source": Path(photo.source).name,
        "profile": settings.config.profile,
        "iterations": settings.config.iterations,
        "seeds": [run.seed for run in runs],
        "real": settings.real,
    }
