"""The image prior of the unfolding network: a small U-Net that all stages share."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional


class Prior(nn.Module):
    """Take an HR estimate nearer to natural images, as much as its noise level says.

    Pixels are folded 2 x 2 into channels, so that the widest level runs at half the size.

    Args:
        widths: channels of the levels, each half the size of the one before.
        blocks: residual blocks a level, on the way down and again on the way up.
    """

    def __init__(self, widths: tuple[int, ...], blocks: int) -> None:
        super().__init__()
        self.multiple = 2 ** len(widths)  # the sides of what it takes
        self.first = nn.Conv2d(3 * 4 + 1, widths[0], 3, padding=1)
        self.down = nn.ModuleList(_level(width, blocks) for width in widths)
        self.shrink = nn.ModuleList(
            nn.Conv2d(fine, coarse, 2, stride=2) for fine, coarse in itertools.pairwise(widths)
        )
        self.grow = nn.ModuleList(
            nn.Sequential(nn.Conv2d(coarse, 4 * fine, 1), nn.PixelShuffle(2))
            for fine, coarse in itertools.pairwise(widths)
        )
        self.up = nn.ModuleList(_level(width, blocks) for width in widths[:-1])
        self.last = nn.Conv2d(widths[0], 3 * 4, 3, padding=1)
        nn.init.zeros_(self.last.weight)  # training starts from the data steps alone
        assert self.last.bias is not None
        nn.init.zeros_(self.last.bias)

    def forward(self, high: Tensor, level: Tensor) -> Tensor:
        """Refine (B, 3, H, W), sides multiples of `multiple`; level is its noise, a scalar."""
        folded = functional.pixel_unshuffle(high, 2)
        noise = level.to(folded.dtype).expand(folded.shape[0], 1, *folded.shape[2:])
        features = self.first(torch.cat([folded, noise], dim=1))
        kept: list[Tensor] = []
        for level_down, shrink in zip(self.down, [*self.shrink, None], strict=True):
            features = level_down(features)
            if shrink is not None:
                kept.append(features)
                features = shrink(features)
        for grow, level_up in zip(reversed(self.grow), reversed(self.up), strict=True):
            features = level_up(grow(features) + kept.pop())
        return high + functional.pixel_shuffle(self.last(features), 2)


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        refined: Tensor = self.second(functional.relu(self.first(features)))
        return features + refined


def _level(width: int, blocks: int) -> nn.Module:
    return nn.Sequential(*(_Residual(width) for _ in range(blocks)))
