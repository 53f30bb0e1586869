"""What holds for every method: means, neutral colours and dark backgrounds are kept.

A learned prior or a sharp kernel may shift the mean of a fine pattern, tint grey detail or carve
black rings around stars. The photo itself says what is right there.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from kernelgan_fast.kernels.blur_kernel import BlurKernel
from kernelgan_fast.sr.bicubic import enlarge
from kernelgan_fast.sr.border import extend
from kernelgan_fast.sr.forward_model import ForwardModel
from kernelgan_fast.sr.upscaler import Upscaler

_LUMA = (0.299, 0.587, 0.114)

# Standard deviation in LR px of the window within which means are kept, and its reach.
_WINDOW, _REACH = 2.0, 6

# Colours may leave the range of the neighbouring LR pixels by this part of it.
_CHROMA_MARGIN = 0.5

_CONTEXT = 8


class Guarded:
    """A method whose results keep what the photo shows.

    Args:
        method: the method, ready.
        kernel: that it was made ready for.
        dark_background: whether nothing may become darker than the darkest LR pixel nearby, as
            around stars.
    """

    def __init__(self, method: Upscaler, kernel: BlurKernel, *, dark_background: bool) -> None:
        self.scale = method.scale
        self.multiple = method.multiple
        self._model = ForwardModel.of(kernel)
        self.context = method.context + _CONTEXT + self._model.reach
        self._method = method
        self._dark_background = dark_background

    def __call__(self, low: Tensor) -> Tensor:
        """See `Upscaler`."""
        high = self._method(low)
        with torch.no_grad():
            high = high + self._missing_means(high, low)
            high = _with_chroma_of(low, high, self.scale)
            if self._dark_background:
                high = torch.maximum(high, _spread(-_largest(-low, 5), self.scale))
        return high

    def _missing_means(self, high: Tensor, low: Tensor) -> Tensor:
        """What local means of the photo have and those of the result lack, in HR."""
        batch, channels, height, width = low.shape
        planes = high.reshape(batch * channels, 1, height * self.scale, width * self.scale)
        again = self._model.to(low.device).down(planes).reshape(low.shape)
        return enlarge(_blurred(low - again), self.scale)


def _blurred(planes: Tensor) -> Tensor:
    """Blur (B, C, H, W) by a Gaussian of `_WINDOW` px, mirrored at the border."""
    place = torch.arange(-_REACH, _REACH + 1, device=planes.device, dtype=planes.dtype)
    line = torch.exp(-(place**2) / (2 * _WINDOW**2))
    line = line / line.sum()
    wide = extend(planes.reshape(-1, 1, *planes.shape[-2:]), *(_REACH,) * 4)
    rows = functional.conv2d(wide, line.reshape(1, 1, -1, 1))
    return functional.conv2d(rows, line.reshape(1, 1, 1, -1)).reshape(planes.shape)


def _with_chroma_of(low: Tensor, high: Tensor, scale: int) -> Tensor:
    """Keep the luma of HR planes and limit their colours to those of the LR pixels nearby."""
    weights = torch.tensor(_LUMA, device=low.device, dtype=low.dtype).reshape(1, 3, 1, 1)
    luma = (high * weights).sum(1, keepdim=True)
    colour = low - (low * weights).sum(1, keepdim=True)
    most, least = _largest(colour, 3), -_largest(-colour, 3)
    margin = _CHROMA_MARGIN * (most - least)
    limited = torch.minimum(
        torch.maximum(high - luma, _spread(least - margin, scale)), _spread(most + margin, scale)
    )
    limited = limited - (limited * weights).sum(1, keepdim=True)
    return luma + limited


def _largest(planes: Tensor, side: int) -> Tensor:
    return functional.max_pool2d(planes, side, stride=1, padding=side // 2)


def _spread(planes: Tensor, scale: int) -> Tensor:
    """Repeat every LR pixel for its HR pixels."""
    return planes.repeat_interleave(scale, dim=-2).repeat_interleave(scale, dim=-1)
