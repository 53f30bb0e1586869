"""One batch of photos: prepare each, train all as one set of problems, finish each."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from kernelgan_fast.analysis import analyse_photo
from kernelgan_fast.errors import InputError
from kernelgan_fast.estimation import aggregation as outcomes
from kernelgan_fast.estimation.devices import Choice
from kernelgan_fast.estimation.kernel_warnings import findings
from kernelgan_fast.estimation.options import Settings, versions
from kernelgan_fast.estimation.result import Diagnostics, Estimate
from kernelgan_fast.estimation.spectral import (
    SpectralEstimate,
    TileMap,
    estimate_spectral_scales,
    estimate_tiles,
    grid_for,
)
from kernelgan_fast.estimation.spectral.tiles import SMALLEST_REGION
from kernelgan_fast.gan.crops import CropPlan, plan_crops, smallest_side
from kernelgan_fast.images import as_photo, read_image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kernelgan_fast.estimation.capacity import MemoryBudget
    from kernelgan_fast.estimation.recurrence import RecurrenceEstimate
    from kernelgan_fast.gan.trainer import TrainedKernel
    from kernelgan_fast.kernels.blur_kernel import BlurKernel

TrainProgress = Callable[[int, Mapping[str, float]], None]
Searches: TypeAlias = "Sequence[Mapping[int, RecurrenceEstimate]] | InputError"


@dataclass(frozen=True)
class Prepared:
    """A photo ready to train on.

    Attributes:
        plan: its pixels and crop distributions; None where nothing is to be trained.
        starts: by scale the kernel in closed form, where the profile begins there; else empty.
        source: the file it came from, or "array".
        notes: what was done to it while reading.
        timings: seconds of the stages read, analysis, spectrum and prepare.
        tiles: kernels by region, where they were asked for.
        pixels: the photo, where it is to be searched for recurring patches.
        analysis: what was measured on it, for the record.
    """

    plan: CropPlan | None
    source: str
    notes: tuple[str, ...]
    timings: Mapping[str, float] = field(default_factory=dict)
    starts: Mapping[int, SpectralEstimate] = field(default_factory=dict)
    tiles: TileMap | None = None
    pixels: NDArray[np.generic] | None = None
    analysis: Mapping[str, object] = field(default_factory=dict)


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
        searches: of a photo searched for recurring patches, what each seed found by scale, or the
            reason why nothing can be found.
    """

    photo: Prepared
    runs: Sequence[TrainedKernel]
    seconds: float
    device: str
    choice: Choice
    notes: tuple[str, ...] = ()
    searches: Searches = ()


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
    analysis = analyse_photo(photo).facts()
    measured = time.perf_counter()
    starts, tiles = _closed_form(photo.pixels, settings)
    started = time.perf_counter()
    plan, notes = _plan(photo.pixels, settings)
    if settings.tiles == "auto" and tiles is not None and tiles.grid == (1, 1):
        notes.append(
            f"tiles need {SMALLEST_REGION} px a side, so that there is one; a grid of your own, "
            "such as 3x3, makes smaller ones, which err more"
        )
    timings = {
        "read": opened - began,
        "analysis": measured - opened,
        "spectrum": started - measured,
        "prepare": time.perf_counter() - started,
    }
    pixels = photo.pixels if settings.config.start == "recurrence" else None
    noted = (*photo.notes, *notes)
    return Prepared(plan, photo.source, noted, timings, starts, tiles, pixels, analysis)


def _closed_form(
    pixels: NDArray[np.generic], settings: Settings
) -> tuple[Mapping[int, SpectralEstimate], TileMap | None]:
    if settings.config.start != "spectral":
        return {}, None
    threads = settings.threads
    starts = estimate_spectral_scales(pixels, sorted({2, settings.scale}), threads=threads)
    grid = settings.tiles
    if grid is None:
        return starts, None
    if isinstance(grid, str):
        grid = grid_for(*pixels.shape[:2])
    tiles = estimate_tiles(pixels, grid, scale=settings.scale, threads=threads)
    return starts, replace(tiles, whole=starts[settings.scale])  # they differ by rounding


def _plan(pixels: NDArray[np.generic], settings: Settings) -> tuple[CropPlan | None, list[str]]:
    """The crops to train on, if any, and what to say of it."""
    config = settings.config
    if config.iterations == 0 or config.start == "recurrence":
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
    room: MemoryBudget | None = None,
) -> list[Trained]:
    """Train every photo with every seed as one batch, or search each for recurring patches.

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
    searches: Sequence[Searches] = [()] * len(photos)
    if settings.config.start == "recurrence":
        searches = _search(photos, settings, progress)
    elif any(photo.plan is not None for photo in photos):
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
            found,
        )
        for photo, found in zip(photos, searches, strict=True)
    ]


def _train(
    photos: Sequence[Prepared],
    settings: Settings,
    progress: TrainProgress | None,
    device: str,
    room: MemoryBudget | None,
) -> tuple[list[TrainedKernel], tuple[str, ...]]:
    # Late, because they load torch, which takes longer than a kernel in closed form.
    from kernelgan_fast.estimation.memory_retry import train_in_parts
    from kernelgan_fast.gan import trainer

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


def _search(
    photos: Sequence[Prepared], settings: Settings, progress: TrainProgress | None
) -> list[Searches]:
    # Late, because most runs do without.
    from kernelgan_fast.estimation.recurrence import estimate_recurrence_scales

    config, scales = settings.config, sorted({2, settings.scale})
    total, done = len(photos) * len(settings.seeds), 0

    def report(rounds: int, of: int) -> None:
        if progress is not None:
            progress(max((done * of + rounds) // total - 1, 0), {})

    found: list[Searches] = []
    for photo in photos:
        assert photo.pixels is not None
        searches = []
        try:
            for seed in settings.seeds:
                searches.append(
                    estimate_recurrence_scales(
                        photo.pixels,
                        scales,
                        iterations=config.iterations,
                        seed=seed,
                        real=settings.real,
                        shave=config.shave,
                        progress=report,
                    )
                )
                done += 1
            found.append(searches)
        except InputError as error:  # of this photo alone
            found.append(error)
            done += len(settings.seeds) - len(searches)
    return found


def finish(trained: Trained, settings: Settings) -> Estimate:
    """Turn a photo's runs, or its start in closed form, into its kernel.

    Runs that diverged are left out, with a warning.

    Raises:
        TrainingDiverged: all of them did.
        InputError: a trained kernel cannot be used, such as one that is nowhere positive, or the
            photo's patches tell none.
    """
    begin = time.perf_counter()
    config, photo = settings.config, trained.photo
    if isinstance(trained.searches, InputError):
        raise trained.searches
    runs = outcomes.finite(trained.runs)
    found = _outcome(trained, runs, settings)
    provenance = _provenance(photo, settings, runs)
    kernels = {
        scale: replace(
            kernel,
            provenance={**provenance, **_derivation(kernel)},
            expected_error=found.expected_error,
        )
        for scale, kernel in found.kernels.items()
    }
    history: dict[str, NDArray[np.generic]] = {
        name: np.stack([run.history[name] for run in runs])
        for name in (runs[0].history if runs else ())
    }
    history["iteration"] = runs[0].iterations if runs else np.zeros(0, np.int64)
    similar_at = tuple(run.similar_at for run in runs)
    lost = [f"seed {run.seed} diverged and was left out" for run in trained.runs if run.diverged]
    more = findings(kernels[2], found.spread, similar_at, config, found.expected_error)
    timings = {**photo.timings, "train": trained.seconds, "finish": time.perf_counter() - begin}
    return Estimate(
        kernel=kernels[settings.scale],
        kernel_x2=kernels[2],
        raw=found.raw,
        spread=found.spread,
        expected_error=found.expected_error,
        history=history,
        diagnostics=Diagnostics(
            timings=timings,
            warnings=(*photo.notes, *lost, *found.warnings, *more),
            config=config,
            seeds=tuple(run.seed for run in runs) or settings.seeds,
            similar_at=similar_at,
            versions=versions(),
            device=trained.device,
            device_choice=trained.choice.facts(trained.notes),
            spectrum=photo.starts[2].facts() if photo.starts else None,
            recurrence=tuple(search[2].facts() for search in trained.searches) or None,
            analysis=photo.analysis,
        ),
        source=photo.source,
        tiles=photo.tiles,
    )


def _outcome(
    trained: Trained, runs: Sequence[TrainedKernel], settings: Settings
) -> outcomes.Outcome:
    assert not isinstance(trained.searches, InputError)
    if trained.searches:
        return outcomes.of_searches(trained.searches, settings.scale)
    if trained.photo.starts:
        return outcomes.of_start(trained.photo.starts, runs, settings.scale)
    return outcomes.of_training(runs, settings.config, settings.scale)


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
    return {name: told for name, told in kernel.provenance.items() if name == "derived"}


def _provenance(
    photo: Prepared, settings: Settings, runs: Sequence[TrainedKernel]
) -> dict[str, object]:
    # Nothing here changes from run to run: the same photo, seed and version give the same bytes.
    return {
        "program": f"kernelgan-fast {versions()['kernelgan_fast']}",
        "source": Path(photo.source).name,
        "profile": settings.config.profile,
        "iterations": settings.config.iterations,
        "seeds": [run.seed for run in runs] or ([] if photo.starts else list(settings.seeds)),
        "real": settings.real,
    }
