"""Small weights and models, for tests of export and of what runs exported models."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from kernelgan_fast.degradation.blur_models import draw
from kernelgan_fast.kernels import BlurKernel, target_centre
from kernelgan_fast.sr import weights
from kernelgan_fast.sr.unfolding_network import Architecture, UnfoldingNetwork


def write_weights(path: Path) -> Path:
    """Write a tiny network that was not trained, but all of whose parts do something."""
    torch.manual_seed(0)
    network = UnfoldingNetwork(Architecture(stages=2, width=8, coarse_width=6))
    for convolution in network.write.values():
        torch.nn.init.normal_(convolution.weight, std=0.02)
    torch.nn.init.normal_(network.conditioning[-1].weight, std=0.3)
    weights.save(network, path, {})
    return path


def write_srmd_weights(path: Path, scale: int, *, takes_noise: bool = True) -> Path:
    """Write a state dict as small as SRMD's may be, with a basis of kernels inside."""
    random = torch.Generator().manual_seed(0)
    widths = [18 + takes_noise, 6, 6, 3 * scale**2]
    entries = {"P": torch.randn(15, 225, generator=random)}
    for index, (before, after) in enumerate(pairwise(widths)):
        weight = torch.randn(after, before, 3, 3, generator=random) / (9 * before) ** 0.5
        entries[f"model.{2 * index}.weight"] = weight
        entries[f"model.{2 * index}.bias"] = torch.rand(after, generator=random) / 4
    torch.save(entries, path)
    return path


def blur(scale: int) -> BlurKernel:
    """A kernel of DIV2KRK's blur model, which is not symmetric."""
    return BlurKernel(draw("div2krk", scale, seed=1, name="photo").array, scale)


def narrow_blur(scale: int) -> BlurKernel:
    """A kernel that srmd has no difficulty with."""
    rows, columns = np.indices((25, 25)) - target_centre(25, scale)
    gaussian = np.exp(-(rows**2 / 5 + columns**2 / 8 - rows * columns / 12) / 2)
    return BlurKernel(gaussian / gaussian.sum(), scale)


def inputs(
    kernel: BlurKernel, noise: float, error: float, compression: float = 0.0
) -> dict[str, np.ndarray]:
    """Inputs besides the photo of a model that takes kernels."""
    return {
        "kernel": kernel.array.astype(np.float32),
        "noise": np.array([noise], np.float32),
        "kernel_error": np.array([error], np.float32),
        "compression": np.array([compression], np.float32),
    }
