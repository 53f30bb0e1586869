"""A photo made small by a known kernel, for tests of super-resolution."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from kernelgan_fast.degradation.blur_models import draw
from kernelgan_fast.degradation.degrade import degrade
from kernelgan_fast.images import read_image
from kernelgan_fast.kernels import BlurKernel

DATA = Path(__file__).resolve().parent / "data"


@dataclass(frozen=True)
class Degraded:
    """A small photo, the large one it is from (both (1, 3, H, W) in [0, 1]), and the kernel."""

    low: Tensor
    high: Tensor
    kernel: BlurKernel

    def psnr(self, result: Tensor) -> float:
        """Of the green plane, the outermost pixels left out."""
        error = (result - self.high)[:, 1, 4:-4, 4:-4].square().mean()
        return float(-10 * torch.log10(error))


def degraded(scale: int) -> Degraded:
    """A CC0 photo made small by a kernel of DIV2KRK's blur model, which is not symmetric."""
    photo = read_image(DATA / "roman-colosseum_160x112.png").pixels
    kernel = draw("div2krk", scale, seed=1, name="photo").array
    low = degrade(photo, kernel, scale)
    planes = [
        torch.from_numpy(np.moveaxis(pixels, 2, 0).copy())[None].float() / 255
        for pixels in (low, photo)
    ]
    return Degraded(planes[0], planes[1], BlurKernel(kernel, scale))
