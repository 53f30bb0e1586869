"""One training step's worth: LR crops, the HR crops they come from, and what is told of them."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kernelgan_fast.sr.forward_model import ForwardModel
from kernelgan_fast.sr.upscaler import ROUNDING
from kernelgan_fast.training.kernel_pairs import KernelPair
from kernelgan_fast.training.photos import PhotoStore

_NOISY, _MOST_NOISE = 0.5, 10 / 255
_JPEG, _QUALITIES = 0.1, (70, 100)


@dataclass(frozen=True, eq=False)
class Batch:
    """LR crops with their HR crops.

    Attributes:
        low: (B, 3, p/s, p/s) in [0, 1], whole grey levels.
        high: (B, 3, p, p) in [0, 1].
        model: of the kernel that the network is told.
        noise: standard deviation that it is told, in [0, 1] of white.
        error: of the kernel, that it is told.
    """

    low: Tensor
    high: Tensor
    model: ForwardModel
    noise: float
    error: float


def make_batch(
    photos: PhotoStore,
    pair: KernelPair,
    scale: int,
    *,
    count: int,
    side: int,
    random: np.random.Generator,
    clean: bool = False,
) -> Batch:
    """Draw crops and degrade them.

    Args:
        photos: where the crops come from.
        pair: the kernels.
        scale: 2 or 4.
        count: crops.
        side: of the HR crops, px, a multiple of 8.
        random: what is drawn comes from here.
        clean: no noise and no JPEG.
    """
    true = ForwardModel(_tensor(pair.true), scale)
    margin = true.reach * scale
    wide = photos.crops(count, side + 2 * margin, random)
    device = wide.device
    true = ForwardModel(_tensor(pair.true).to(device), scale)
    low = true.down(wide.reshape(-1, 1, *wide.shape[2:]))
    low = low[..., true.reach :, true.reach :][..., : side // scale, : side // scale]
    low = low.reshape(count, 3, side // scale, side // scale)
    noise = 0.0 if clean or random.random() >= _NOISY else float(random.random() ** 2) * _MOST_NOISE
    if noise:
        seed = int(random.integers(2**62))
        source = torch.Generator(device).manual_seed(seed)
        low = low + noise * torch.randn(low.shape, generator=source, device=device)
    low = torch.round(low.clamp(0, 1) * 255) / 255
    if not clean and random.random() < _JPEG:
        stored = _through_jpeg(low, int(random.integers(*_QUALITIES)))
        noise = float(np.hypot(noise, float((stored - low).std())))
        low = stored
    high = wide[..., margin : margin + side, margin : margin + side]
    told = ForwardModel(_tensor(pair.told).to(device), scale)
    return Batch(low, high, told, float(np.hypot(noise, ROUNDING / 255)), pair.error)


def _tensor(kernel: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(kernel, dtype=np.float32))


def _through_jpeg(low: Tensor, quality: int) -> Tensor:
    from PIL import Image

    pictures = []
    for picture in (low * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy():
        stream = io.BytesIO()
        Image.fromarray(picture).save(stream, format="JPEG", quality=quality)
        with Image.open(stream) as decoded:
            pictures.append(np.array(decoded))
    stored = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).to(low.device)
    return stored.float() / 255
