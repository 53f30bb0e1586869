"""Back-projection: add what the LR photo says is missing, a few times over."""

from __future__ import annotations

from torch import Tensor

from kernelgan_fast.kernels.blur_kernel import BlurKernel
from kernelgan_fast.sr.bicubic import enlarge
from kernelgan_fast.sr.forward_model import ForwardModel
from kernelgan_fast.sr.upscaler import Options

# More sharpen noise and ringing: SSIM falls from about 30 on.
_ITERATIONS = 8


class BackProjection:
    """x <- x + bicubic(y - H x), from x = bicubic(y).

    Args:
        kernel: of H.
        options: `iterations` (8).

    Source: Irani and Peleg, "Improving Resolution by Image Registration", 1991.
    """

    multiple = 1

    def __init__(self, kernel: BlurKernel, options: Options) -> None:
        self.scale = kernel.scale
        self._iterations = options.iterations or _ITERATIONS
        self._model = ForwardModel.of(kernel)
        self.context = (self._iterations + 1) * (self._model.reach + 3)

    def __call__(self, low: Tensor) -> Tensor:
        """See `Upscaler`."""
        planes = low.reshape(-1, 1, *low.shape[-2:])
        high = enlarge(planes, self.scale)
        for _ in range(self._iterations):
            high = high + enlarge(planes - self._model.down(high), self.scale)
        return high.reshape(*low.shape[:2], *high.shape[-2:])
