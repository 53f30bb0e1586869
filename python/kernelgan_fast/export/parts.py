"""Pieces that the graphs of several models have."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernelgan_fast.export.graph import Graph

# ONNX' numbers of the types.
FLOAT, HALF = 1, 10

# LR px of a side that a downscaling convolution makes at once. As channels they keep a CPU's vector
# units busy: at 4 it takes an eighth of the time that it takes one by one.
MADE = 4


def cast(graph: Graph, tensor: str, to: int) -> str:
    """Change the type to `FLOAT` or `HALF`."""
    return graph.op("Cast", tensor, to=to)


def gathered(graph: Graph, kernel: str, index: NDArray[np.int64]) -> str:
    """Put the taps of a kernel that is computed or an input into their places; see `placed`."""
    flat = graph.op("Reshape", kernel, graph.numbers(-1))
    with_none = graph.op("Concat", flat, graph.constant([0.0]), axis=0)
    return graph.op("Gather", with_none, graph.constant(index, np.int32), axis=0)


def edge_padded(graph: Graph, tensor: str, margin: int) -> str:
    """Repeat the outermost pixels of (n, c, h, w)."""
    pads = graph.numbers(0, 0, margin, margin, 0, 0, margin, margin)
    return graph.op("Pad", tensor, pads, mode="edge")


def reduced(graph: Graph, framed: str, weight: str, size: int, scale: int) -> str:
    """Downscale planes that were continued by size // 2 px at their borders.

    Args:
        graph: to write to.
        framed: (n, 1, h, w).
        weight: the kernel, as `blocks.windows` places it for `MADE`.
        size: of the kernel.
        scale: how many times smaller.

    Returns:
        Its pixels in blocks of `MADE` x `MADE`, as channels. Zeros fill the last windows; what is
        made of them is to be cut off.
    """
    fill = (MADE - 1) * scale
    window = size + fill
    return graph.op(
        "Conv", framed, weight,
        kernel_shape=[window, window], strides=[MADE * scale] * 2, pads=[0, 0, fill, fill],
    )  # fmt: skip
