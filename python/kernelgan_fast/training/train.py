"""The training loop: a time budget in, weights out; it can be stopped and resumed."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kernelgan_fast.errors import InputError
from kernelgan_fast.files import atomic_write
from kernelgan_fast.sr.unfold_net import Shape, UnfoldNet
from kernelgan_fast.training.bank import estimated_pairs
from kernelgan_fast.training.batches import Batch, make_batch
from kernelgan_fast.training.kernel_pairs import KernelPair, draw_pair
from kernelgan_fast.training.photos import PhotoStore

SCALES = (2, 4)

# Part of the budget in which the rate rises; it falls along a cosine after.
_WARM_UP = 0.03
_LAST_RATE = 1e-6

# HR px at the border of a crop that the loss leaves out: their neighbours are not in the crop.
_BORDER = 8

_EARLIER_STAGES = 0.1
_LARGEST_GRADIENT = 0.5

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """How to train.

    Attributes:
        minutes: of training, without what validation takes; the rate falls over them.
        shape: of the network.
        side: of the HR crops, px, a multiple of 8.
        batch: crops a step.
        rate: the highest learning rate.
        average: weight of the running average of weights that is kept, a step.
        bank: LR crops whose kernels are estimated before training, a scale.
        precision: "float32" or "bfloat16", of the prior.
        seed: of everything drawn.
    """

    minutes: float = 25.0
    shape: Shape = field(default_factory=Shape)
    side: int = 96
    batch: int = 8
    rate: float = 1e-3
    average: float = 0.999
    bank: int = 100
    precision: str = "bfloat16"
    seed: int = 0


class Training:
    """The state of one training run.

    Args:
        plan: how to train.
        photos: what to train on.
        device: where.

    Attributes:
        network: being trained.
        averaged: the running average of its weights, which is what is shipped.
        step: steps done.
        spent: seconds of the budget used.
    """

    def __init__(self, plan: Plan, photos: PhotoStore, device: torch.device) -> None:
        self.plan, self.photos, self.device = plan, photos, device
        torch.manual_seed(plan.seed)
        self.network = UnfoldNet(plan.shape).to(device)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.averaged = UnfoldNet(plan.shape).to(device)
        self.averaged.load_state_dict(self.network.state_dict())
        self._optimiser = torch.optim.Adam(
            self.network.parameters(), lr=plan.rate, betas=(0.9, 0.99)
        )
        self._random = np.random.default_rng(plan.seed)
        self.step = 0
        self.spent = 0.0
        self._banks: dict[int, list[KernelPair]] = {}

    def run(self, each: Callable[[int, float, float], None] | None = None) -> None:
        """Train until the budget is used; `each` hears step, loss and part of the budget used."""
        self._fill_banks()
        while self.spent < self.plan.minutes * 60:
            began = time.monotonic()
            loss = self.one_step()
            self.spent += time.monotonic() - began
            if each is not None:
                each(self.step, loss, self.spent / (self.plan.minutes * 60))

    def one_step(self) -> float:
        """Draw a batch, step the weights and their average; returns the loss of the last stage."""
        scale = SCALES[self.step % len(SCALES)]
        pair = draw_pair(scale, self._banks.get(scale, []), self._random)
        batch = make_batch(
            self.photos,
            pair,
            scale,
            count=self.plan.batch,
            side=self.plan.side,
            random=self._random,
        )
        for group in self._optimiser.param_groups:
            group["lr"] = self._rate()
        self._optimiser.zero_grad()
        total, last = self._losses(batch)
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), _LARGEST_GRADIENT)
        self._optimiser.step()
        self.step += 1
        keep = min(self.plan.average, 1 - 1 / self.step)
        with torch.no_grad():
            weights: list[Tensor] = list(self.network.parameters())
            averaged: list[Tensor] = list(self.averaged.parameters())
            torch._foreach_lerp_(averaged, weights, 1 - keep)
        return float(last.detach())

    def save(self, path: Path) -> None:
        """Write everything that `restore` needs."""
        state = {
            "plan": asdict(self.plan),
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "random": self._random.bit_generator.state,
            "step": self.step,
            "spent": self.spent,
        }
        atomic_write(path, lambda stream: torch.save(state, stream))

    def restore(self, path: Path) -> None:
        """Go on from what `save` wrote.

        Raises:
            InputError: it was trained by another plan (more minutes are allowed).
        """
        state: dict[str, Any] = torch.load(path, map_location=self.device, weights_only=True)
        ours, theirs = asdict(self.plan), state["plan"]
        differing = [name for name in ours if name != "minutes" and ours[name] != theirs[name]]
        if differing:
            raise InputError(
                f"{path}: was trained with another {differing[0]} ({theirs[differing[0]]}); train "
                "with the same, or remove the file to begin anew"
            )
        self.network.load_state_dict(state["network"])
        self.averaged.load_state_dict(state["averaged"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._random.bit_generator.state = state["random"]
        self.step, self.spent = state["step"], state["spent"]

    def _losses(self, batch: Batch) -> tuple[Tensor, Tensor]:
        inverses, levels = self.network.filters(batch.model, batch.noise, batch.error)
        precision = getattr(torch, self.plan.precision)
        results = self.network(batch.low, batch.model, inverses, levels, precision)
        inner = (..., slice(_BORDER, -_BORDER), slice(_BORDER, -_BORDER))
        losses = [(result[inner] - batch.high[inner]).abs().mean() for result in results]
        return losses[-1] + _EARLIER_STAGES * torch.stack(losses[:-1]).mean(), losses[-1]

    def _rate(self) -> float:
        part = min(self.spent / (self.plan.minutes * 60), 1.0)
        if part < _WARM_UP:
            return self.plan.rate * max(part, 1e-3) / _WARM_UP
        fall = 0.5 * (1 + math.cos(math.pi * (part - _WARM_UP) / (1 - _WARM_UP)))
        return _LAST_RATE + (self.plan.rate - _LAST_RATE) * fall

    def _fill_banks(self) -> None:
        random = np.random.default_rng([self.plan.seed, 1])  # the same after a restart
        for scale in SCALES:
            self._banks[scale] = estimated_pairs(self.photos, scale, self.plan.bank, random)
            _log.info("x%d: %d estimated kernels", scale, len(self._banks[scale]))
