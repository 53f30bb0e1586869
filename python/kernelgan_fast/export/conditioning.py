"""The filters and biases of the unfolding network, as constants or computed in the model."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from kernelgan_fast.export.blocks import correlation, placed
from kernelgan_fast.export.graph import Graph
from kernelgan_fast.export.parts import gathered
from kernelgan_fast.kernels import BlurKernel
from kernelgan_fast.sr.forward_model import GRID, TAPS, ForwardModel
from kernelgan_fast.sr.unfolding_network import (
    MAX_TAU,
    MIN_TAU,
    SCALES,
    Conditions,
    UnfoldingNetwork,
)
from kernelgan_fast.sr.upscaler import ROUNDING

# Inputs of a model that takes kernels, in the order of `Conditions`.
INPUTS = ("noise", "kernel_error", "compression")


class Conditioning(NamedTuple):
    """Names of tensors, one per stage.

    Attributes:
        filters: Weights of the inverse filters on blocks; see `blocks.correlation`.
        biases: Biases of the priors, (1, width, 1, 1).
    """

    filters: list[str]
    biases: list[str]


def constant_conditioning(
    graph: Graph, network: UnfoldingNetwork, kernel: BlurKernel, given: Conditions, block: int
) -> Conditioning:
    """Compute the conditioning now.

    Args:
        graph: Graph to write to.
        network: Network with its weights.
        kernel: Kernel of the model.
        given: Of one photo.
        block: LR px of a side of a block.
    """
    model = ForwardModel.of(kernel)
    with torch.no_grad():
        taus, biases = network.conditions(given, kernel.scale)
        filters = [model.inverse_filter(tau).numpy() for tau in taus[0]]
    index = correlation(TAPS, 1, block).index
    return Conditioning(
        [graph.constant(placed(taps, index)) for taps in filters],
        [graph.constant(bias.reshape(1, -1, 1, 1).numpy()) for bias in biases[0]],
    )


def computed_conditioning(
    graph: Graph, network: UnfoldingNetwork, kernel: str, size: int, scale: int, block: int
) -> Conditioning:
    """Add the inputs `INPUTS`, and what follows from them and the kernel.

    Args:
        graph: Graph to write to.
        network: Network with its weights.
        kernel: (size, size), a tensor of the graph.
        size: Side of the kernel.
        scale: 1 to 4.
        block: LR px of a side of a block.
    """
    stages, width = network.architecture.stages, network.architecture.width
    answer = _conditions(graph, network, scale)
    exponent = graph.op("Sigmoid", graph.slice(answer, 1, 0, stages))
    span = graph.constant([[math.log(MAX_TAU / MIN_TAU)]])
    tau = graph.op("Exp", graph.op("Mul", span, exponent))
    tau = graph.op("Mul", graph.constant([[MIN_TAU]]), tau)
    spectrum = _power(graph, kernel, size, scale)
    index = correlation(TAPS, 1, block).index
    result = Conditioning([], [])
    for stage in range(stages):
        one = graph.slice(tau, 1, stage, stage + 1)
        taps = _inverse(graph, graph.op("Add", spectrum, one))
        result.filters.append(gathered(graph, taps, index))
        first = stages + stage * width
        bias = graph.slice(answer, 1, first, first + width)
        result.biases.append(graph.op("Reshape", bias, graph.numbers(1, width, 1, 1)))
    return result


def _conditions(graph: Graph, network: UnfoldingNetwork, scale: int) -> str:
    """See `UnfoldingNetwork.conditions`, up to the last layer: (1, stages · (1 + width))."""
    noise, error, compression = (graph.input(name, (1,)) for name in INPUTS)
    noise = graph.op("Max", noise, graph.constant([ROUNDING]))
    logarithm = graph.op("Log", graph.op("Add", noise, graph.constant([1.0])))
    facts = graph.op(
        "Concat",
        graph.op("Mul", noise, graph.constant([10 / 255])),
        graph.op("Mul", logarithm, graph.constant([1 / 3])),
        error,
        compression,
        graph.constant([float(scale == each) for each in SCALES]),
        axis=0,
    )
    answer = graph.op("Reshape", facts, graph.numbers(1, 4 + len(SCALES)))
    for layer in network.conditioning:
        if isinstance(layer, nn.Linear):
            parts = (part.detach().float().cpu().numpy() for part in layer.parameters())
            weights = (graph.constant(np.asarray(part)) for part in parts)
            answer = graph.op("Gemm", answer, *weights, transB=1)
        else:
            answer = graph.op("Relu", answer)
    return answer


def _power(graph: Graph, kernel: str, size: int, scale: int) -> str:
    """See `ForwardModel.power`; a Fourier transform of so few taps is a matrix product."""
    full = GRID * scale
    cosine, sine = _waves(np.arange(full), np.arange(size), full)

    def both(left: NDArray[np.float64], right: NDArray[np.float64]) -> str:
        rows = graph.op("MatMul", graph.constant(left), kernel)
        return graph.op("MatMul", rows, graph.constant(right.T))

    real = graph.op("Sub", both(cosine, cosine), both(sine, sine))
    imaginary = graph.op("Add", both(cosine, sine), both(sine, cosine))
    squares = (graph.op("Mul", part, part) for part in (real, imaginary))
    square = graph.op("Add", *squares)
    aliases = graph.op("Reshape", square, graph.numbers(scale, GRID, scale, GRID))
    return graph.op("ReduceMean", aliases, graph.numbers(0, 2), keepdims=0)


def _inverse(graph: Graph, spectrum: str) -> str:
    """See `ForwardModel.inverse_filter`: (TAPS, TAPS)."""
    places = np.arange(TAPS) - TAPS // 2
    cosine, sine = (part / GRID for part in _waves(places, np.arange(GRID), GRID))
    inverse = graph.op("Reciprocal", spectrum)

    def both(part: NDArray[np.float64]) -> str:
        rows = graph.op("MatMul", graph.constant(part), inverse)
        return graph.op("MatMul", rows, graph.constant(part.T))

    return graph.op("Sub", both(cosine), both(sine))


def _waves(
    rows: NDArray[np.int64], columns: NDArray[np.int64], period: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    # The product is taken modulo the period while it is whole, so that no digits are lost.
    angle = np.outer(rows, columns) % period * (2 * math.pi / period)
    return np.cos(angle), np.sin(angle)
