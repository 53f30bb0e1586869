"""The trainer's progress calls become events that know the whole run and the time left."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from kernelgan_fast.estimation.result import ProgressEvent

Progress: TypeAlias = Callable[[ProgressEvent], None]


@dataclass
class _Running:
    batch: Sequence[str]
    iterations: int = 0


class Clock:
    """Keeps the time of one run.

    Args:
        total: photos in the run.
        iterations: of every batch.
        progress: where the events go, if anywhere.

    Attributes:
        done: photos finished; whoever runs the batches keeps it up to date.
        finishing: photos trained and about to be done, likewise.
    """

    def __init__(self, total: int, iterations: int, progress: Progress | None) -> None:
        self.done = 0
        self.finishing = 0
        self._total = total
        self._iterations = iterations
        self._progress = progress
        self._began = time.perf_counter()
        # When the first progress came and how much was done: what came before is warming up.
        self._warm: tuple[float, float] | None = None
        self._trained = 0
        self._told = 0  # the most iterations, over all photos, that an event has spoken of
        # The batches in training, one a device: their photos, and the iterations done.
        self._running: list[_Running] = []

    def start(self, batch: Sequence[str]) -> Callable[[int, Mapping[str, float]], None]:
        """Begin a batch.

        Args:
            batch: the names of its photos.

        Returns:
            The function that takes the trainer's progress calls.
        """
        running = _Running(batch)
        self._running.append(running)

        def report(iteration: int, losses: Mapping[str, float]) -> None:
            running.iterations = iteration + 1
            self._tell(losses)

        self._tell({})
        return report

    def end(self, batch: Sequence[str]) -> None:
        """End a batch; from now on its photos count where they are `done` or `finishing`."""
        (running,) = (one for one in self._running if one.batch is batch)
        self._running.remove(running)
        self._trained += len(batch)

    def _tell(self, losses: Mapping[str, float]) -> None:
        if self._progress is None:
            return
        names = tuple(name for running in self._running for name in running.batch)
        steps = sum(len(running.batch) * running.iterations for running in self._running)
        within = steps / self._iterations if self._iterations else 0.0
        done = self.done + self.finishing
        event = ProgressEvent(
            photos_done=done,
            photos_total=self._total,
            iteration=self._iteration(done, steps, len(names)),
            iterations=self._iterations,
            losses=dict(losses),
            elapsed=time.perf_counter() - self._began,
            remaining=self._remaining(self._trained + within, within),
            batch=names,
        )
        self._progress(event)

    def _iteration(self, done: int, steps: int, photos: int) -> int:
        """The mean of the batches, rounded down, but so that no event is behind the one before.

        Where a batch joins, what is lost by rounding grows.
        """
        at_least = -(-(self._told - done * self._iterations) // photos)
        iteration = min(max(steps // photos, at_least), self._iterations)
        self._told = done * self._iterations + photos * iteration
        return iteration

    def _remaining(self, trained: float, within: float) -> float | None:
        if trained == 0:
            return None
        now = time.perf_counter()
        if self._warm is None:
            self._warm = (now, trained)
        began, before = self._warm
        if trained <= before:
            return None
        return (
            (now - began)
            / (trained - before)
            * max(self._total - self.done - self.finishing - within, 0.0)
        )
