"""What the photos give to each iteration: crops, their ideal downscale, noise."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kernelgan_fast.errors import InputError
from kernelgan_fast.gan import losses
from kernelgan_fast.gan.config import TrainConfig
from kernelgan_fast.gan.crops import CropPlan

GENERATOR_STREAM, REAL_STREAM, FAKE_STREAM = 0, 1, 2
CHUNK_BYTES = 1 << 20


@dataclasses.dataclass(frozen=True)
class Problem:
    """One kernel to estimate.

    Args:
        plan: the photo and where its crops come from.
        seed: from 0 to 2^63 - 1; decides initial weights, crops and noise.
        start: (K, K) kernel that the generator begins at and is pulled towards; None begins at
            random weights and pulls towards the bicubic kernel.

    Raises:
        InputError: the seed is out of range.
    """

    plan: CropPlan
    seed: int
    start: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 1 << 63:
            raise InputError(f"seed must be from 0 to 2^63 - 1, got {self.seed}; choose another.")


class Batch(NamedTuple):
    """What one iteration needs from the photos.

    Attributes:
        crops: (N, 3, S, S) for the generator, in [-1, 1].
        target: (N, 3 or 1, T, T) ideal downscale of these crops.
        real: (N, 3, T, T) for the discriminator, with noise.
        noise: (N, 3, T, T) to add to the generator's output in the D step; None adds nothing.
    """

    crops: Tensor
    target: Tensor
    real: Tensor
    noise: Tensor | None


class Source:
    """What the photos of N problems give to any segment of iterations.

    Crops are copies, so the discriminator's noise never enters the photo (in the published program
    it is written into it and piles up).

    Args:
        problems: photos with seeds.
        config: sizes, noise, ideal target.
        ops: module with the ops.
        device, dtype: of the tensors.
    """

    def __init__(
        self,
        problems: Sequence[Problem],
        config: TrainConfig,
        *,
        ops: Any,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self._config, self._ops, self._dtype = config, ops, dtype
        self._seeds = torch.tensor([problem.seed for problem in problems], device=device)
        plans = [problem.plan for problem in problems]
        self._images = _moved([plan.image for plan in plans], device)
        self._generator_cdfs = _moved([plan.generator_cdf for plan in plans], device)
        self._real_cdfs = _moved([plan.discriminator_cdf for plan in plans], device)
        bicubic = losses.ideal_kernel(config.kernel_size)
        starts = [problem.start for problem in problems]
        ideals = [bicubic if start is None else torch.tensor(start) for start in starts]
        self._ideals = torch.stack(ideals).to(device, dtype)

    def draw(self, first: int, steps: int) -> Batch:
        """Draw the batches of some iterations at once.

        Args:
            first, steps: iterations first .. first + steps - 1.

        Returns:
            A `Batch` whose tensors have the iterations as a further, leading axis.
        """
        config, ops, seeds = self._config, self._ops, self._seeds
        side = config.discriminator_crop
        crops, _ = ops.sample_crops(
            self._images,
            self._generator_cdfs,
            seeds,
            GENERATOR_STREAM,
            first,
            steps,
            config.crop,
            0.0,
        )
        real, _ = ops.sample_crops(
            self._images,
            self._real_cdfs,
            seeds,
            REAL_STREAM,
            first,
            steps,
            side,
            config.noise_real,
        )
        crops = crops.to(self._dtype)
        # "summed" keeps the published fault: each channel aims at the sum of the three.
        shown = crops.sum(dim=2, keepdim=True) if config.ideal_target == "summed" else crops
        kernels = self._ideals.repeat(steps, 1, 1)
        target = ops.downscale_crops(shown.flatten(0, 1), kernels)
        target = target.unflatten(0, (steps, len(seeds)))
        noise = None
        if config.noise_fake:
            values = ops.gaussian_noise(seeds, FAKE_STREAM, first, steps, (3, side, side))
            noise = values.to(self._dtype).mul_(config.noise_fake)
        return Batch(crops, target, real.to(self._dtype), noise)


def bytes_per_iteration(config: TrainConfig) -> int:
    """Return the size of one problem's `Batch` of one iteration in float32."""
    return 4 * 3 * (config.crop**2 + 3 * config.discriminator_crop**2)


def one_by_one(batch: Batch) -> Iterator[Batch]:
    """Yield the iterations of what `Source.draw` gave, as views."""
    steps = len(batch.crops)
    noise: Sequence[Tensor | None] = [None] * steps
    if batch.noise is not None:
        noise = batch.noise.unbind()
    return map(Batch, batch.crops.unbind(), batch.target.unbind(), batch.real.unbind(), noise)


def batches(
    problems: Sequence[Problem],
    config: TrainConfig,
    *,
    ops: Any,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Iterator[Batch]:
    """Yield what each iteration needs, drawn several iterations at a time.

    Args:
        problems: photos with seeds.
        config: sizes, noise, ideal target, number of iterations.
        ops: module with the ops.
        device, dtype: of the tensors.

    Yields:
        One `Batch` an iteration.
    """
    source = Source(problems, config, ops=ops, device=device, dtype=dtype)
    chunk = max(1, CHUNK_BYTES // bytes_per_iteration(config))
    for first in range(0, config.iterations, chunk):
        yield from one_by_one(source.draw(first, min(chunk, config.iterations - first)))


def _moved(tensors: Sequence[Tensor], device: torch.device | str) -> list[Tensor]:
    """Each tensor on the device; what several problems share is there once."""
    there = {id(tensor): tensor.to(device) for tensor in tensors}
    return [there[id(tensor)] for tensor in tensors]
