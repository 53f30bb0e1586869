"""The values a run hands out: an estimate, what is known about it, and where a run stands."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kernelgan_fast.estimation.spectral import TileMap
    from kernelgan_fast.gan.config import TrainConfig
    from kernelgan_fast.kernels.blur_kernel import BlurKernel
    from kernelgan_fast.urls import Url


@dataclass(frozen=True)
class Diagnostics:
    """How an estimate came about.

    Attributes:
        timings: Seconds by stage: read, analysis, prepare (spectral estimate, or plan of the
            crops), train (of the whole batch), finish.
        warnings: what may make the kernel less trustworthy, and what was done to the photo.
        method: "spectral", "kernelgan" or "recurrence".
        config: Of KernelGAN, overrides included; None for other methods.
        seeds: one seed a run, in the order of `Estimate.raw` and `Estimate.history`.
        similar_at: for each run the iteration from which the generator counted as similar to
            the ideal downscaler, or None.
        versions: package, python, torch and numpy.
        device: where it trained.
        device_choice: what was asked for, why this device was taken, the seconds expected of
            each that was timed, and notes of what went otherwise than planned.
        spectrum: What the spectral estimate found at scale 2 (see `spectral.SpectralEstimate`);
            None where the method does not use it.
        recurrence: how well the photo's patches recur, for each seed (see
            `recurrence.RecurrenceQuality`); None of other methods.
        analysis: what was measured on the photo (see `analysis.PhotoAnalysis`).
    """

    timings: Mapping[str, float]
    warnings: tuple[str, ...]
    method: str
    config: TrainConfig | None
    seeds: tuple[int, ...]
    similar_at: tuple[int | None, ...]
    versions: Mapping[str, str]
    device: str
    device_choice: Mapping[str, object] = field(default_factory=dict)
    spectrum: Mapping[str, object] | None = None
    recurrence: tuple[Mapping[str, object], ...] | None = None
    analysis: Mapping[str, object] | None = None


@dataclass(frozen=True, eq=False)
class Estimate:
    """The downscaling kernel of one photo.

    Attributes:
        kernel: the kernel at the scale asked for. Of several seeds it is the mean of their
            kernels, which are aligned because each is centred first.
        kernel_x2: the same at scale 2 (the same object when scale 2 was asked for).
        raw: (K, k, k) float64, the kernel of each seed as trained: not cut, normalised, centred.
            For KernelGAN that starts at the spectral estimate `kernel` is the start, and these have
            moved; for the method recurrence these are the paper's kernels, and `kernel` is theirs
            stretched.
        expected_error: the relative error ‖kernel - truth‖₂ / ‖truth‖₂ at scale 2 to be expected
            (root mean square), from what the spectrum leaves open and from how far training moved
            away from the start; None for KernelGAN that starts at random, and for the method
            recurrence, whose residual tells kinds of kernels apart but hardly their errors.
        spread: mean over the seeds of ‖kernel - mean‖₂ / ‖mean‖₂ at scale 2; None of one seed.
        history: by loss name a (K, R) float array; "iteration" is (R,) int, the iterations kept.
        diagnostics: timings, warnings, config, seeds, versions.
        source: the file the photo came from, or "array".
        tiles: kernels by region at the scale asked for, where `tiles` were; else None.
    """

    kernel: BlurKernel
    kernel_x2: BlurKernel
    raw: NDArray[np.float64]
    spread: float | None
    expected_error: float | None
    history: Mapping[str, NDArray[np.generic]]
    diagnostics: Diagnostics
    source: str
    tiles: TileMap | None = None

    def __repr__(self) -> str:
        spread = "" if self.spread is None else f", spread {self.spread:.0%}"
        if self.expected_error is not None:
            spread += f", expected error {self.expected_error:.0%}"
        found = len(self.diagnostics.warnings)
        warnings = f", {found} warning{'s' * (found > 1)}" if found else ""
        return f"Estimate({self.source!r}, {self.kernel!r}{spread}{warnings})"

    @property
    def kernels(self) -> Mapping[int, BlurKernel]:
        """The kernels by scale, of 2 and, where it was asked for, of 4."""
        return {self.kernel_x2.scale: self.kernel_x2, self.kernel.scale: self.kernel}


@dataclass(frozen=True)
class ProgressEvent:
    """Where a run stands.

    Attributes:
        photos_done: photos finished, of `photos_total`; failed and skipped ones count.
        iteration: iterations done of the batch in training, of `iterations`.
        losses: the latest losses, mean over the batch, by name.
        elapsed: seconds since the run began.
        remaining: seconds left, estimated; None until something is known.
        batch: the names of the photos in training.
        unit: what `iteration` counts, in one word.
    """

    photos_done: int
    photos_total: int
    iteration: int
    iterations: int
    losses: Mapping[str, float]
    elapsed: float
    remaining: float | None
    batch: tuple[str, ...]
    unit: str = "iteration"

    @property
    def fraction(self) -> float:
        """The part of the run that is done, 0 to 1."""
        within = len(self.batch) * self.iteration / self.iterations if self.iterations else 0.0
        return min((self.photos_done + within) / max(self.photos_total, 1), 1.0)


@dataclass(frozen=True)
class PhotoResult:
    """What became of one photo of a folder run.

    Attributes:
        source: the photo as given, a URL where it is not a file.
        status: "done", "skipped" (finished by an earlier run) or "failed".
        record: the record file, None of a failed photo.
        summary: the record's content (see `runs.records`), empty of a failed photo.
        estimate: of a done photo.
        error: the reason of a failed photo, one line.
    """

    source: Path | Url
    status: Literal["done", "skipped", "failed"]
    record: Path | Url | None
    summary: Mapping[str, object]
    estimate: Estimate | None
    error: str | None


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
