"""What lies beyond a photo's border, and how far it is believed."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def extend(low: Tensor, above: int, below: int, left: int, right: int) -> Tensor:
    """Mirror (…, H, W) at its border half-sample (dcba|abcd|dcba), as often as it takes."""
    for dim, before, after in ((-2, above, below), (-1, left, right)):
        length = low.shape[dim]
        place = torch.arange(-before, length + after, device=low.device) % (2 * length)
        low = low.index_select(dim, torch.minimum(place, 2 * length - 1 - place))
    return low


def border_window(height: int, width: int, ramp: int, device: torch.device) -> Tensor:
    """Rise smoothly from 0 at the border to 1 at `ramp` px from it, (H, W).

    At the border H Hᵀ is not the convolution that a data step takes it for. One step forgives
    that, but many in a row would grow what the border adds; in this window they do not.
    """
    along = []
    for length in (height, width):
        place = torch.arange(length, device=device) + 0.5
        nearest = torch.minimum(place, length - place)
        along.append(torch.sin((nearest / ramp).clamp(max=1) * (math.pi / 2)).square())
    return along[0][:, None] * along[1][None, :]
