"""The forward model of one kernel, LR = H(HR), its adjoint, and the step that obeys the LR photo.

Both are written by phases: an HR plane of s x s phases is a stack of s² LR planes, on which H is
one ordinary convolution. So is its adjoint, and neither needs a strided or transposed one.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from kernelgan_fast.kernels.blur_kernel import BlurKernel

# Reach of the filter that undoes H Hᵀ, in LR px, by how small tau is: with these the step is
# within 0.4 grey levels of the exact one (31 taps for tau >= 3e-4), see docs/upscaling.md.
TAPS = 31
GRID = 128

# Where a filter has more taps a side than this, convolving by FFT is quicker on a CPU.
_DIRECT_TAPS = 9


class ForwardModel:
    """H of one kernel and scale, on planes of any size.

    Args:
        kernel: (k, k), k odd, sum 1; its centre tap k//2 lies on the first of each s x s HR pixels.
        scale: s, how many times smaller.

    Attributes:
        scale: as given.
        reach: LR px to either side of an LR pixel that H and its adjoint reach.
    """

    def __init__(self, kernel: Tensor, scale: int) -> None:
        self.kernel = kernel
        self.scale = scale
        self.reach = math.ceil((kernel.shape[-1] // 2) / scale)
        self._phases = phases(kernel, scale)  # (1, s², m, m)

    @classmethod
    def of(cls, kernel: BlurKernel, device: torch.device | None = None) -> ForwardModel:
        """The model of a kernel value, in float32."""
        taps = torch.tensor(kernel.array, dtype=torch.float32, device=device)
        return cls(taps, kernel.scale)

    def to(self, device: torch.device) -> ForwardModel:
        """The same on another device; itself where it is there."""
        here = self.kernel.device == device
        return self if here else ForwardModel(self.kernel.to(device), self.scale)

    def down(self, high: Tensor) -> Tensor:
        """H: (B, 1, sH, sW) to (B, 1, H, W); beyond the border the last pixels are repeated."""
        margin = self.reach * self.scale
        return self.down_framed(functional.pad(high, (margin,) * 4, mode="replicate"))

    def down_framed(self, framed: Tensor) -> Tensor:
        """H of planes that already extend by `reach` LR px beyond each border."""
        if _native_serves(framed):
            from kernelgan_fast.ops import native

            inner = slice(self.reach, -self.reach or None)
            small: Tensor = native.downscale(framed, self.kernel[None], self.scale)
            inside: Tensor = small[..., inner, inner]
            return inside
        return _correlate(functional.pixel_unshuffle(framed, self.scale), self._phases, 0)

    def adjoint(self, low: Tensor) -> Tensor:
        """Hᵀ: (B, 1, H, W) to (B, 1, sH, sW); nothing lies beyond the border."""
        return functional.pixel_shuffle(self.folded_adjoint(low), self.scale)

    def folded_adjoint(self, low: Tensor) -> Tensor:
        """Hᵀ with the s x s phases as channels: (B, 1, H, W) to (B, s², H, W)."""
        return _correlate(low, _turned(self._phases), self.reach)

    def inverse_filter(self, tau: Tensor) -> Tensor:
        """The LR filter (H Hᵀ + tau)⁻¹, as the data step wants it.

        Args:
            tau: positive, a scalar tensor; gradients pass.

        Returns:
            (taps, taps), symmetric about its middle.

        Source: the Woodbury identity; H Hᵀ is a convolution on the LR grid whose spectrum is the
            mean of |K|² over the s² aliases (Zhao et al., TIP 2016).
        """
        spectrum = 1 / (self.power + tau)
        taps: Tensor = torch.fft.fftshift(torch.fft.ifft2(spectrum).real)
        middle, half = GRID // 2, TAPS // 2
        span = slice(middle - half, middle + half + 1)
        return taps[span, span].to(self.kernel.dtype)

    @cached_property
    def power(self) -> Tensor:
        """The spectrum of H Hᵀ on a grid of LR frequencies, (128, 128) float64."""
        size = GRID * self.scale
        full: Tensor = torch.fft.fft2(self.kernel.double(), s=(size, size)).abs().square()
        return full.reshape(self.scale, GRID, self.scale, GRID).mean(dim=(0, 2))

    def data_step(
        self, high: Tensor, low: Tensor, inverse: Tensor, window: Tensor | None = None
    ) -> Tensor:
        """The HR planes that obey the LR planes and stay near given ones.

        Args:
            high: z, (B, 1, sH, sW).
            low: y, (B, 1, H, W).
            inverse: `inverse_filter(tau)`.
            window: how far each LR pixel is obeyed, (H, W) in [0, 1]; see `border.border_window`.

        Returns:
            argmin over x of |H x - y|² + tau |x - z|², which is z + Hᵀ (H Hᵀ + tau)⁻¹ (y - H z).
        """
        missing = low - self.down(high)
        if window is None:
            return high + self.adjoint(convolve(missing, inverse))
        return high + self.adjoint(window * convolve(window * missing, inverse))


def phases(kernel: Tensor, scale: int) -> Tensor:
    """Sort the taps of a kernel by the HR phase that they read, (1, s², m, m).

    LR pixel i reads HR pixel s i + a - k//2 with tap a; with a - k//2 = s q + r this is phase r at
    LR place i + q.
    """
    size = kernel.shape[-1]
    centre = size // 2
    reach = math.ceil(centre / scale)
    before = reach * scale - centre
    after = (2 * reach + 1) * scale - before - size
    padded = functional.pad(kernel, (before, after, before, after))
    return functional.pixel_unshuffle(padded[None, None], scale)


def convolve(planes: Tensor, taps: Tensor) -> Tensor:
    """Convolve (B, 1, H, W) with a symmetric (t, t) filter, t odd, zeros beyond the border."""
    size = taps.shape[-1]
    if size <= _DIRECT_TAPS or torch.onnx.is_in_onnx_export():
        return functional.conv2d(planes, taps[None, None], padding=size // 2)
    height, width = planes.shape[-2:]
    frame = [_quick_length(length + size - 1) for length in (height, width)]
    product = torch.fft.rfft2(planes, s=frame) * torch.fft.rfft2(taps, s=frame)
    full: Tensor = torch.fft.irfft2(product, s=frame)
    first = size // 2
    return full[..., first : first + height, first : first + width]


def _native_serves(planes: Tensor) -> bool:
    """Whether the compiled op can do it, ten times quicker than phases on a CPU."""
    return (
        planes.dtype == torch.float32
        and planes.device.type == "cpu"
        and not planes.requires_grad
        and not torch.onnx.is_in_onnx_export()
    )


def _turned(weight: Tensor) -> Tensor:
    """The weight of the adjoint of a correlation."""
    return weight.flip(-1, -2).transpose(0, 1)


def _correlate(planes: Tensor, weight: Tensor, padding: int) -> Tensor:
    if planes.requires_grad:
        return _Correlation.apply(planes, weight, padding)  # type: ignore[no-any-return, no-untyped-call]
    return functional.conv2d(planes, weight, padding=padding)


class _Correlation(torch.autograd.Function):
    """conv2d by a fixed weight whose gradient is one more conv2d.

    With so few channels PyTorch's own gradient on a CPU takes three times as long.
    """

    @staticmethod
    def forward(ctx: Any, planes: Tensor, weight: Tensor, padding: int) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.padding = weight.shape[-1] - 1 - padding
        return functional.conv2d(planes, weight, padding=padding)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (weight,) = ctx.saved_tensors
        return functional.conv2d(gradients[0], _turned(weight), padding=ctx.padding), None, None


def _quick_length(length: int) -> int:
    """The next length that FFTs are quick at."""
    from scipy.fft import next_fast_len

    quick: int = next_fast_len(length, real=True)
    return quick
