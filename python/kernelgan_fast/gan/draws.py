"""What the photos give to each iteration: crops, their ideal downscale, noise."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from kernelgan_fast.config import TrainConfig
from kernelgan_fast.crops import CropPlan
from kernelgan_fast.errors import InputError
from kernelgan_fast.gan import losses

GENERATOR_STREAM, REAL_STREAM, FAKE_STREAM = 0, 1, 2
CHUNK_BYTES = 1 << 20


@dataclasses.dataclass(frozen=True)
class Problem:
    """One kernel to estimate.

    Args:
        plan: the photo and where its crops come from.
        seed: from 0 to 2^63 - 1; decides initial weights, crops and noise.

    Raises:
        InputError: the seed is out of range.
    """

    plan: CropPlan
    seed: int

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 1 << 63:
            raise InputError(f"seed must be from 0 to 2^63 - 1, got {self.seed}; choose another.")


class Draw(NamedTuple):
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


def draws(
    problems: Sequence[Problem],
    config: TrainConfig,
    *,
    ops: Any,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Iterator[Draw]:
    """Yield what each iteration needs, drawn several iterations at a time.

    Crops are copies, so the discriminator's noise never enters the photo (in the published program
    it is written into it and piles up).

    Args:
        problems: photos with seeds.
        config: sizes, noise, ideal target, number of iterations.
        ops: module with the ops.
        device, dtype: of the tensors.

    Yields:
        One `Draw` an iteration.
    """
    count, side = len(problems), config.discriminator_crop
    seeds = torch.tensor([problem.seed for problem in problems], device=device)
    images = [problem.plan.image.to(device) for problem in problems]
    generator_cdfs = [problem.plan.generator_cdf.to(device) for problem in problems]
    real_cdfs = [problem.plan.discriminator_cdf.to(device) for problem in problems]
    ideal = losses.ideal_kernel(config.kernel_size).to(device, dtype)[None]
    bytes_an_iteration = 4 * 3 * (config.crop**2 + 3 * side**2)
    chunk = max(1, CHUNK_BYTES // bytes_an_iteration)
    for first in range(0, config.iterations, chunk):
        steps = min(chunk, config.iterations - first)
        crops, _ = ops.sample_crops(
            images, generator_cdfs, seeds, GENERATOR_STREAM, first, steps, config.crop, 0.0
        )
        real, _ = ops.sample_crops(
            images, real_cdfs, seeds, REAL_STREAM, first, steps, side, config.noise_real
        )
        crops = crops.to(dtype)
        # "summed" keeps the published fault: each channel aims at the sum of the three.
        shown = crops.sum(dim=2, keepdim=True) if config.ideal_target == "summed" else crops
        kernels = ideal.repeat(steps * count, 1, 1)
        target = ops.downscale_crops(shown.flatten(0, 1), kernels).unflatten(0, (steps, count))
        noise: Sequence[Tensor | None] = [None] * steps
        if config.noise_fake:
            drawn = ops.gaussian_noise(seeds, FAKE_STREAM, first, steps, (3, side, side))
            noise = drawn.to(dtype).mul_(config.noise_fake).unbind()
        yield from map(Draw, crops.unbind(), target.unbind(), real.to(dtype).unbind(), noise)
