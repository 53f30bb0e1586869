"""How good a network is on photos that it was not trained on, with fixed kernels and noise."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from kernelgan_fast.kernels import BlurKernel
from kernelgan_fast.sr.tv import TotalVariation
from kernelgan_fast.sr.unfolding_network import SCALES, UnfoldingNetwork
from kernelgan_fast.sr.upscaler import Options
from kernelgan_fast.training.batches import Batch, Spoiling, make_batch
from kernelgan_fast.training.fourier import FRAME_MARGIN
from kernelgan_fast.training.kernel_pairs import KernelPair, distance, draw_true, perturbed
from kernelgan_fast.training.photos import PhotoStore
from kernelgan_fast.training.train import run_network

_SIDE = 48  # LR px, less where the photos are small
_CROPS = 8
_BORDER = 4


@dataclass(frozen=True)
class Case:
    """One row of the validation table.

    Attributes:
        scale: How many times smaller the LR crops are.
        known: Whether the network is given the true kernel, or one that is off by about as much
            as an estimate.
        spoiling: Noise and compression.
        batches: How many batches of 8 crops to measure on.
    """

    scale: int
    known: bool = True
    spoiling: Spoiling = field(default_factory=Spoiling)
    batches: int = 1


CASES = {
    "x2": Case(2, batches=3),
    "x4": Case(4, batches=3),
    "x2 estimated": Case(2, known=False, batches=2),
    "x4 estimated": Case(4, known=False, batches=2),
    "x2 noise 5": Case(2, spoiling=Spoiling(noise=5.0)),
    "x2 noise 10": Case(2, spoiling=Spoiling(noise=10.0)),
    "x2 JPEG 75": Case(2, spoiling=Spoiling(quality=75)),
    "x4 noise 5": Case(4, spoiling=Spoiling(noise=5.0)),
    "x1": Case(1),
    "x3": Case(3),
}


def batches(photos: PhotoStore) -> Iterator[tuple[str, Batch]]:
    """Make the batches of all cases, always the same ones."""
    for row, (name, case) in enumerate(CASES.items()):
        random = np.random.default_rng([20_000, row])
        side = min(_SIDE, (photos.least // case.scale - 2 * FRAME_MARGIN) // 4 * 4)
        for _ in range(case.batches):
            pairs = [_pair(case, random) for _ in range(_CROPS)]
            spoilings = [case.spoiling] * _CROPS
            yield (
                name,
                make_batch(
                    photos, pairs, case.scale, side=side, random=random, spoilings=spoilings
                ),
            )


def gains(
    network: UnfoldingNetwork, photos: PhotoStore, precision: torch.dtype = torch.float32
) -> dict[str, float]:
    """Mean gain in dB of luma PSNR over bicubic, per case."""

    def enlarge(batch: Batch) -> Tensor:
        return run_network(network, batch, precision)[-1]

    return gains_of(enlarge, photos)


def gains_of_tv(photos: PhotoStore) -> dict[str, float]:
    """The same for `tv`, which the network must beat, at the scales that it has."""

    def enlarge(batch: Batch) -> Tensor:
        conditions = zip(batch.conditions.noise, batch.conditions.kernel_error, strict=True)
        results = []
        for low, kernel, (noise, error) in zip(
            batch.low, batch.model.kernels, conditions, strict=True
        ):
            options = Options(noise=255 * float(noise), kernel_error=float(error))
            results.append(TotalVariation(BlurKernel(kernel, batch.scale), options)(low[None]))
        return torch.cat(results)

    return gains_of(enlarge, photos, scales=(2, 4))


def gains_of(
    enlarge: Callable[[Batch], Tensor], photos: PhotoStore, scales: Collection[int] = SCALES
) -> dict[str, float]:
    """The same for any method, which maps a batch to HR crops."""
    found: dict[str, list[Tensor]] = {}
    for name, batch in batches(photos):
        if batch.scale not in scales:
            continue
        with torch.no_grad():
            result = enlarge(batch)
        size = batch.high.shape[-2:]
        plain = functional.interpolate(batch.low, size, mode="bicubic", align_corners=False)
        gain = _psnr(result, batch) - _psnr(plain, batch)
        found.setdefault(name, []).append(gain.mean())
    return {name: round(float(torch.stack(each).mean()), 3) for name, each in found.items()}


def _pair(case: Case, random: np.random.Generator) -> KernelPair:
    true = draw_true(case.scale, random)
    if case.known:
        return KernelPair(true, true, 0.0)
    told = perturbed(true, case.scale, random)
    return KernelPair(true, told, min(distance(told, true), 1.0))


def _psnr(result: Tensor, batch: Batch) -> Tensor:
    """PSNR of the luma of each crop, without its border."""
    border = _BORDER * batch.scale
    inner = (..., slice(border, -border), slice(border, -border))
    difference = (torch.round(result.clamp(0, 1) * 255) / 255 - batch.high)[inner]
    weights = torch.tensor([65.481, 128.553, 24.966], device=result.device) / 255
    luma = torch.einsum("bchw,c->bhw", difference, weights)
    return -10 * torch.log10(luma.square().mean(dim=(1, 2)) + 1e-8)
