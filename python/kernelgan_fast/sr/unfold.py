"""Super-resolution by the unfolding network: the weights that the package carries, or yours."""

from __future__ import annotations

import torch
from torch import Tensor

from kernelgan_fast.kernels.blur_kernel import BlurKernel
from kernelgan_fast.sr import weights
from kernelgan_fast.sr.border import extend
from kernelgan_fast.sr.forward_model import ForwardModel
from kernelgan_fast.sr.upscaler import ROUNDING, Options

# LR px mirrored at the photo's border: the data steps take the plane for endless.
MARGIN = 8

# Beyond it a tile's pixels change by less than 8 bits can show, see docs/upscaling.md.
CONTEXT = 48

# Noise that rounding to 8 bits leaves, in grey levels.


class Unfold:
    """Data steps that obey the LR photo, in turn with a learned prior; see `UnfoldNet`.

    Args:
        kernel: of the data steps.
        options: `noise` and `kernel_error`, which the network is told; `weights`; `precision`.

    Raises:
        InputError: the weights cannot be used.
    """

    def __init__(self, kernel: BlurKernel, options: Options) -> None:
        self.scale = kernel.scale
        self._network, _ = weights.load(options.weights)
        multiple = self._network.prior.multiple
        self.multiple = max(multiple // self.scale, 1)
        self.context = CONTEXT
        self._model = ForwardModel.of(kernel)
        noise = max(options.noise or 0.0, ROUNDING) / 255
        self._filters, self._levels = self._network.filters(
            self._model, noise, options.kernel_error
        )
        self._precision: torch.dtype = getattr(torch, options.precision)

    def __call__(self, low: Tensor) -> Tensor:
        """See `Upscaler`."""
        device = low.device
        self._network.to(device)
        height, width = low.shape[-2:]
        below, right = (-(side + 2 * MARGIN) % self.multiple for side in (height, width))
        wide = extend(low, MARGIN, MARGIN + below, MARGIN, MARGIN + right)
        filters = [taps.to(device) for taps in self._filters]
        with torch.inference_mode():
            stages = self._network(
                wide, self._model.to(device), filters, self._levels.to(device), self._precision
            )
        first = MARGIN * self.scale
        rows, columns = (slice(first, first + side * self.scale) for side in (height, width))
        result: Tensor = stages[-1][..., rows, columns].clone()
        return result
