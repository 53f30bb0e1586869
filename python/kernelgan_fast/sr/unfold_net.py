"""The unfolding network: data steps that obey the LR photo, in turn with a learned prior.

The kernel and the scale are arguments, not weights: one network serves every kernel at x2 and x4.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from kernelgan_fast.sr.forward_model import ForwardModel
from kernelgan_fast.sr.prior import Prior

# tau of a data step lies between these.
LEAST, MOST = 1e-3, 1e-1


@dataclass(frozen=True)
class Shape:
    """How large the network is; stored beside its weights.

    Attributes:
        stages: pairs of data step and prior.
        widths: channels of the prior's levels.
        blocks: residual blocks a level.
    """

    stages: int = 2
    widths: tuple[int, ...] = (32, 64, 96)
    blocks: int = 1

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


class UnfoldNet(nn.Module):
    """z = bicubic(y); then, stage by stage, x = data step(z), z = prior(x).

    Args:
        shape: its size.

    Source: Zhang et al., "Deep Unfolding Network for Image Super-Resolution", CVPR 2020, with the
        data step in closed form on the LR grid.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.prior = Prior(shape.widths, shape.blocks)
        self.control = nn.Sequential(nn.Linear(3, 32), nn.ReLU(), nn.Linear(32, 2 * shape.stages))
        last = self.control[-1]
        assert isinstance(last, nn.Linear) and last.bias is not None
        nn.init.zeros_(last.weight)
        with torch.no_grad():  # so that the stages can tell themselves apart from the start
            last.bias.copy_(
                torch.cat([torch.zeros(shape.stages), torch.linspace(1, 0, shape.stages)])
            )

    def controls(self, noise: float, kernel_error: float, scale: int) -> tuple[Tensor, Tensor]:
        """What each stage is told.

        Args:
            noise: standard deviation of the LR photo's noise, in [0, 1] of white.
            kernel_error: relative L2 error that the kernel may have, 0 for one that is known.
            scale: 2 or 4.

        Returns:
            tau of each data step and the noise level each prior is told, (stages,) each.
        """
        parameter = next(self.parameters())
        facts = [noise * 10, kernel_error, math.log2(scale) - 1]
        told = self.control(torch.tensor(facts, device=parameter.device, dtype=parameter.dtype))
        tau, level = told.chunk(2)
        span = math.log(MOST / LEAST)
        return LEAST * torch.exp(span * torch.sigmoid(tau - 1)), level

    def filters(
        self, model: ForwardModel, noise: float, kernel_error: float
    ) -> tuple[list[Tensor], Tensor]:
        """The inverse filter of each stage, and the priors' noise levels."""
        taus, levels = self.controls(noise, kernel_error, model.scale)
        return [model.inverse_filter(tau) for tau in taus], levels

    def forward(
        self,
        low: Tensor,
        model: ForwardModel,
        inverses: list[Tensor],
        levels: Tensor,
        precision: torch.dtype = torch.float32,
    ) -> list[Tensor]:
        """Run all stages.

        Args:
            low: (B, 3, H, W) in [0, 1].
            model: of the kernel; its scale times H and W are multiples of 8.
            inverses, levels: of `filters`.
            precision: that the prior computes in; data steps are always float32, because they
                amplify rounding by up to 1/tau.

        Returns:
            (B, 3, sH, sW) after each stage; the last is the result.
        """
        batch, _, height, width = low.shape
        size = (height * model.scale, width * model.scale)
        estimate = functional.interpolate(low, size, mode="bicubic", align_corners=False)
        planes = low.reshape(batch * 3, 1, height, width)
        results = []
        for inverse, level in zip(inverses, levels, strict=True):
            obeying = model.data_step(estimate.reshape(batch * 3, 1, *size), planes, inverse)
            with torch.autocast(low.device.type, precision, enabled=precision != torch.float32):
                estimate = self.prior(obeying.reshape(batch, 3, *size), level).float()
            results.append(estimate)
        return results
