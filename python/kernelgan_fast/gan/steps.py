"""One iteration of N problems side by side: a G step and a D step."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.optim.adam import adam

from kernelgan_fast.gan import losses
from kernelgan_fast.gan.batches import Batch
from kernelgan_fast.gan.config import TrainConfig
from kernelgan_fast.gan.discriminator import Discriminator
from kernelgan_fast.gan.generator import Generator
from kernelgan_fast.gan.schedule import Schedule, learning_rate

RECORD_EVERY = 10

# Of torch's fused optimisers on a GPU (ATen/native/cuda/MultiTensorApply.cuh): tensors a launch,
# four lists of them; and elements that a thread block makes at once.
_MOST_PIECES, _BLOCK = 36, 2048


class Trainer:
    """Both networks, both Adams, the schedule; one call of `iterate` an iteration.

    The kernel composed after G's update in one iteration serves D's step of that iteration and G's
    step of the next, so G's layers are composed once an iteration and never run as convolutions.
    The sum over problems is what is differentiated; as problems share nothing, each gets exactly
    the gradient it would get alone. No step waits for the device.

    A captured segment (see `graph`) calls `step` alone: all else of an iteration depends on its
    number, and happens between segments.

    Args:
        generator, discriminator: of N problems, on their device, in their dtype.
        config: the recipe.
        ops: module with the ops.
        segment: iterations that are captured at once; 0: none are.

    Attributes:
        kernel: (N, K, K) of the weights after the last G update.
        segment: rows of the ideal loss' record that a captured segment writes to.
    """

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        config: TrainConfig,
        *,
        ops: Any,
        segment: int = 0,
    ) -> None:
        self.generator, self.discriminator, self.config = generator, discriminator, config
        self._ops = ops
        weights = generator.weights
        count = len(weights)
        self._generator_adam = _Adam(weights, config, captured=segment > 0)
        self._discriminator_adam = _Adam(discriminator.weights, config, captured=segment > 0)
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
        self._g_map_gradient = losses.generator_map_gradient(
            weights.new_empty(count, 1, patches, patches)
        )
        self._d_map_gradient = losses.discriminator_map_gradient(
            weights.new_empty(count, 2, patches, patches)
        )
        self.schedule = Schedule(count, config, dtype=weights.dtype, device=weights.device)
        self._ideal_gradient = weights.new_empty(count, 1, 1, 1)
        self.refresh_pull()
        # One row an iteration: |G(x) - ideal(x)|, from which the schedule judges similarity. What
        # is captured cannot know its iteration, so it has rows of its own behind the last.
        self.segment = range(config.iterations, config.iterations + segment)
        self._distances = weights.new_zeros(config.iterations + segment, count)
        self.compose()

    def iterate(self, iteration: int, batch: Batch) -> Tensor | None:
        """Take one G step and one D step.

        Args:
            iteration: counted from 0, one after another.
            batch: crops and noise.

        Returns:
            (N, 7) losses in the order of `losses.LOSS_NAMES`, on the device, every RECORD_EVERY
            iterations and in the last; None in the others.
        """
        self.adjust(iteration)
        steps = self.step(iteration, batch)
        if iteration % RECORD_EVERY and iteration != self.config.iterations - 1:
            return None
        return self.record(iteration, *steps)

    def adjust(self, iteration: int) -> None:
        """Set the rates and loss weights that hold from this iteration on."""
        if iteration % self.config.decay_every == 0:
            rate = learning_rate(iteration, self.config)
            self._generator_adam.set_rate(rate)
            self._discriminator_adam.set_rate(rate)
        if self.schedule.is_due(iteration):
            self.schedule.update(self.ideal_losses(iteration))
            self.refresh_pull()

    def step(self, row: int, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Take both steps.

        Args:
            row: of the ideal loss' record.
            batch: crops and noise.

        Returns:
            What `record` makes losses of: D's map in the G step, the penalties, D's maps in
            the D step.
        """
        d_map, penalties = self.generator_step(row, batch.crops, batch.target)
        return d_map, penalties, self.discriminator_step(batch.real, batch.crops, batch.noise)

    def record(self, row: int, d_map: Tensor, penalties: Tensor, pair: Tensor) -> Tensor:
        """Return the (N, 7) losses of a step."""
        with torch.no_grad():
            gan = (losses.generator_gan_loss(d_map), losses.discriminator_loss(pair))
            ideal = self._distances[row].square() / self._outputs
            return torch.cat((torch.stack((*gan, ideal), dim=1), penalties), dim=1)

    def generator_step(self, row: int, crops: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Update G to fool D, under the kernel penalties and the pull to the ideal downscale.

        Args:
            row: of the ideal loss' record.
            crops: (N, 3, S, S).
            target: (N, 3 or 1, T, T).

        Returns:
            D's map (N, 1, T', T') and the unweighted penalties (N, 4).

        Source: paper equations 2 and 3.
        """
        fake = self._ops.downscale_crops(crops, self.kernel)
        d_map, u_next = self._ops.discriminate(
            fake.unsqueeze(1), self._frozen, self._u, *self._shape
        )
        penalty, penalties = self._ops.kernel_regularizers(
            self.kernel, self._mask, self.schedule.penalties, self.config.sparse_power
        )
        distance = fake.detach() - target
        torch.linalg.vector_norm(distance, dim=(1, 2, 3), out=self._distances[row])
        self.generator.weights.grad = None
        # loss = mean|D(fake) - 1| + penalty + weight * mean distance^2. Its gradients at these
        # three places are known; handing them over spares autograd a dozen tiny operators.
        _backward(
            (d_map, penalty, fake),
            (self._g_map_gradient, self._ones, distance.mul_(self._ideal_gradient)),
        )
        self._generator_adam.step()
        self._u.copy_(u_next)
        self.compose()
        return d_map, penalties

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
        d_map, u_next = self._ops.discriminate(
            pair, self.discriminator.weights, self._u, *self._shape
        )
        self.discriminator.weights.grad = None
        _backward((d_map,), (self._d_map_gradient,))
        self._discriminator_adam.step()
        self._u.copy_(u_next)
        maps: Tensor = d_map
        return maps

    def keep_distances(self, first: int) -> None:
        """Put what a segment wrote into the record of the iterations from `first` on."""
        end = first + len(self.segment)
        self._distances[first:end] = self._distances[self.segment.start :]

    def ideal_losses(self, iterations: int) -> Tensor:
        """Return the (iterations, N) ideal-downscale losses of the iterations so far."""
        return self._distances[:iterations].square() / self._outputs

    def refresh_pull(self) -> None:
        """Take over the ideal weight: weight * mean distance^2 has gradient pull * distance."""
        torch.mul(self.schedule.ideal, 2 / self._outputs, out=self._ideal_gradient.view(-1))

    def compose(self) -> None:
        """Compose the kernel from G's weights."""
        self.kernel = self.generator.kernel(self._ops)


class _Adam:
    """torch's fused Adam over the parts of a parameter, each a tensor of its own.

    On a CPU the parts are its rows: the fused kernel may round the last few elements of a tensor
    otherwise than the rest, and so what a problem gets does not depend, to the last bit, on who
    else is in the batch. On a GPU they are as many as torch takes in one launch: it gives a tensor
    one thread block for every 65536 elements, so as one tensor a lone problem would get three.
    The functional form is used because the class imports torch's compiler, which takes a second.

    Args:
        weights: (N, P) parameter.
        config: rate and betas.
        captured: the step is captured, so the rate must be read from memory at each replay.
    """

    def __init__(
        self, weights: torch.nn.Parameter, config: TrainConfig, *, captured: bool = False
    ) -> None:
        self._weights = weights
        on_cuda = weights.device.type == "cuda"
        self._split = pieces if on_cuda else Tensor.unbind
        self._parts = list(self._split(weights.detach()))
        self._means = [torch.zeros_like(part) for part in self._parts]
        self._squares = [torch.zeros_like(part) for part in self._parts]
        self._steps = [part.new_zeros((), dtype=torch.float32) for part in self._parts]
        self._betas = config.beta1, config.beta2
        self._fused = on_cuda or weights.device.type == "cpu"
        self._rate: float | Tensor = config.learning_rate
        if captured:
            # In CUDA torch's kernel reads float32.
            precision = torch.float32 if on_cuda else torch.float64
            self._rate = weights.new_tensor(self._rate, dtype=precision)

    def set_rate(self, rate: float) -> None:
        """Change the rate from the next step on."""
        if isinstance(self._rate, Tensor):
            self._rate.fill_(rate)
        else:
            self._rate = rate

    def step(self) -> None:
        """Update the weights by their gradient."""
        assert self._weights.grad is not None
        adam(
            self._parts,
            list(self._split(self._weights.grad)),
            self._means,
            self._squares,
            [],
            self._steps,
            foreach=False,
            fused=self._fused,
            amsgrad=False,
            beta1=self._betas[0],
            beta2=self._betas[1],
            lr=self._rate,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )


def pieces(tensor: Tensor) -> tuple[Tensor, ...]:
    """Cut a contiguous tensor into views for a fused optimiser on a GPU.

    Args:
        tensor: of any shape.

    Returns:
        At most 36 flat views, what torch's kernel takes at once, each of a multiple of 2048
        elements but the last: a thread block makes 2048 at a time, and reads them four by four.
    """
    flat = tensor.view(-1)
    blocks = max(1, -(-len(flat) // (_MOST_PIECES * _BLOCK)))
    views: tuple[Tensor, ...] = flat.split(blocks * _BLOCK)
    return views


def _backward(roots: tuple[Tensor, ...], gradients: tuple[Tensor, ...]) -> None:
    """``torch.autograd.backward`` without its shape checks, which import a computer algebra."""
    torch.autograd.Variable._execution_engine.run_backward(
        roots, gradients, False, False, (), allow_unreachable=True, accumulate_grad=True
    )
