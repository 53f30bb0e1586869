"""Total variation: the plainest picture that the LR photo allows; it needs no weights."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kernelgan_fast.kernels.blur_kernel import BlurKernel
from kernelgan_fast.sr.bicubic import enlarge
from kernelgan_fast.sr.border import border_window, extend
from kernelgan_fast.sr.forward_model import ForwardModel
from kernelgan_fast.sr.upscaler import ROUNDING, Options

# By scale; more gain little (docs/upscaling.md).
_ITERATIONS = {1: 16, 2: 16, 3: 20, 4: 24}

# Measured on six photos at noises of 0.3 to 10 levels, see docs/upscaling.md: by the noise in
# grey levels, the weight of the variation and the step of the descent.
_WEIGHT, _POWER = 2e-4, 1.4
_STEP, _LARGEST_STEP = 0.03, 0.5

# As how many grey levels of noise a kernel that is all wrong counts.
_WRONG_KERNEL = 3.0

# LR px beyond the photo in which the data steps fade out.
_MARGIN = 16


class TotalVariation:
    """argmin over x of |H x - y|² / 2 + weight · TV(x), over the three colours together.

    Args:
        kernel: of H.
        options: `iterations` (16 at scales 1 and 2, 20 at 3, 24 at 4); `noise` and `kernel_error`
            make it smoother.

    Source: Chambolle and Pock, "A First-Order Primal-Dual Algorithm", JMIV 2011, algorithm 1; its
        step on the LR photo is `ForwardModel.data_step`.
    """

    multiple = 1
    context = 32

    def __init__(self, kernel: BlurKernel, options: Options) -> None:
        self.scale = kernel.scale
        self._iterations = options.iterations or _ITERATIONS[kernel.scale]
        self._model = ForwardModel.of(kernel)
        noise = ROUNDING if options.total_noise is None else options.total_noise
        noise = math.hypot(max(noise, ROUNDING), _WRONG_KERNEL * options.kernel_error)
        self._weight = _WEIGHT * noise**_POWER
        self._step = min(_STEP * noise, _LARGEST_STEP)
        self._inverse = self._model.inverse_filter(torch.tensor(self._step))

    def __call__(self, low: Tensor) -> Tensor:
        """See `Upscaler`."""
        wide = extend(low, *(_MARGIN,) * 4)
        window = border_window(wide.shape[-2], wide.shape[-1], _MARGIN, low.device)
        planes = wide.reshape(-1, 1, *wide.shape[-2:])
        model, inverse = self._model.to(low.device), self._inverse.to(low.device)
        high = ahead = enlarge(wide, self.scale)
        # Dual variables: one a colour and direction, together no longer than the weight.
        down, across = torch.zeros_like(high), torch.zeros_like(high)
        rate = self._step / 8  # the product of both rates and |gradient|² = 8 is 1
        for _ in range(self._iterations):
            down[..., :-1, :] += rate * (ahead[..., 1:, :] - ahead[..., :-1, :])
            across[..., :-1] += rate * (ahead[..., 1:] - ahead[..., :-1])
            length = (down.square() + across.square()).sum(1, keepdim=True).sqrt_()
            shrink = (self._weight / length).clamp_(max=1)
            down *= shrink
            across *= shrink
            smoother = high + _divergence(down, across) / self._step
            flat = smoother.reshape(-1, 1, *high.shape[-2:])
            obeying = model.data_step(flat, planes, inverse, window).reshape(high.shape)
            high, ahead = obeying, 2 * obeying - high
        margin = _MARGIN * self.scale
        return high[..., margin:-margin, margin:-margin]


def _divergence(down: Tensor, across: Tensor) -> Tensor:
    """The negative adjoint of forward differences that are 0 at the far border."""
    total = down + across
    total[..., 1:, :] -= down[..., :-1, :]
    total[..., 1:] -= across[..., :-1]
    return total
