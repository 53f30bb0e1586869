"""The batches of a run: one after another on the CPU, or side by side on GPUs."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TYPE_CHECKING

from kernelgan_fast.errors import TrainingDiverged
from kernelgan_fast.estimation.capacity import photos_at_once
from kernelgan_fast.estimation.devices import Choice, choose
from kernelgan_fast.estimation.estimator import Found
from kernelgan_fast.estimation.gpu_scheduler import Result, train_on_gpus
from kernelgan_fast.estimation.pipeline import find_batch, photos_per_batch
from kernelgan_fast.estimation.result import PhotoResult

if TYPE_CHECKING:
    from kernelgan_fast.estimation.options import EstimateOptions
    from kernelgan_fast.estimation.prefetcher import Item, Job
    from kernelgan_fast.estimation.result import Clock


def train_photos(
    jobs: Sequence[Job[Item]],
    finish: Callable[[Item, Found], Result],
    settings: EstimateOptions,
    clock: Clock,
) -> Generator[Result | PhotoResult, None, None]:
    """Train photos in batches, wherever the settings say.

    On a CPU a photo is prepared when its batch comes and finished before the next one; beside GPUs
    both happen on threads, ahead and afterwards.

    Args:
        jobs: One per photo; prepares it, or returns its failure.
        finish: Converts what was found for a photo to what the caller wants.
        settings: of the run.
        clock: Progress clock of the run. Receives one event per batch.

    Yields:
        Failures and results as they come: on a CPU in the order of the jobs.

    Raises:
        NativeUnavailable: the compiled extension cannot be loaded.
        DeviceUnavailable: a GPU's memory does not hold a single problem.
        Whatever a job or `finish` raised.
    """
    seeds = len(settings.seeds)
    together = seeds * photos_at_once(len(jobs), seeds, gpus=1)
    choice = choose(settings, len(jobs) * seeds, together)
    if choice.devices != ("cpu",):
        yield from train_on_gpus(jobs, finish, settings, choice, clock)
        return
    size = photos_per_batch(seeds, settings.threads)
    batch: list[Item] = []
    for job in jobs:
        item = job()
        if isinstance(item, PhotoResult):
            yield item
            continue
        batch.append(item)
        if len(batch) == size:
            for one, found in _find(batch, settings, choice, clock):
                yield finish(one, found)
            batch = []
    if batch:
        for one, found in _find(batch, settings, choice, clock):
            yield finish(one, found)


def _find(
    batch: Sequence[Item], settings: EstimateOptions, choice: Choice, clock: Clock
) -> Iterator[tuple[Item, Found]]:
    names = [item.label for item in batch]
    report = clock.start(names)
    try:
        found = find_batch([item.prepared for item in batch], settings, choice, report)
    except TrainingDiverged as error:
        found = [Found(failure=error)] * len(batch)
    clock.end(names)
    return zip(batch, found, strict=True)
