"""How good a network is on photos that it was not trained on."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from kernelgan_fast.sr.unfold_net import UnfoldNet
from kernelgan_fast.training.batches import make_batch
from kernelgan_fast.training.kernel_pairs import KernelPair, draw_true
from kernelgan_fast.training.photos import PhotoStore

_SIDE = 192
_WIDEST_MARGIN = 32
_CROPS = 4
_KERNELS = 6


def gain_over_bicubic(network: UnfoldNet, photos: PhotoStore, scale: int) -> float:
    """Mean gain in dB over bicubic, given the true kernel, on fixed crops and kernels."""
    random = np.random.default_rng(20_000 + scale)
    gains = []
    side = min(_SIDE, (photos.least - 2 * _WIDEST_MARGIN) // 8 * 8)
    for _ in range(_KERNELS):
        true = draw_true(scale, random)
        pair = KernelPair(true, true, 0.0)
        batch = make_batch(photos, pair, scale, count=_CROPS, side=side, random=random, clean=True)
        with torch.no_grad():
            inverses, levels = network.filters(batch.model, batch.noise, batch.error)
            result = network(batch.low, batch.model, inverses, levels)[-1]
        size = batch.high.shape[-2:]
        plain = functional.interpolate(batch.low, size, mode="bicubic", align_corners=False)
        gains.append(_psnr(result, batch.high) - _psnr(plain, batch.high))
    return float(torch.stack(gains).mean())


def _psnr(result: Tensor, high: Tensor) -> Tensor:
    """Mean over the crops of the PSNR of the grey picture, border left out."""
    grey = ((result.clamp(0, 1) - high).mean(dim=1))[:, 8:-8, 8:-8]
    return (-10 * torch.log10(grey.square().mean(dim=(1, 2)))).mean()
