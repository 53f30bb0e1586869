"""The trainer's progress calls become events that know the whole run and the time left."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from kernelgan_fast.runs.result import ProgressEvent

Progress: TypeAlias = Callable[[ProgressEvent], None]


class Clock:
    """Keeps the time of one run.

    Args:
        total: photos in the run.
        iterations: of every batch.
        progress: where the events go, if anywhere.

    Attributes:
        done: photos finished; whoever runs the batches keeps it up to date.
    """

    def __init__(self, total: int, iterations: int, progress: Progress | None) -> None:
        self.done = 0
        self._total = total
        self._iterations = iterations
        self._progress = progress
        self._began = time.perf_counter()
        # When the first progress came and how much was done: what came before is warming up.
        self._warm: tuple[float, float] | None = None
        self._trained = 0

    def start(self, batch: Sequence[str]) -> Callable[[int, Mapping[str, float]], None]:
        """Begin a batch.

        Args:
            batch: the names of its photos.

        Returns:
            The function that takes the trainer's progress calls.
        """
        before = self._trained
        self._trained += len(batch)

        def report(iteration: int, losses: Mapping[str, float]) -> None:
            self._tell(batch, before, iteration + 1, losses)

        self._tell(batch, before, 0, {})
        return report

    def _tell(
        self, batch: Sequence[str], before: int, iterations: int, losses: Mapping[str, float]
    ) -> None:
        if self._progress is None:
            return
        within = len(batch) * iterations / self._iterations
        event = ProgressEvent(
            photos_done=self.done,
            photos_total=self._total,
            iteration=iterations,
            iterations=self._iterations,
            losses=dict(losses),
            elapsed=time.perf_counter() - self._began,
            remaining=self._remaining(before + within, within),
            batch=tuple(batch),
        )
        self._progress(event)

    def _remaining(self, trained: float, within: float) -> float | None:
        if trained == 0:
            return None
        now = time.perf_counter()
        if self._warm is None:
            self._warm = (now, trained)
        began, before = self._warm
        if trained <= before:
            return None
        return (now - began) / (trained - before) * max(self._total - self.done - within, 0.0)
