"""The values a run hands out: an estimate, what is known about it, and where a run stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

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
