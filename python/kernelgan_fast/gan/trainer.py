"""Training: N problems side by side, a G step and a D step an iteration."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kernelgan_fast.config import TrainConfig
from kernelgan_fast.errors import InputError, TrainingDiverged
from kernelgan_fast.gan import losses
from kernelgan_fast.gan.discriminator import Discriminator
from kernelgan_fast.gan.draws import Draw, Problem, draws
from kernelgan_fast.gan.generator import Generator
from kernelgan_fast.gan.schedule import Schedule, first_similar, learning_rate

__all__ = ["Draw", "Problem", "TrainedKernel", "Trainer", "draws", "train"]

RECORD_EVERY = 10

Progress = Callable[[int, dict[str, float]], None]


@dataclasses.dataclass(frozen=True)
class TrainedKernel:
    """What one problem's training gave.

    Attributes:
        kernel: (K, K) float64, composed from the last weights, before post-processing.
        history: name in `losses.LOSS_NAMES` -> (R,) float64 unweighted losses.
        iterations: (R,) int64, the iterations these were recorded at.
        similar_at: iteration at which the ideal loss had been low for long enough; None: never,
            so that the centre and sparsity penalties never entered.
        seed: of the problem.
        diverged: the kernel or a loss is not finite; the others of the batch are not affected.
    """

    kernel: NDArray[np.float64]
    history: dict[str, NDArray[np.float64]]
    iterations: NDArray[np.int64]
    similar_at: int | None
    seed: int
    diverged: bool


class Trainer:
    """Both networks, both Adams, the schedule; one call of `iterate` an iteration.

    The kernel composed after G's update in one iteration serves D's step of that iteration and G's
    step of the next, so G's layers are composed once an iteration and never run as convolutions.
    The sum over problems is what is differentiated; as problems share nothing, each gets exactly
    the gradient it would get alone. No step waits for the device.

    Args:
        generator, discriminator: of N problems, on their device, in their dtype.
        config: the recipe.
        ops: module with the ops.
    """

    def __init__(
        self, generator: Generator, discriminator: Discriminator, config: TrainConfig, *, ops: Any
    ) -> None:
        self.generator, self.discriminator, self.config = generator, discriminator, config
        self._ops = ops
        weights = generator.weights
        count = len(weights)
        self._generator_adam = _adam(weights, config)
        self._discriminator_adam = _adam(discriminator.weights, config)
        # The same memory without gradient: G's step needs none for D's weights.
        self._frozen = discriminator.weights.detach()
        self._u = discriminator.u
        self._shape = (discriminator.features, discriminator.size, discriminator.blocks)

        side = config.discriminator_crop
        patches = side - config.discriminator_size + 1
        self._outputs = 3 * side * side
        self._mask = losses.boundary_mask(config.kernel_size).to(weights)
        self._ones = weights.new_ones(count)
        # Both GAN losses are linear in D's map, so their gradients are constants.
        self._fool = losses.generator_map_gradient(weights.new_empty(count, 1, patches, patches))
        self._tell = losses.discriminator_map_gradient(
            weights.new_empty(count, 2, patches, patches)
        )
        self.schedule = Schedule(count, config, dtype=weights.dtype, device=weights.device)
        self._pull = weights.new_empty(count, 1, 1, 1)
        self.refresh_pull()
        # One row an iteration: |G(x) - ideal(x)|, from which the schedule judges similarity.
        self._distances = weights.new_zeros(config.iterations, count)
        self.kernel = self._compose()

    def iterate(self, iteration: int, draw: Draw) -> Tensor | None:
        """Take one G step and one D step.

        Args:
            iteration: counted from 0, one after another.
            draw: crops and noise.

        Returns:
            (N, 7) losses in the order of `losses.LOSS_NAMES`, on the device, every RECORD_EVERY
            iterations and in the last; None in the others.
        """
        if iteration % self.config.decay_every == 0:
            rate = learning_rate(iteration, self.config)
            self._generator_adam.param_groups[0]["lr"] = rate
            self._discriminator_adam.param_groups[0]["lr"] = rate
        if self.schedule.is_due(iteration):
            self.schedule.update(self.ideal_losses(iteration))
            self.refresh_pull()
        judged, terms = self.generator_step(iteration, draw.crops, draw.target)
        pair = self.discriminator_step(draw.real, draw.crops, draw.noise)
        if iteration % RECORD_EVERY and iteration != len(self._distances) - 1:
            return None
        with torch.no_grad():
            gan = (losses.generator_gan_loss(judged), losses.discriminator_loss(pair))
            ideal = self._distances[iteration].square() / self._outputs
            return torch.cat((torch.stack((*gan, ideal), dim=1), terms), dim=1)

    def generator_step(
        self, iteration: int, crops: Tensor, target: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Update G to fool D, under the kernel penalties and the pull to the ideal downscale.

        Args:
            iteration: row of the ideal loss' record.
            crops: (N, 3, S, S).
            target: (N, 3 or 1, T, T).

        Returns:
            D's map (N, 1, T', T') and the unweighted penalty terms (N, 4).

        Source: paper equations 2 and 3.
        """
        fake = self._ops.downscale_crops(crops, self.kernel)
        judged, u_next = self._ops.discriminate(
            fake.unsqueeze(1), self._frozen, self._u, *self._shape
        )
        penalty, terms = self._ops.kernel_regularizers(
            self.kernel, self._mask, self.schedule.penalties, self.config.sparse_power
        )
        distance = fake.detach() - target
        torch.linalg.vector_norm(distance, dim=(1, 2, 3), out=self._distances[iteration])
        self.generator.weights.grad = None
        # loss = mean|D(fake) - 1| + penalty + weight * mean distance^2. Its gradients at these
        # three places are known; handing them over spares autograd a dozen tiny operators.
        torch.autograd.backward(
            (judged, penalty, fake), (self._fool, self._ones, distance.mul_(self._pull))
        )
        self._generator_adam.step()
        self._u.copy_(u_next)
        self.kernel = self._compose()
        return judged, terms

    def discriminator_step(self, real: Tensor, crops: Tensor, noise: Tensor | None) -> Tensor:
        """Update D to tell the photo's crops from the updated G's.

        Args:
            real: (N, 3, T, T).
            crops: (N, 3, S, S), those of the G step.
            noise: (N, 3, T, T) added to the fake, or None.

        Returns:
            D's maps (N, 2, T', T'), real first: D's power iteration advances in this order.

        Source: paper equation 2.
        """
        fake = self._ops.downscale_crops(crops, self.kernel.detach())
        if noise is not None:
            fake = fake.add_(noise)
        pair = torch.stack((real, fake), dim=1)
        judged, u_next = self._ops.discriminate(
            pair, self.discriminator.weights, self._u, *self._shape
        )
        self.discriminator.weights.grad = None
        torch.autograd.backward((judged,), (self._tell,))
        self._discriminator_adam.step()
        self._u.copy_(u_next)
        maps: Tensor = judged
        return maps

    def ideal_losses(self, iterations: int) -> Tensor:
        """Return the (iterations, N) ideal-downscale losses of the iterations so far."""
        return self._distances[:iterations].square() / self._outputs

    def refresh_pull(self) -> None:
        """Take over the ideal weight: weight * mean distance^2 has gradient pull * distance."""
        torch.mul(self.schedule.ideal, 2 / self._outputs, out=self._pull.view(-1))

    def _compose(self) -> Tensor:
        return self.generator.kernel(self._ops)


def train(
    problems: Sequence[Problem],
    config: TrainConfig,
    *,
    ops: Any = None,
    device: torch.device | str = "cpu",
    threads: int | None = None,
    progress: Progress | None = None,
) -> list[TrainedKernel]:
    """Train the GAN of every problem and return the kernels.

    A problem's result does not depend on the others of the batch. The returned kernel is that of
    the weights after the last G update; the published program returns the one before.

    Args:
        problems: photos with seeds; the photos may differ in size.
        config: the recipe.
        ops: module with the ops; the native ones if not given.
        device: where to train.
        threads: threads of the native ops; theirs to choose if not given. PyTorch itself is held to
            one thread, as its spinning barriers slow operators of this size down.
        progress: called about a hundred times with the iteration and the losses' means over the
            problems; may raise to stop.

    Returns:
        One result a problem, in order. With several problems some may have `diverged`.

    Raises:
        InputError: no problems.
        TrainingDiverged: no problem is left whose losses and kernel are finite.
    """
    if not problems:
        raise InputError("problems must be one or more, got none; give at least one.")
    if ops is None:
        from kernelgan_fast import ops as implementations

        ops = implementations.native
    seeds = [problem.seed for problem in problems]
    with _threads(ops, threads):
        generator = Generator(len(problems), config, seeds=seeds).to(device)
        discriminator = Discriminator(len(problems), config, seeds=seeds).to(device)
        trainer = Trainer(generator, discriminator, config, ops=ops)
        report_every = max(1, round(config.iterations / 100 / RECORD_EVERY))
        steps: list[int] = []
        records: list[Tensor] = []
        for iteration, draw in enumerate(draws(problems, config, ops=ops, device=device)):
            record = trainer.iterate(iteration, draw)
            if record is None:
                continue
            steps.append(iteration)
            records.append(record)
            if len(steps) % report_every == 0 or iteration == config.iterations - 1:
                _report(iteration, record, progress)
        return _results(trainer, steps, records, seeds)


def _adam(weights: torch.nn.Parameter, config: TrainConfig) -> torch.optim.Adam:
    return torch.optim.Adam(
        [weights],
        lr=config.learning_rate,
        betas=(config.beta1, config.beta2),
        fused=weights.device.type in ("cpu", "cuda"),
    )


@contextlib.contextmanager
def _threads(ops: Any, threads: int | None) -> Iterator[None]:
    """Hold torch to one thread and the ops' own pool to `threads`, and restore both."""
    before = torch.get_num_threads()
    own = getattr(ops, "threads", None)
    torch.set_num_threads(1)
    try:
        with own(threads) if own and threads else contextlib.nullcontext():
            yield
    finally:
        torch.set_num_threads(before)


def _report(iteration: int, record: Tensor, progress: Progress | None) -> None:
    """Stop if nothing finite is left; tell the caller how it goes. The one wait for the device."""
    values = record.detach().double().cpu()
    finite = torch.isfinite(values).all(dim=1)
    means = dict(zip(losses.LOSS_NAMES, values[finite].mean(dim=0).tolist(), strict=True))
    if not bool(finite.any()):
        last = dict(zip(losses.LOSS_NAMES, values.mean(dim=0).tolist(), strict=True))
        raise _diverged(iteration, last)
    if progress is not None:
        progress(iteration, means)


def _results(
    trainer: Trainer, steps: list[int], records: list[Tensor], seeds: Sequence[int]
) -> list[TrainedKernel]:
    kernels = trainer.kernel.detach().double().cpu()
    table = torch.stack(records).detach().double().cpu()
    similar = first_similar(trainer.ideal_losses(steps[-1] + 1), trainer.config).tolist()
    finite = torch.isfinite(kernels).all(dim=2).all(dim=1)
    finite &= torch.isfinite(table[-1]).all(dim=1)
    if not bool(finite.any()):
        raise _diverged(
            steps[-1], dict(zip(losses.LOSS_NAMES, table[-1].mean(dim=0).tolist(), strict=True))
        )
    iterations = np.asarray(steps, dtype=np.int64)
    return [
        TrainedKernel(
            kernel=kernels[index].numpy(),
            history={
                name: table[:, index, column].numpy()
                for column, name in enumerate(losses.LOSS_NAMES)
            },
            iterations=iterations,
            similar_at=similar[index] if similar[index] >= 0 else None,
            seed=seed,
            diverged=not bool(finite[index]),
        )
        for index, seed in enumerate(seeds)
    ]


def _diverged(iteration: int, last: dict[str, float]) -> TrainingDiverged:
    return TrainingDiverged(
        f"losses and kernel must stay finite, got a value that is not at iteration {iteration} in "
        "every problem; lower the learning rate or try another seed.",
        iteration=iteration,
        losses=last,
    )
