"""The unfolding network: data steps that fit the LR photo, alternating with a learned prior.

The kernel and the scale are arguments and not weights: one network serves every kernel at scales 1
to 4 (scale 1 is deblurring at the original size).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

SCALES = (1, 2, 3, 4)

# Range of tau, the weight of the estimate against the LR photo in a data step.
MIN_TAU, MAX_TAU = 1e-3, 3.0

# Sides of the pixel blocks that the prior folds into channels, by scale: it works on the LR grid,
# except at scale 1, where blocks of 2 x 2 widen its reach and quarter its cost.
FOLD = {1: 2, 2: 2, 3: 3, 4: 4}

# Colour corrections are scaled by the colour within 2 blocks, in full from 4 levels of 255 on.
GATE_REACH, GATE_GAIN = 2, 255 / 4

# The corrections of the data steps are small beside the picture; their weights start larger.
_CORRECTION_GAIN = 4.0


@dataclass(frozen=True)
class Architecture:
    """Size of the network; stored with its weights.

    Attributes:
        stages: Pairs of data step and prior.
        width: Channels at the resolution of the folded picture.
        blocks: Residual blocks per stage there.
        coarse_width: Channels at half that resolution; 0 for none.
        coarse_blocks: Residual blocks per stage there.
    """

    stages: int = 4
    width: int = 64
    blocks: int = 1
    coarse_width: int = 64
    coarse_blocks: int = 1

    def as_dict(self) -> dict[str, int]:
        """For JSON."""
        return asdict(self)


class Conditions(NamedTuple):
    """What the network is given besides photo and kernel, one entry per photo, (B,) each.

    Attributes:
        noise: Standard deviation of the noise of the LR photo before compression, in [0, 1] of
            white.
        kernel_error: Relative L2 error that the kernel may have, 0 for a known kernel.
        compression: See `analysis.compression.compression_level`, 0 for none.
    """

    noise: Tensor
    kernel_error: Tensor
    compression: Tensor


# Maps an estimate and the index of a stage to the correction of its data step, both
# (B, 3 fold², h, w): pictures folded by `functional.pixel_unshuffle`.
DataStep = Callable[[Tensor, int], Tensor]


class UnfoldingNetwork(nn.Module):
    """z = bicubic(y); then, per stage, x = z + correction(z) and z = x + prior(x, correction).

    The stages have their own weights, share the convolutions that read and write pictures, and
    pass features to the next stage. A neutral photo (R = G = B) gives a neutral result, because
    the prior predicts one luma correction for all channels, and colour corrections that are zero
    where the photo has no colour.

    Args:
        architecture: Size of the network.

    Source: Zhang et al., "Deep Unfolding Network for Image Super-Resolution", CVPR 2020, with the
        data step in closed form on the LR grid.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        stages, width = architecture.stages, architecture.width
        folds = sorted(set(FOLD.values()))
        self.read = nn.ModuleDict(
            {str(fold): nn.Conv2d(6 * fold**2, width, 3, padding=1) for fold in folds}
        )
        self.write = nn.ModuleDict(
            {str(fold): nn.Conv2d(width, 3 * fold**2, 3, padding=1) for fold in folds}
        )
        self.stages = nn.ModuleList(Stage(architecture) for _ in range(stages))
        self.conditioning = nn.Sequential(
            nn.Linear(len(SCALES) + 4, 64),
            nn.ReLU(),
            nn.Linear(64, 64),
            nn.ReLU(),
            nn.Linear(64, stages * (1 + width)),
        )
        self._initialise()

    def _initialise(self) -> None:
        for fold, convolution in self.read.items():
            assert isinstance(convolution, nn.Conv2d)
            with torch.no_grad():
                convolution.weight[:, 3 * int(fold) ** 2 :] *= _CORRECTION_GAIN
        for convolution in self.write.values():
            assert isinstance(convolution, nn.Conv2d) and convolution.bias is not None
            nn.init.normal_(convolution.weight, std=1e-3)
            nn.init.zeros_(convolution.bias)
        last = self.conditioning[-1]
        assert isinstance(last, nn.Linear) and last.bias is not None
        nn.init.normal_(last.weight, std=0.01)
        nn.init.zeros_(last.bias)
        with torch.no_grad():  # tau near 0.01 at first
            last.bias[: self.architecture.stages] = -1.0

    @property
    def multiple(self) -> int:
        """The sides of a photo must be multiples of this, counted in folded blocks."""
        return 2 if self.architecture.coarse_width else 1

    def prior_to(self, precision: torch.dtype) -> None:
        """Convert the weights of the priors for inference; the conditioning stays float32."""
        for part in (self.read, self.write, self.stages):
            part.to(precision, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def conditions(self, conditions: Conditions, scale: int) -> tuple[Tensor, Tensor]:
        """Compute tau of each data step and the biases of each prior.

        Args:
            conditions: Of B photos.
            scale: 1 to 4.

        Returns:
            (B, stages) and (B, stages, width).
        """
        noise, kernel_error, compression = conditions
        facts = [noise * 10, (noise * 255).log1p() / 3, kernel_error, compression]
        facts += [torch.full_like(noise, float(scale == each)) for each in SCALES]
        answer = self.conditioning(torch.stack(facts, dim=-1))
        stages = self.architecture.stages
        exponent = torch.sigmoid(answer[..., :stages])
        tau = MIN_TAU * torch.exp(math.log(MAX_TAU / MIN_TAU) * exponent)
        return tau, answer[..., stages:].reshape(*tau.shape, self.architecture.width)

    def forward(
        self,
        low: Tensor,
        scale: int,
        data_step: DataStep,
        biases: Tensor,
        precision: torch.dtype = torch.float32,
    ) -> list[Tensor]:
        """Run all stages.

        Args:
            low: (B, 3, H, W) in [0, 1]; scale times H and W are multiples of `FOLD[scale]` times
                `multiple`.
            scale: 1 to 4.
            data_step: Computes the corrections; always in float32, because the inverse filter
                amplifies rounding by up to 1/tau.
            biases: As returned by `conditions`.
            precision: Of the prior.

        Returns:
            (B, 3, sH, sW) after each stage; the last is the result.
        """
        size = (low.shape[-2] * scale, low.shape[-1] * scale)
        fold = FOLD[scale]
        estimate = functional.pixel_unshuffle(
            functional.interpolate(low, size, mode="bicubic", align_corners=False), fold
        )
        read, write = self.read[str(fold)], self.write[str(fold)]
        features: Tensor | None = None
        results = []
        mixed = precision != torch.float32
        for index, stage in enumerate(self.stages):
            correction = data_step(estimate, index)
            estimate = estimate + correction
            seen = torch.cat([estimate.to(precision), correction.to(precision)], dim=1)
            with torch.autocast(low.device.type, precision, enabled=mixed):
                seen = read(seen.contiguous(memory_format=torch.channels_last))
                # In place where gradients allow it: fresh memory for large photos takes longer
                # than the arithmetic.
                seen = seen.add_(biases[:, index, :, None, None].to(precision)).relu_()
                features = stage(seen if features is None else seen + features)
                change = write(features)
            estimate = estimate + _neutral(change.float(), _gate(estimate))
            results.append(estimate)
        return [functional.pixel_shuffle(result, fold) for result in results]


class Stage(nn.Module):
    """The prior of one stage: residual blocks at the folded resolution and at half of it."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        width, coarse = architecture.width, architecture.coarse_width
        self.fine = nn.Sequential(*(Residual(width) for _ in range(architecture.blocks)))
        self.coarse = (
            nn.Sequential(
                nn.Conv2d(width, coarse, 2, stride=2),
                *(Residual(coarse) for _ in range(architecture.coarse_blocks)),
                nn.Conv2d(coarse, width, 1),
            )
            if coarse
            else None
        )

    def forward(self, features: Tensor) -> Tensor:
        """Refine (B, width, H, W)."""
        refined: Tensor = self.fine(features)
        if self.coarse is None:
            return refined
        return functional.interpolate(self.coarse(refined), scale_factor=2.0).add_(refined)


class Residual(nn.Module):
    """x + conv(relu(conv(x)))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """Refine (B, width, H, W)."""
        refined: Tensor = self.second(self.first(features).relu_())
        return refined.add_(features)


def _gate(estimate: Tensor) -> Tensor:
    """How much colour there is near each block, (B, 1, h, w): 0 where all is neutral, at most 1."""
    with torch.no_grad():
        red, green, blue = estimate.chunk(3, dim=1)
        colour = torch.maximum((red - green).abs(), (blue - green).abs())
        strongest = colour.amax(dim=1, keepdim=True)
        reach = 2 * GATE_REACH + 1
        near = functional.max_pool2d(strongest, reach, stride=1, padding=GATE_REACH)
        return (GATE_GAIN * near).clamp(max=1.0)


def _neutral(change: Tensor, gate: Tensor) -> Tensor:
    """The change of R, G and B from that of luma and, gated, of red and blue."""
    luma, red, blue = change.chunk(3, dim=1)
    red, blue = gate * red, gate * blue
    return torch.cat([luma + red, luma - (red + blue) / 2, luma + blue], dim=1)
