"""The data step of training: one kernel per crop, on small crops, by FFT.

On crops of about 48 LR px this is several times faster than the convolutions of `ForwardModel`,
serves a batch of different kernels, and has a gradient in closed form. Both agree except near the
border of the crops, which the loss leaves out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from kernelgan_fast.sr.forward_model import phases

# LR px around a crop that the transforms add; no kernel may reach further.
FRAME_MARGIN = 8


class FourierModel:
    """Kernels of a batch of crops, one per crop.

    Args:
        kernels: (k, k) each, k odd but not necessarily equal.
        scale: How many times smaller the LR crops are.
        side: Side of the LR crops, px, even.
        device: Where the crops are.

    Attributes:
        kernels, scale, side: As given.
        spectra: (B, s², F, F/2 + 1) complex64, of each phase of each kernel.
        power: (B, F, F/2 + 1), the spectrum of H Hᵀ.
    """

    def __init__(
        self, kernels: Sequence[NDArray[np.float64]], scale: int, side: int, device: torch.device
    ) -> None:
        self.kernels = list(kernels)
        self.scale, self.side = scale, side
        self.frame = side + 2 * FRAME_MARGIN
        taps = torch.stack([_placed(kernel, scale, self.frame) for kernel in kernels]).to(device)
        self.spectra = torch.fft.rfft2(taps)
        self._conjugate = self.spectra.conj().resolve_conj()
        self.power = self.spectra.abs().square().sum(dim=1)

    def correction(self, estimate: Tensor, low: Tensor, tau: Tensor) -> Tensor:
        """Compute Hᵀ (H Hᵀ + tau)⁻¹ (y - H z) of each crop.

        Args:
            estimate: z folded by the scale, (B, 3 s², H, W).
            low: y, (B, 3, H, W).
            tau: (B,), positive.

        Returns:
            Folded as the estimate is.
        """
        corrected: Tensor = _Correction.apply(estimate, low, tau, self)  # type: ignore[no-untyped-call]
        return corrected

    def adjoint(self, transformed: Tensor) -> Tensor:
        """Hᵀ of transformed LR crops (B, 3, F, F/2 + 1), folded: (B, 3 s², H, W)."""
        spread = torch.fft.irfft2(self.spectra[:, None] * transformed[:, :, None])
        inside: Tensor = spread[..., : self.side, : self.side]
        return inside.flatten(1, 2)

    def down(self, folded: Tensor) -> Tensor:
        """H of folded HR crops of up to F x F blocks, transformed: (B, 3, F, F/2 + 1)."""
        stacked = folded.unflatten(1, (3, self.scale**2))
        transformed = torch.fft.rfft2(stacked, s=(self.frame, self.frame))
        products: Tensor = self._conjugate[:, None] * transformed
        return products.sum(dim=2)


class _Correction(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, estimate: Tensor, low: Tensor, tau: Tensor, model: FourierModel
    ) -> Tensor:
        inside = slice(FRAME_MARGIN, FRAME_MARGIN + model.side)
        wide = functional.pad(estimate, (FRAME_MARGIN,) * 4, mode="replicate")
        reached = torch.fft.irfft2(model.down(wide))[..., inside, inside]
        inverse = 1 / (model.power + tau[:, None, None])[:, None]
        missing = torch.fft.rfft2(low - reached, s=(model.frame, model.frame))
        filtered = inverse * missing
        ctx.model = model
        ctx.save_for_backward(inverse, filtered)
        return model.adjoint(filtered)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, Tensor, None]:
        """The operator is symmetric but for the border, where replication is ignored here."""
        model: FourierModel = ctx.model
        inverse, filtered = ctx.saved_tensors
        weighed = inverse * model.down(gradients[0])
        columns = torch.full(weighed.shape[-1:], 2.0, device=weighed.device)
        columns[0] = columns[-1] = 1.0
        products = (weighed.real * filtered.real + weighed.imag * filtered.imag) * columns
        to_tau = -products.sum(dim=(1, 2, 3)) / model.frame**2
        kept = torch.fft.irfft2(weighed)[..., : model.side, : model.side]
        again = torch.fft.rfft2(kept, s=(model.frame, model.frame))
        return -model.adjoint(again), None, to_tau, None


def _placed(kernel: NDArray[np.float64], scale: int, frame: int) -> Tensor:
    """The phases of a kernel on the frame, (s², F, F), LR offset 0 at the first place."""
    taps = phases(torch.from_numpy(np.ascontiguousarray(kernel, np.float32)), scale)[0]
    reach = taps.shape[-1] // 2
    if reach > FRAME_MARGIN:
        reach_cut = slice(reach - FRAME_MARGIN, reach + FRAME_MARGIN + 1)
        taps, reach = taps[:, reach_cut, reach_cut], FRAME_MARGIN
    rest = frame - taps.shape[-1]
    return functional.pad(taps, (0, rest, 0, rest)).roll((-reach, -reach), dims=(1, 2))
