"""The fused trainer in float32 does what the plain one does in float64.

Training is chaotic: where a ReLU or an absolute value takes the other side of its kink, a gradient
changes by far more than a rounding error, and after some tens of iterations two correct programs
give different kernels. So both trainers run freely for 20 iterations only; beyond that they do each
iteration of a training from the same state.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from kernelgan_fast.gan import losses
from kernelgan_fast.gan.config import TrainConfig, profile
from kernelgan_fast.gan.crops import CropPlan, plan_crops
from kernelgan_fast.gan.discriminator import Discriminator
from kernelgan_fast.gan.generator import Generator
from kernelgan_fast.gan.trainer import Batch, Problem, Trainer, batches
from kernelgan_fast.ops import native, reference

DATA = Path(__file__).parents[1] / "data"


def plan_of(photo: Path, config: TrainConfig) -> CropPlan:
    with Image.open(photo) as picture:
        return plan_crops(np.asarray(picture.convert("RGB")), config)


def trainers_of(problems: Sequence[Problem], config: TrainConfig) -> tuple[Trainer, Trainer]:
    """The fused trainer in float32 and the plain one in float64, near the bicubic kernel.

    The bicubic kernel itself lies on kinks: it has taps of exactly 0 and a sum of exactly 1. So a
    fifth of it is replaced by half as much of a wide Gaussian.
    """
    size, seeds = config.kernel_size, [problem.seed for problem in problems]
    places = torch.arange(size, dtype=torch.float64) - size / 2
    line = torch.exp(-places.square() / (2 * 2.5**2))
    kernel = 0.8 * losses.ideal_kernel(size) + 0.1 * torch.outer(line, line) / line.sum() ** 2

    def trainer_of(ops: Any, dtype: torch.dtype) -> Trainer:
        generator = Generator(len(seeds), config, seeds=seeds)
        generator.fit_to(kernel)
        discriminator = Discriminator(len(seeds), config, seeds=seeds)
        return Trainer(generator.to(dtype), discriminator.to(dtype), config, ops=ops)

    return trainer_of(native, torch.float32), trainer_of(reference, torch.float64)


def draws_of(problems: Sequence[Problem], config: TrainConfig) -> Iterator[tuple[Batch, Batch]]:
    """The batches of each iteration, in float32 and in float64."""
    for batch in batches(problems, config, ops=reference, dtype=torch.float64):
        yield Batch(*(None if part is None else part.float() for part in batch)), batch


def norms(rows: Tensor) -> Tensor:
    """The norm of each problem's values."""
    return rows.detach().double().flatten(1).norm(dim=1)


def test_fused_float32_follows_plain_float64(golden: Path) -> None:
    """For 20 iterations, at the learning rate of iterations 750 to 1500.

    The kernels move by 6 % of their norm, and rounding makes 1e-4 of their norm out of that at most
    (15 seeds, three vector levels). The limit of 1e-3 is a sixtieth of the movement. The middle one
    of three problems counts, for each may meet a kink.
    """
    config = profile("corrected").replace(iterations=20, learning_rate=2e-5)
    plan = plan_of(golden / "coffee_192x256.png", config)
    problems = [Problem(plan, seed) for seed in (0, 1, 2)]
    fused, plain = trainers_of(problems, config)
    start = plain.kernel.detach()
    for iteration, (single, double) in enumerate(draws_of(problems, config)):
        fused.iterate(iteration, single)
        plain.iterate(iteration, double)
        error = norms(fused.kernel - plain.kernel) / norms(plain.kernel)
        assert float(error.median()) < 1e-3, iteration
    assert float((norms(plain.kernel - start) / norms(start)).min()) > 0.03


def test_fused_float32_does_every_iteration_of_plain_float64(golden: Path) -> None:
    """From the state that the plain trainer has reached, in all phases of the schedule.

    Errors are parts of what the iteration changes.

    The median over a phase of a problem meets no kink. Rounding makes it 6e-5 for the kernel and
    4e-4 for D (24 problems, three vector levels). A learning rate that is 2 % off makes it 2e-2, so
    does such a weight of the sum or of sparsity. Its limit of 5e-3 lies between.

    A single error is large where rounding decides on which side of 1 the sum of the kernel is:
    0.9, once in 3000 iterations. A change of the schedule that comes too late makes an error as
    large in all problems at once. So the median over the three problems has a limit of 0.5. That
    rounding exceeds it, in two problems at once in one of 40 iterations, has a probability of
    40 · 3 / 3000² = 1e-5.
    """
    config = profile("corrected").replace(iterations=40, ideal_every=10, decay_every=25)
    photos = (
        golden / "coffee_192x256.png",
        DATA / "roman-colosseum_160x112.png",
        DATA / "perched-osprey_112x112.png",
    )
    problems = [Problem(plan_of(photo, config), seed) for seed, photo in enumerate(photos)]
    fused, plain = trainers_of(problems, config)
    found: dict[str, list[Tensor]] = {name: [] for name in state(plain)}
    for iteration, (single, double) in enumerate(draws_of(problems, config)):
        adopt(fused, plain)
        before = state(plain)
        fused.iterate(iteration, single)
        plain.iterate(iteration, double)
        got, wanted = state(fused), state(plain)
        for name, errors in found.items():
            step = norms(wanted[name] - before[name])
            errors.append(norms(got[name] - wanted[name]) / step)
    assert bool((plain.schedule.penalties[:, 3] == config.weight_sparse).all())
    for name, errors in found.items():
        phases = torch.stack(errors).split(config.ideal_every)
        medians = torch.stack([phase.median(dim=0).values for phase in phases])
        assert float(medians.max()) < 5e-3, (name, medians)
        assert float(torch.stack(errors).median(dim=1).values.max()) < 0.5, name


def adopt(trainer: Trainer, other: Trainer) -> None:
    """Give a trainer the state of another one, in its own precision."""
    with torch.no_grad():
        trainer.generator.weights.copy_(other.generator.weights)
        trainer.discriminator.weights.copy_(other.discriminator.weights)
        trainer.discriminator.u.copy_(other.discriminator.u)
    trainer.schedule.ideal.copy_(other.schedule.ideal)
    trainer.schedule.penalties.copy_(other.schedule.penalties)
    trainer._distances.copy_(other._distances)
    for mine, theirs in (
        (trainer._generator_adam, other._generator_adam),
        (trainer._discriminator_adam, other._discriminator_adam),
    ):
        for name in ("_means", "_squares", "_steps"):
            for part, wanted in zip(getattr(mine, name), getattr(theirs, name), strict=True):
                part.copy_(wanted)
    trainer.refresh_pull()
    trainer.compose()


def state(trainer: Trainer) -> dict[str, Tensor]:
    """What an iteration changes, in float64: the kernel, D's weights and its power iteration.

    Without the biases of the convolutions that a normalisation follows. The gradient of these is 0,
    so that rounding alone decides where Adam moves them, and D does not depend on them.
    """
    discriminator = trainer.discriminator
    idle = {f"conv{block}.bias" for block in range(1, discriminator.blocks + 1)}
    weights = [view.flatten(1) for name, view in discriminator.views().items() if name not in idle]
    found = {"kernel": trainer.kernel, "D": torch.cat(weights, dim=1), "u": discriminator.u}
    return {name: values.detach().double().clone() for name, values in found.items()}
