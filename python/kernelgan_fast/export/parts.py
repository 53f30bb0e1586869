"""Pieces that the graphs of several models have."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernelgan_fast.export.graph import Graph

# ONNX' numbers of the types.
FLOAT, HALF = 1, 10


def cast(graph: Graph, tensor: str, to: int) -> str:
    """Change the type to `FLOAT` or `HALF`."""
    return graph.op("Cast", tensor, to=to)


def gathered(graph: Graph, kernel: str, index: NDArray[np.int64]) -> str:
    """Put the taps of a kernel that is computed or an input into their places; see `placed`."""
    flat = graph.op("Reshape", kernel, graph.numbers(-1))
    with_none = graph.op("Concat", flat, graph.constant([0.0]), axis=0)
    return graph.op("Gather", with_none, graph.constant(index, np.int32), axis=0)
