"""What a photo's runs come to: its kernels, how far runs are apart, which error to expect."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from kernelgan_fast.errors import InputError, TrainingDiverged
from kernelgan_fast.kernels.blur_kernel import BlurKernel
from kernelgan_fast.kernels.postprocess import kernel_x4, postprocess

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kernelgan_fast.estimation.recurrence import RecurrenceEstimate
    from kernelgan_fast.estimation.spectral import SpectralEstimate
    from kernelgan_fast.gan.config import TrainConfig
    from kernelgan_fast.gan.trainer import TrainedKernel


@dataclass(frozen=True)
class Outcome:
    """The kernels of a photo; see `result.Estimate`, whose attributes these become.

    Attributes:
        kernels: by scale: 2, and 4 where it was asked for.
        raw: (K, k, k), as the runs found them.
        spread, expected_error: relative, or None.
        warnings: what the method says of them.
    """

    kernels: Mapping[int, BlurKernel]
    raw: NDArray[np.float64]
    spread: float | None = None
    expected_error: float | None = None
    warnings: tuple[str, ...] = ()


def of_training(runs: Sequence[TrainedKernel], config: TrainConfig, scale: int) -> Outcome:
    """The mean of what several seeds learned from random starts.

    Raises:
        InputError: a kernel cannot be used, such as one that is nowhere positive.
    """
    raw = np.stack([run.kernel for run in runs])
    kernel, spread = _mean([_usable(array, config) for array in raw])
    kernels = {2: kernel} if scale == 2 else {2: kernel, 4: kernel_x4(kernel)}
    return Outcome(kernels, raw, spread)


def of_start(
    starts: Mapping[int, SpectralEstimate], runs: Sequence[TrainedKernel], scale: int
) -> Outcome:
    """The kernels in closed form.

    Training from there does not make them better, but how far it moves tells how far to trust
    them (docs/accuracy.md).
    """
    start = starts[2].kernel.array
    raw = np.stack([run.kernel for run in runs] or [start])
    moved, spread = _movement(raw, start)
    expected = math.hypot(starts[2].quality.expected_error, moved)
    kernels = {scale: found.kernel for scale, found in starts.items()}
    return Outcome(kernels, raw, spread, expected, starts[scale].warnings)


def of_searches(searches: Sequence[Mapping[int, RecurrenceEstimate]], scale: int) -> Outcome:
    """The mean of the kernels by which a photo's patches recur, one a seed.

    No error is told beforehand: the residual hardly ranks the errors of a kind (docs/accuracy.md).
    """
    means = {s: _mean([found[s].kernel for found in searches]) for s in sorted({2, scale})}
    raw = np.stack([found[2].recurring.array for found in searches])
    told = dict.fromkeys(warning for found in searches for warning in found[2].warnings)
    kernels = {scale: kernel for scale, (kernel, _) in means.items()}
    return Outcome(kernels, raw, means[2][1], None, tuple(told))


def finite(runs: Sequence[TrainedKernel]) -> list[TrainedKernel]:
    """The runs that did not diverge.

    Raises:
        TrainingDiverged: all of them did.
    """
    kept = [run for run in runs if not run.diverged]
    if kept or not runs:
        return kept
    raise TrainingDiverged(
        "losses and kernel must stay finite, got others with every seed; try another seed or a "
        "lower learning rate",
        iteration=int(runs[0].iterations[-1]),
        losses={name: float(values[-1]) for name, values in runs[0].history.items()},
    )


def _movement(raw: NDArray[np.float64], start: NDArray[np.float64]) -> tuple[float, float | None]:
    """How far trained kernels are from their start, and from each other, relative to the start."""
    kernels = raw / raw.sum(axis=(1, 2), keepdims=True)
    norm = np.linalg.norm(start)
    mean = kernels.mean(axis=0)
    moved = float(np.linalg.norm(mean - start) / norm)
    distances = np.linalg.norm(kernels - mean, axis=(1, 2)) / norm
    return moved, float(distances.mean()) if len(kernels) > 1 else None


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
