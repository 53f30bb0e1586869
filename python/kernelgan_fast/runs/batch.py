"""One batch of photos: prepare each, train all as one set of problems, finish each."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kernelgan_fast.crops import CropPlan, plan_crops
from kernelgan_fast.errors import InputError, TrainingDiverged
from kernelgan_fast.gan import trainer
from kernelgan_fast.images import as_photo, read_image
from kernelgan_fast.kernels.blur_kernel import BlurKernel
from kernelgan_fast.kernels.postprocess import kernel_x4, postprocess
from kernelgan_fast.runs.findings import findings
from kernelgan_fast.runs.result import Diagnostics, Estimate
from kernelgan_fast.runs.settings import Settings, versions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kernelgan_fast.config import TrainConfig
    from kernelgan_fast.gan.trainer import TrainedKernel

TrainProgress = Callable[[int, Mapping[str, float]], None]


@dataclass(frozen=True)
class Prepared:
    """A photo ready to train on.

    Attributes:
        plan: its pixels and crop distributions.
        source: the file it came from, or "array".
        notes: what was done to it while reading.
        timings: seconds of the stages read and prepare.
    """

    plan: CropPlan
    source: str
    notes: tuple[str, ...]
    timings: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Trained:
    """A photo's runs, one a seed, and the seconds that the training of its batch took."""

    photo: Prepared
    runs: Sequence[TrainedKernel]
    seconds: float


def prepare(source: object, settings: Settings) -> Prepared:
    """Read a photo and plan its crops; the pixels of the source are never written to.

    Args:
        source: a path, or an array or tensor as `images.as_photo` takes it.

    Raises:
        ImageError: the photo cannot be read or is too small, constant or not finite.
    """
    start = time.perf_counter()
    path = source if isinstance(source, (str, os.PathLike)) else None
    photo = as_photo(source) if path is None else read_image(path)
    opened = time.perf_counter()
    plan = plan_crops(photo.pixels, settings.config, real=settings.real)
    timings = {"read": opened - start, "prepare": time.perf_counter() - opened}
    return Prepared(plan, photo.source, photo.notes, timings)


def train_batch(
    photos: Sequence[Prepared], settings: Settings, progress: TrainProgress | None = None
) -> list[Trained]:
    """Train every photo with every seed as one batch.

    A photo's result does not depend on the others in the batch.

    Args:
        photos: at least one.
        progress: called about every 1 % with the iteration and the mean losses; may raise to stop.

    Returns:
        The runs of each photo, in order.

    Raises:
        TrainingDiverged: the losses of every problem stopped being numbers.
        NativeUnavailable: the compiled extension cannot be loaded.
    """
    start = time.perf_counter()
    problems = [trainer.Problem(photo.plan, seed) for photo in photos for seed in settings.seeds]
    trained = trainer.train(
        problems,
        settings.config,
        device=settings.device,
        threads=settings.threads,
        progress=progress,
    )
    seconds = time.perf_counter() - start
    runs = len(settings.seeds)
    return [
        Trained(photo, trained[runs * i : runs * (i + 1)], seconds)
        for i, photo in enumerate(photos)
    ]


def finish(trained: Trained, settings: Settings) -> Estimate:
    """Turn a photo's trained runs into its kernel.

    Runs that diverged are left out, with a warning.

    Raises:
        TrainingDiverged: all of them did.
        InputError: a trained kernel cannot be used, such as one that is nowhere positive.
    """
    start = time.perf_counter()
    config, photo = settings.config, trained.photo
    runs = _finite(trained.runs)
    raw = np.stack([run.kernel for run in runs])
    kernel_x2, spread = _mean([_usable(kernel, config) for kernel in raw])
    kernel_x2 = replace(kernel_x2, provenance=_provenance(photo, settings, runs))
    kernel = kernel_x2 if settings.scale == 2 else kernel_x4(kernel_x2)
    history: dict[str, NDArray[np.generic]] = {
        name: np.stack([run.history[name] for run in runs]) for name in runs[0].history
    }
    history["iteration"] = runs[0].iterations
    similar_at = tuple(run.similar_at for run in runs)
    lost = [f"seed {run.seed} diverged and was left out" for run in trained.runs if run.diverged]
    timings = {**photo.timings, "train": trained.seconds, "finish": time.perf_counter() - start}
    return Estimate(
        kernel=kernel,
        kernel_x2=kernel_x2,
        raw=raw,
        spread=spread,
        history=history,
        diagnostics=Diagnostics(
            timings=timings,
            warnings=(*photo.notes, *lost, *findings(kernel_x2, spread, similar_at, config)),
            config=config,
            seeds=tuple(run.seed for run in runs),
            similar_at=similar_at,
            versions=versions(),
            device=settings.device,
        ),
        source=photo.source,
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
