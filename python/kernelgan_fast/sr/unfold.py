"""Super-resolution by the unfolding network, with the weights of the package or others."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from kernelgan_fast.kernels.blur_kernel import BlurKernel
from kernelgan_fast.sr import weights
from kernelgan_fast.sr.border import extend
from kernelgan_fast.sr.forward_model import ForwardModel, convolve
from kernelgan_fast.sr.precision import precision_of
from kernelgan_fast.sr.unfolding_network import FOLD, Conditions, DataStep
from kernelgan_fast.sr.upscaler import ROUNDING, Options

# LR px mirrored at the border of the photo: the data steps assume an endless plane.
MARGIN = 8

# Beyond it a tile's pixels change by less than 8 bits can show, see docs/upscaling.md.
CONTEXT = 48


class Unfold:
    """Data steps that fit the LR photo, alternating with a learned prior.

    Args:
        kernel: Of the data steps.
        options: `noise`, `kernel_error` and `compression`, which the network is given; `weights`;
            `precision`.

    Raises:
        InputError: The weights cannot be used.
    """

    def __init__(self, kernel: BlurKernel, options: Options) -> None:
        self.scale = kernel.scale
        self._network, _ = weights.load(options.weights)
        self.multiple = self._network.multiple * FOLD[self.scale] // self.scale  # LR px
        self.context = CONTEXT
        self._options = options
        self._model = ForwardModel.of(kernel)
        self._device = torch.device("cpu")
        self._prepare(self._device)

    def _prepare(self, device: torch.device) -> None:
        """Move everything that depends on kernel and options alone to a device."""
        options, network = self._options, self._network.to(device)
        self._device, self._model = device, self._model.to(device)
        self._precision = precision_of(options.precision, device)
        with torch.inference_mode():
            noise = max(options.noise or 0.0, ROUNDING) / 255
            facts = (noise, options.kernel_error, options.compression)
            given = Conditions(*(torch.tensor([fact], device=device) for fact in facts))
            taus, self._biases = network.conditions(given, self.scale)
            self._filters = [self._model.inverse_filter(tau) for tau in taus[0]]
            network.prior_to(self._precision)

    def __call__(self, low: Tensor) -> Tensor:
        """See `Upscaler`."""
        if low.device != self._device:
            self._prepare(low.device)
        height, width = low.shape[-2:]
        below, right = (-(side + 2 * MARGIN) % self.multiple for side in (height, width))
        wide = extend(low, MARGIN, MARGIN + below, MARGIN, MARGIN + right)
        with torch.inference_mode():
            stages = self._network(
                wide, self.scale, self._data_step(wide), self._biases, self._precision
            )
        first = MARGIN * self.scale
        rows, columns = (slice(first, first + side * self.scale) for side in (height, width))
        result: Tensor = stages[-1][..., rows, columns].clone()
        return result

    def _data_step(self, low: Tensor) -> DataStep:
        """Corrections by convolution; beyond the border the outermost blocks are repeated."""
        model, fold = self._model, FOLD[self.scale]
        batch = len(low)
        planes = low.reshape(3 * batch, 1, *low.shape[-2:])
        margin = -(-model.reach * self.scale // fold)  # blocks
        surplus = margin * fold - model.reach * self.scale  # HR px
        inner = slice(surplus, -surplus or None)

        def correction(estimate: Tensor, stage: int) -> Tensor:
            framed = functional.pad(estimate, (margin,) * 4, mode="replicate")
            high = functional.pixel_shuffle(framed, fold)[..., inner, inner].flatten(0, 1)
            missing = planes - model.down_framed(high[:, None].contiguous())
            folded = model.folded_adjoint(convolve(missing, self._filters[stage]))
            folded = folded.reshape(batch, -1, *folded.shape[-2:])
            return functional.pixel_unshuffle(folded, fold // self.scale)

        return correction
