"""Bicubic enlargement: the baseline that knows nothing of the kernel."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from kernelgan_fast.kernels.blur_kernel import BlurKernel
from kernelgan_fast.sr.upscaler import Options


class Bicubic:
    """Keys' cubic with a = -0.5 and half-pixel centres, as Pillow and MATLAB have it.

    Args:
        kernel: only its scale counts.
        options: none counts.
    """

    context = 3
    multiple = 1

    def __init__(self, kernel: BlurKernel, options: Options) -> None:
        self.scale = kernel.scale

    def __call__(self, low: Tensor) -> Tensor:
        """See `Upscaler`."""
        return enlarge(low, self.scale)


def enlarge(planes: Tensor, scale: int) -> Tensor:
    """Enlarge (B, C, H, W) bicubically to (B, C, sH, sW)."""
    size = (planes.shape[-2] * scale, planes.shape[-1] * scale)
    # Nothing is antialiased when enlarging; but without it PyTorch takes a = -0.75.
    return functional.interpolate(planes, size, mode="bicubic", align_corners=False, antialias=True)
