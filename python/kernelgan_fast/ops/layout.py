"""Where the layers of both networks lie in their flat weights: the one place that knows."""

from __future__ import annotations

import math
from collections.abc import Sequence

Shape = tuple[int, int, int, int]


def generator_shapes(sizes: Sequence[int], features: int) -> list[Shape]:
    """Shapes (out, in, k, k) of the generator's layers, in the order of its flat weights.

    Args:
        sizes: side k of each layer's filters, first layer first.
        features: channels between the layers; one channel goes in, one comes out.

    Returns:
        One shape a layer.
    """
    last = len(sizes) - 1
    return [
        (1 if index == last else features, features if index else 1, size, size)
        for index, size in enumerate(sizes)
    ]


def discriminator_shapes(channels: int, features: int, size: int, blocks: int) -> list[Shape]:
    """Shapes (out, in, k, k) of the discriminator's convolutions 0 .. blocks + 1.

    In the flat weights each is followed by its bias (out,); after the last come, block after
    block, the batch norm's gamma and beta (features,).

    Args:
        channels: channels of a crop.
        features: channels between the convolutions.
        size: side of the first convolution's filters; the others are 1 x 1.
        blocks: number of [convolution, batch norm, ReLU] blocks.

    Returns:
        One shape a convolution.
    """
    first = (features, channels, size, size)
    return [first, *[(features, features, 1, 1)] * blocks, (1, features, 1, 1)]


def discriminator_lengths(shapes: Sequence[Shape], features: int) -> list[int]:
    """Lengths of the parts of the discriminator's flat weights, in order.

    Args:
        shapes: what `discriminator_shapes` gave.
        features: channels between the convolutions.

    Returns:
        weight, bias of every convolution, then gamma, beta of every block.
    """
    convolutions = [length for shape in shapes for length in (math.prod(shape), shape[0])]
    return convolutions + [features] * (2 * (len(shapes) - 2))
