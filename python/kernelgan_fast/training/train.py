"""The training loop: warm-up, a constant rate for as long as wanted, and a cooldown for a release.

The rate does not depend on the length of the run, so training goes on over many sessions from one
checkpoint. A release is made by a cooldown, which starts from a checkpoint and leaves it as it is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from kernelgan_fast.errors import InputError
from kernelgan_fast.files import atomic_write
from kernelgan_fast.sr import weights
from kernelgan_fast.sr.unfolding_network import FOLD, SCALES, Architecture, UnfoldingNetwork
from kernelgan_fast.training.bank import stored_pairs
from kernelgan_fast.training.batches import Batch, make_batch
from kernelgan_fast.training.fourier import FRAME_MARGIN
from kernelgan_fast.training.kernel_pairs import KernelPair, draw_pair
from kernelgan_fast.training.photos import PhotoStore

# Scales of consecutive steps.
SCALE_ORDER = (2, 4, 2, 4, 3, 2, 4, 2, 4, 1)

# LR px at the border of a crop that the loss leaves out: their neighbours are not in the crop.
_BORDER = 4

_EARLIER_STAGES = 0.1
_LARGEST_GRADIENT = 1.0

# Squared error below which a crop counts as right: half a grey level.
_LEAST_ERROR = (0.5 / 255) ** 2

# Different pairs of kernels per scale.
_PAIRS = 4096

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """How to train.

    Attributes:
        architecture: Of the network.
        side: Side of the LR crops at scale 2, px, a multiple of 12 and at least 24.
        batch: Crops per step.
        rate: Learning rate after the warm-up.
        warm_up: Steps in which the rate rises.
        average: Weight of the running average of weights that is kept per step.
        bank: LR crops per scale whose kernels are estimated before training.
        precision: "float32" or "bfloat16", of the prior.
        seed: Of everything drawn.
    """

    architecture: Architecture = field(default_factory=Architecture)
    side: int = 48
    batch: int = 8
    rate: float = 8e-4
    warm_up: int = 300
    average: float = 0.999
    bank: int = 400
    precision: str = "bfloat16"
    seed: int = 0

    def side_at(self, scale: int) -> int:
        """Side of the LR crops of a scale, px.

        Larger at scale 1, where the network folds blocks of 2 x 2; smaller at 4 to save time.
        """
        return {1: 2 * self.side, 4: self.side * 2 // 3}.get(scale, self.side)

    @property
    def crop(self) -> int:
        """Side of the largest crop that training cuts from a photo, px."""
        return max((self.side_at(scale) + 2 * FRAME_MARGIN) * scale for scale in SCALES)


class Training:
    """State of one training run.

    Args:
        plan: How to train.
        photos: What to train on.
        device: Where.

    Attributes:
        network: Network being trained.
        averaged: Running average of its weights, which is what is shipped.
        step: Steps done.
    """

    def __init__(self, plan: Plan, photos: PhotoStore, device: torch.device) -> None:
        self.plan, self.photos, self.device = plan, photos, device
        torch.manual_seed(plan.seed)
        self.network = UnfoldingNetwork(plan.architecture).to(device)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.averaged = UnfoldingNetwork(plan.architecture).to(device).requires_grad_(False)
        self.averaged.load_state_dict(self.network.state_dict())
        self._optimiser = torch.optim.AdamW(
            self.network.parameters(),
            lr=plan.rate,
            betas=(0.9, 0.99),
            weight_decay=1e-4,
            fused=True,
        )
        self._random = np.random.default_rng(plan.seed)
        self.step = 0
        self._banks: dict[int, list[KernelPair]] = {}
        self._pairs: dict[tuple[int, int], KernelPair] = {}

    def fill_banks(self, folder: Path | None = None) -> None:
        """Estimate kernels, or read them from `bank_x2.npz` and `bank_x4.npz` of a folder."""
        if not self.plan.bank:
            return
        for scale in (2, 4):
            random = np.random.default_rng([self.plan.seed, 1, scale])  # the same after a restart
            path = None if folder is None else folder / f"bank_x{scale}.npz"
            self._banks[scale] = stored_pairs(path, self.photos, scale, self.plan.bank, random)
            _log.info("x%d: %d estimated kernels", scale, len(self._banks[scale]))

    def run(
        self,
        steps: int,
        each: Callable[[int, float], None] | None = None,
        cooldown: bool = False,
    ) -> None:
        """Train.

        Args:
            steps: To do.
            each: Called with the step and its loss; may raise to stop.
            cooldown: Whether the rate falls to 0 over these steps.
        """
        for index in range(steps):
            loss = self.one_step(1 - index / steps if cooldown else 1.0)
            if each is not None:
                each(self.step, loss)

    def one_step(self, part_of_rate: float = 1.0) -> float:
        """Draw a batch, step the weights and their average; return the loss of the last stage."""
        batch = self.draw()
        rate = self.plan.rate * part_of_rate * min(1.0, (self.step + 1) / self.plan.warm_up)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._optimiser.zero_grad()
        total, last = self._losses(batch)
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), _LARGEST_GRADIENT)
        self._optimiser.step()
        self.step += 1
        keep = min(self.plan.average, self.step / (self.step + 10))
        with torch.no_grad():
            current: list[Tensor] = list(self.network.parameters())
            averaged: list[Tensor] = list(self.averaged.parameters())
            torch._foreach_lerp_(averaged, current, 1 - keep)
        return float(last.detach())

    def draw(self) -> Batch:
        """Make the batch of this step."""
        scale = SCALE_ORDER[self.step % len(SCALE_ORDER)]
        chosen = self._random.integers(_PAIRS, size=self.plan.batch)
        pairs = [self._pair(scale, int(index)) for index in chosen]
        return make_batch(
            self.photos, pairs, scale, side=self.plan.side_at(scale), random=self._random
        )

    def _pair(self, scale: int, index: int) -> KernelPair:
        """One of `_PAIRS` pairs of kernels, made at first use; making eight takes 12 to 24 ms."""
        if (scale, index) not in self._pairs:
            random = np.random.default_rng([self.plan.seed, 2, scale, index])
            self._pairs[scale, index] = draw_pair(scale, self._banks.get(scale, []), random)
        return self._pairs[scale, index]

    def start_from(self, path: Path) -> None:
        """Take the weights of a file; the optimiser starts anew.

        Raises:
            InputError: They cannot be read, or are of another architecture.
        """
        network, _ = weights.load(path)
        ours = self.plan.architecture
        if not isinstance(network, UnfoldingNetwork) or network.architecture != ours:
            raise InputError(f"{path}: the architecture must be {ours.as_dict()}; train with that")
        for mine in (self.network, self.averaged):
            mine.load_state_dict(network.state_dict())

    def save(self, path: Path) -> None:
        """Write everything that `restore` needs."""
        state = {
            "plan": asdict(self.plan),
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "random": self._random.bit_generator.state,
            "step": self.step,
        }
        atomic_write(path, lambda stream: torch.save(state, stream))

    def restore(self, path: Path) -> None:
        """Continue from what `save` wrote.

        Raises:
            InputError: It was trained with another architecture.
        """
        state: dict[str, Any] = torch.load(path, map_location=self.device, weights_only=True)
        ours, theirs = self.plan.architecture.as_dict(), state["plan"]["architecture"]
        if ours != theirs:
            raise InputError(
                f"{path}: the architecture must be {ours}, got {theirs}; train with the same, or "
                "remove the file to start anew"
            )
        self.network.load_state_dict(state["network"])
        self.averaged.load_state_dict(state["averaged"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._random.bit_generator.state = state["random"]
        self.step = state["step"]

    def _losses(self, batch: Batch) -> tuple[Tensor, Tensor]:
        precision = getattr(torch, self.plan.precision)
        results = run_network(self.network, batch, precision)
        border = _BORDER * batch.scale
        inner = (..., slice(border, -border), slice(border, -border))
        truth = batch.high[inner]
        losses = [_loss(result[inner] - truth) for result in results]
        earlier = torch.stack(losses[:-1]).mean() if len(losses) > 1 else losses[-1]
        return losses[-1] + _EARLIER_STAGES * earlier, losses[-1]


def run_network(
    network: UnfoldingNetwork, batch: Batch, precision: torch.dtype = torch.float32
) -> list[Tensor]:
    """Apply a network to a batch; the HR crops after each stage."""
    tau, biases = network.conditions(batch.conditions, batch.scale)

    fold = FOLD[batch.scale] // batch.scale  # of the prior beyond that of the data step

    def data_step(estimate: Tensor, stage: int) -> Tensor:
        if fold > 1:
            estimate = functional.pixel_shuffle(estimate, fold)
        correction = batch.model.correction(estimate, batch.low, tau[:, stage])
        return functional.pixel_unshuffle(correction, fold) if fold > 1 else correction

    results: list[Tensor] = network(batch.low, batch.scale, data_step, biases, precision)
    return results


def _loss(difference: Tensor) -> Tensor:
    """Mean over the crops of the logarithm of the squared error, half of it that of the luma.

    Then every crop counts by its gain in decibels, also the clean ones, whose errors are small.
    """
    luma = (difference[:, 0] + 2 * difference[:, 1] + difference[:, 2]) / 4
    error = difference.square().mean(dim=(1, 2, 3)) + luma.square().mean(dim=(1, 2))
    return torch.log(error / 2 + _LEAST_ERROR).mean()
