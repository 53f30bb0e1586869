"""KernelGAN: a generator per photo and seed is trained, and composes to the kernel.

Source: Bell-Kligler et al., "Blind Super-Resolution Kernel Estimation using an Internal-GAN",
    NeurIPS 2019.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from kernelgan_fast.errors import InputError, KernelGanError, TrainingDiverged
from kernelgan_fast.estimation.estimator import Found, Prepared, mean_kernel
from kernelgan_fast.gan.config import TrainConfig
from kernelgan_fast.gan.crops import plan_crops, smallest_side
from kernelgan_fast.kernels.blur_kernel import BlurKernel
from kernelgan_fast.kernels.postprocess import kernel_x4, postprocess

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kernelgan_fast.estimation.capacity import MemoryBudget
    from kernelgan_fast.estimation.estimator import TrainProgress
    from kernelgan_fast.estimation.options import EstimateOptions
    from kernelgan_fast.estimation.spectral import SpectralEstimate
    from kernelgan_fast.gan.trainer import TrainedKernel


class KernelGan:
    """Trains one generator per photo and seed, all of a batch together.

    Args:
        options: `config`, `scale`, `seeds`, `real` and `threads` apply.
    """

    def __init__(self, options: EstimateOptions) -> None:
        self._options = options
        self._config = options.training

    def prepare(self, pixels: NDArray[np.generic]) -> Prepared:
        """Plan the crops; with `config.start` "spectral" also estimate the kernel to start from."""
        config, real = self._config, self._options.real
        if config.start != "spectral":
            return Prepared(plan=plan_crops(pixels, config, real=real))
        from kernelgan_fast.estimation.spectral.estimator import spectra_of

        spectra = spectra_of(pixels, self._options)
        least, side = smallest_side(config, real=real), min(pixels.shape[:2])
        if side < least:
            note = (
                f"the kernel is the spectral estimate: training needs {least} px per side, this "
                f"photo has {side}"
            )
            return Prepared(spectra=spectra, notes=(note,))
        return Prepared(spectra=spectra, plan=plan_crops(pixels, config, real=real))

    def find(
        self,
        photos: Sequence[Prepared],
        progress: TrainProgress | None,
        *,
        device: str = "cpu",
        budget: MemoryBudget | None = None,
    ) -> tuple[list[Found], tuple[str, ...]]:
        """See `Estimator`."""
        trained, notes = self._train(photos, progress, device, budget)
        left = iter(trained)
        count = len(self._options.seeds)
        found = []
        for photo in photos:
            runs = list(itertools.islice(left, 0 if photo.plan is None else count))
            try:
                found.append(self._found(photo, runs))
            except KernelGanError as error:  # of this photo alone
                found.append(Found(failure=error))
        return found, notes

    def _train(
        self,
        photos: Sequence[Prepared],
        progress: TrainProgress | None,
        device: str,
        budget: MemoryBudget | None,
    ) -> tuple[list[TrainedKernel], tuple[str, ...]]:
        if all(photo.plan is None for photo in photos):
            return [], ()
        # Late, because they load torch.
        from kernelgan_fast.estimation.memory_retry import train_in_parts
        from kernelgan_fast.gan import trainer

        options = self._options
        problems = [
            trainer.Problem(
                photo.plan, seed, photo.spectra[2].kernel.array if photo.spectra else None
            )
            for photo in photos
            if photo.plan is not None
            for seed in options.seeds
        ]
        if budget is not None:
            return train_in_parts(problems, self._config, device, budget, progress)
        trained = trainer.train(
            problems, self._config, device=device, threads=options.threads, progress=progress
        )
        return trained, ()

    def _found(self, photo: Prepared, all_runs: Sequence[TrainedKernel]) -> Found:
        """Combine the runs of a photo; those that diverged are left out, with a warning."""
        scale = self._options.scale
        runs = _finite(all_runs)
        if photo.spectra:
            found = _around_start(photo.spectra, runs, scale)
        else:
            found = _mean_of(runs, self._config, scale)
        if not runs:
            return found
        lost = (f"seed {run.seed} diverged and was left out" for run in all_runs if run.diverged)
        history = {name: np.stack([run.history[name] for run in runs]) for name in runs[0].history}
        return replace(
            found,
            warnings=(*lost, *found.warnings),
            history={**history, "iteration": runs[0].iterations},
            seeds=tuple(run.seed for run in runs),
            similar_at=tuple(run.similar_at for run in runs),
        )


def _mean_of(runs: Sequence[TrainedKernel], config: TrainConfig, scale: int) -> Found:
    """Average what several seeds learned from random starts.

    Raises:
        InputError: A kernel cannot be used, such as one that is nowhere positive.
    """
    raw = np.stack([run.kernel for run in runs])
    kernel, spread = mean_kernel([_usable(array, config) for array in raw])
    kernels = {2: kernel} if scale == 2 else {2: kernel, 4: kernel_x4(kernel)}
    return Found(kernels, raw, spread)


def _around_start(
    spectra: Mapping[int, SpectralEstimate], runs: Sequence[TrainedKernel], scale: int
) -> Found:
    """Keep the spectral estimates, with an error that includes how far training moved away.

    Training from there does not improve kernels, but the distance indicates how far to trust them
    (docs/accuracy.md).
    """
    from kernelgan_fast.estimation.spectral.estimator import found_by_spectrum

    found = found_by_spectrum(spectra, scale)
    if not runs:
        return found
    start = spectra[2].kernel.array
    raw = np.stack([run.kernel for run in runs])
    kernels = raw / raw.sum(axis=(1, 2), keepdims=True)
    norm = np.linalg.norm(start)
    mean = kernels.mean(axis=0)
    moved = float(np.linalg.norm(mean - start) / norm)
    distances = np.linalg.norm(kernels - mean, axis=(1, 2)) / norm
    spread = float(distances.mean()) if len(kernels) > 1 else None
    error = math.hypot(spectra[2].quality.expected_error, moved)
    return replace(found, raw=raw, spread=spread, expected_error=error)


def _finite(runs: Sequence[TrainedKernel]) -> list[TrainedKernel]:
    """Select the runs that did not diverge.

    Raises:
        TrainingDiverged: All of them did.
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


def _usable(raw: NDArray[np.float64], config: TrainConfig) -> BlurKernel:
    try:
        return postprocess(raw, kept_values=config.kept_values, cut_fraction=config.cut_fraction)
    except InputError as error:
        # The generator starts near zero, and its first kernels may well be negative.
        raise InputError(
            f"the kernel after {config.iterations} iterations must have positive values that can "
            f"be centred, got another ({error}); train longer or try another seed"
        ) from error
