"""What holds for every method: means, neutral colours and dark backgrounds are kept.

A learned prior or a sharp kernel may shift the mean of a fine pattern, tint grey detail or carve
black rings around stars. The photo itself says what is right there.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from kernelgan_fast.kernels.blur_kernel import BlurKernel
from kernelgan_fast.sr.bicubic import Bicubic, enlarge
from kernelgan_fast.sr.border import border_window, extend
from kernelgan_fast.sr.forward_model import ForwardModel
from kernelgan_fast.sr.upscaler import Upscaler

_LUMA = (0.299, 0.587, 0.114)

# Standard deviation in LR px of the window within which means are kept, and its reach.
_WINDOW, _REACH = 2.0, 6

# Part of the local background below which nothing may fall.
_BACKGROUND = 0.85

# Colours may leave the range of the neighbouring LR pixels by this part of it.
_CHROMA_MARGIN = 0.5

# What means are taken from: the window of each LR pixel that their enlargement reads.
_CONTEXT = _REACH + Bicubic.context

# Data steps of a drawing with a known kernel, and LR px at the border in which they fade out.
_STEPS, _TAU, _MARGIN = 5, 1e-3, 16


class Guarded:
    """A method whose results keep what the photo shows.

    Args:
        method: the method, ready.
        kernel: that it was made ready for.
        dark_background: whether nothing may become darker than the background nearby, as around
            stars.
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
            high = high.clamp(0, 1)  # the means that count are those of what is written
            high = high + self._missing_means(high, low)
            high = _with_chroma_of(low, high, self.scale)
            if self._dark_background:
                high = torch.maximum(high, _spread(_background(low), self.scale))
        return high

    def _missing_means(self, high: Tensor, low: Tensor) -> Tensor:
        """What local means of the photo have and those of the result lack, in HR."""
        batch, channels, height, width = low.shape
        planes = high.reshape(batch * channels, 1, height * self.scale, width * self.scale)
        again = self._model.to(low.device).down(planes).reshape(low.shape)
        return enlarge(_blurred(low - again), self.scale)


class Consistent:
    """A method whose results reproduce the photo, for drawings with a known kernel.

    A prior of photos smooths regular patterns away; the photo and its exact kernel bring them back.

    Args:
        method: the method, ready.
        kernel: the exact kernel.
    """

    def __init__(self, method: Upscaler, kernel: BlurKernel) -> None:
        self.scale = method.scale
        self.multiple = method.multiple
        self.context = method.context + 2 * _MARGIN
        self._method = method
        self._model = ForwardModel.of(kernel)
        self._inverse = self._model.inverse_filter(torch.tensor(_TAU))

    def __call__(self, low: Tensor) -> Tensor:
        """See `Upscaler`."""
        with torch.no_grad():
            high = self._method(low)
            model, inverse = self._model.to(low.device), self._inverse.to(low.device)
            window = border_window(low.shape[-2], low.shape[-1], _MARGIN, low.device)
            planes, known = (each.reshape(-1, 1, *each.shape[-2:]) for each in (high, low))
            for _ in range(_STEPS):
                planes = model.data_step(planes, known, inverse, window).clamp(0, 1)
            return planes.reshape(high.shape)


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


def _background(low: Tensor) -> Tensor:
    """The least that a pixel may be where bright points lie on an even background."""
    mean = functional.avg_pool2d(low, 5, stride=1, padding=2, count_include_pad=False)
    return _BACKGROUND * -_largest(-mean, 7)


def _largest(planes: Tensor, side: int) -> Tensor:
    return functional.max_pool2d(planes, side, stride=1, padding=side // 2)


def _spread(planes: Tensor, scale: int) -> Tensor:
    """Repeat every LR pixel for its HR pixels."""
    return planes.repeat_interleave(scale, dim=-2).repeat_interleave(scale, dim=-1)
