"""Small weights and models, for tests of export and of what runs exported models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from kernelgan_fast.evaluation.blur_laws import draw
from kernelgan_fast.kernels import BlurKernel
from kernelgan_fast.sr import weights
from kernelgan_fast.sr.unfold_net import Shape, UnfoldNet


def write_weights(path: Path) -> Path:
    """Write a tiny network that was not trained, but all of whose parts do something."""
    torch.manual_seed(0)
    network = UnfoldNet(Shape(stages=2, widths=(4, 6), blocks=1))
    torch.nn.init.normal_(network.prior.last.weight, std=0.01)
    torch.nn.init.normal_(network.control[-1].weight, std=0.3)
    weights.save(network, path, {})
    return path


def blur(scale: int) -> BlurKernel:
    """A kernel of DIV2KRK's law, which is not symmetric."""
    return BlurKernel(draw("div2krk", scale, seed=1, name="photo").array, scale)


def inputs(kernel: BlurKernel, noise: float, error: float) -> dict[str, np.ndarray]:
    """What a model is told that takes kernels."""
    return {
        "kernel": kernel.array.astype(np.float32),
        "noise": np.array([noise], np.float32),
        "kernel_error": np.array([error], np.float32),
    }
