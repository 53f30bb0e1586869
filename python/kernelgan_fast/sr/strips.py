"""Networks without padding, run over strips of a picture to bound their memory."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

# Of a strip; with 128 channels in float32 it takes 130 MB a layer.
_PIXELS = 1 << 18


def in_strips(network: Callable[[Tensor], Tensor], seen: Tensor, margin: int) -> Tensor:
    """Run a network over a picture from top to bottom.

    Args:
        network: takes (B, C, h + 2 margin, w) to (B, c, h, w - 2 margin), for any h.
        seen: (B, C, H + 2 margin, W).
        margin: rows that it looks beyond what it gives.

    Returns:
        (B, c, H, W - 2 margin), as from one run.
    """
    rows = max(_PIXELS // seen.shape[-1], 4 * margin)
    height = seen.shape[-2] - 2 * margin
    tops = range(0, height, rows)
    strips = [network(seen[..., top : top + rows + 2 * margin, :]) for top in tops]
    return torch.cat(strips, dim=-2)
