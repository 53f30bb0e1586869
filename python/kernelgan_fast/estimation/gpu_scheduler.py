"""Batches on GPUs: a thread for each feeds it, while others prepare and finish photos."""

from __future__ import annotations

import queue
import threading
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Generic, NoReturn, TypeAlias, TypeVar

from kernelgan_fast.estimation.capacity import MOST_PROBLEMS, MemoryBudget, photos_at_once
from kernelgan_fast.estimation.estimator import Found, TrainProgress
from kernelgan_fast.estimation.pipeline import find_batch
from kernelgan_fast.estimation.prefetcher import Item, Job, Prefetcher
from kernelgan_fast.estimation.result import Clock, PhotoResult

if TYPE_CHECKING:
    from kernelgan_fast.estimation.devices import Choice
    from kernelgan_fast.estimation.options import EstimateOptions

Result = TypeVar("Result")
# Makes of a photo's runs what its caller wants, writing files perhaps; what it raises ends the run.
Finish: TypeAlias = Callable[[Item, Found], Result]
# What a worker has the calling thread do, for callbacks and results belong there.
Message: TypeAlias = Callable[[], Iterable[Result | PhotoResult]]


class _Stopped(Exception):
    """The calling thread wants no more."""


def train_on_gpus(
    jobs: Sequence[Job[Item]],
    finish: Finish[Item, Result],
    settings: EstimateOptions,
    choice: Choice,
    clock: Clock,
) -> Generator[Result | PhotoResult, None, None]:
    """Train photos on one or more GPUs, each taking the next batch when it has done one.

    Args:
        jobs: one a photo; they run on CPU threads.
        finish: likewise, while the GPUs go on.
        settings: of the run.
        choice: of the GPUs.
        clock: of the run; progress is told from here, the calling thread.

    Yields:
        Failures and results, as they come.

    Raises:
        Whatever a job, a batch or `finish` raised; every thread has then ended.
    """
    if not jobs:
        return
    from kernelgan_fast.ops import native

    # Here as well as in training, where threads that set and restore it would cross.
    with native.cuda_matmul(settings.training.matmul):
        scheduler = _GpuScheduler(jobs, finish, settings, choice, clock)
        try:
            yield from scheduler.results()
        finally:
            scheduler.dismiss()


class _GpuScheduler(Generic[Item, Result]):
    def __init__(
        self,
        jobs: Sequence[Job[Item]],
        finish: Finish[Item, Result],
        settings: EstimateOptions,
        choice: Choice,
        clock: Clock,
    ) -> None:
        self._finish, self._settings, self._choice, self._clock = finish, settings, choice, clock
        self._photos = len(jobs)
        self._prefetcher = Prefetcher(jobs, settings.threads, ahead=self._at_once(MOST_PROBLEMS))
        self._finishers = ThreadPoolExecutor(settings.threads, thread_name_prefix="finish")
        self._mail: queue.SimpleQueue[Message[Result]] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._workers = [
            threading.Thread(target=self._work, args=(device,), name=device, daemon=True)
            for device in choice.devices
        ]
        self._working = len(self._workers)
        for worker in self._workers:
            worker.start()

    def results(self) -> Iterator[Result | PhotoResult]:
        """Do what the workers ask for until all have ended."""
        while self._working or self._clock.finishing:
            yield from self._mail.get()()

    def dismiss(self) -> None:
        """Have every thread end; each looks up about every 1 % of its batch."""
        self._stop.set()
        self._prefetcher.close()
        for worker in self._workers:
            worker.join()
        self._finishers.shutdown(cancel_futures=True)

    def _at_once(self, problems: int) -> int:
        seeds, gpus = len(self._settings.seeds), len(self._choice.devices)
        return photos_at_once(self._photos, seeds, gpus, problems)

    def _work(self, device: str) -> None:
        try:
            budget = MemoryBudget.with_free(free_bytes(device))
            while not self._stop.is_set() and self._train_next(device, budget):
                pass
        except _Stopped:
            pass
        except BaseException as error:  # told where it can be handled
            self._mail.put(_raiser(error))
        finally:
            self._mail.put(self._left)

    def _train_next(self, device: str, budget: MemoryBudget) -> bool:
        seeds, config = len(self._settings.seeds), self._settings.training
        batch, failures = self._prefetcher.take(
            self._at_once(budget.problems),
            lambda photos, size: budget.admits(photos * seeds, size, config),
        )
        self._mail.put(lambda: failures)
        if not batch:
            return False
        names = [item.label for item in batch]
        reports: list[TrainProgress] = []
        self._mail.put(lambda: self._begun(names, reports))

        def progress(iteration: int, losses: Mapping[str, float]) -> None:
            if self._stop.is_set():
                raise _Stopped
            self._mail.put(lambda: self._reached(reports[0], iteration, losses))

        photos = [item.prepared for item in batch]
        found = find_batch(
            photos, self._settings, self._choice, progress, device=device, budget=budget
        )
        choice = found[0].choice
        self._mail.put(lambda: self._trained(names, choice.notes if choice else ()))
        for item, each in zip(batch, found, strict=True):
            self._finishers.submit(self._finish_one, item, each)
        return True

    def _finish_one(self, item: Item, found: Found) -> None:
        try:
            result = self._finish(item, found)
        except BaseException as error:
            self._mail.put(_raiser(error))
        else:
            self._mail.put(lambda: self._finished(result))

    # What follows runs in the calling thread.

    def _begun(self, names: Sequence[str], reports: list[TrainProgress]) -> Iterable[Result]:
        reports.append(self._clock.start(names))
        return ()

    def _reached(
        self, report: TrainProgress, iteration: int, losses: Mapping[str, float]
    ) -> Iterable[Result]:
        report(iteration, losses)
        return ()

    def _trained(self, names: Sequence[str], notes: Sequence[str]) -> Iterable[Result]:
        self._clock.end(names)
        self._clock.finishing += len(names)
        for note in notes:
            warnings.warn(note, RuntimeWarning, stacklevel=2)
        return ()

    def _finished(self, result: Result) -> Iterable[Result]:
        self._clock.finishing -= 1
        return (result,)

    def _left(self) -> Iterable[Result]:
        self._working -= 1
        return ()


def free_bytes(device: str) -> int:
    """Memory of a GPU that nobody uses, what torch keeps for itself included."""
    import torch

    free: int = torch.cuda.mem_get_info(device)[0]
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


def _raiser(error: BaseException) -> Callable[[], NoReturn]:
    def throw() -> NoReturn:
        raise error

    return throw
