"""What the stages of the unfolding network are told, computed in the model from its inputs."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import nn

from kernelgan_fast.export.blocks import Blocked, correlation
from kernelgan_fast.export.graph import Graph
from kernelgan_fast.export.parts import gathered
from kernelgan_fast.sr.forward_model import GRID, TAPS
from kernelgan_fast.sr.unfold_net import LEAST, MOST, UnfoldNet
from kernelgan_fast.sr.upscaler import ROUNDING


class Told(NamedTuple):
    """For each stage, names of tensors.

    Attributes:
        filters: the weight of the inverse filter on blocks, and how its taps lie.
        levels: the noise level of the prior, (1, 1, 1, 1).
    """

    filters: list[tuple[str, Blocked]]
    levels: list[str]


def told_by_inputs(
    graph: Graph, network: UnfoldNet, kernel: str, size: int, scale: int, multiple: int
) -> Told:
    """Add the inputs `noise` and `kernel_error`, and all that follows from them.

    Args:
        graph: to write to.
        network: of which the controls are used.
        kernel: (size, size), a tensor of the graph.
        size: of the kernel.
        scale: 2 or 4.
        multiple: LR px of a block's side.
    """
    stages = network.shape.stages
    controls = _controls(graph, network, scale)
    span = graph.constant([[math.log(MOST / LEAST)]])
    tau = graph.op("Sub", graph.slice(controls, 1, 0, stages), graph.constant([[1.0]]))
    tau = graph.op("Exp", graph.op("Mul", span, graph.op("Sigmoid", tau)))
    tau = graph.op("Mul", graph.constant([[LEAST]]), tau)
    spectrum = power(graph, kernel, size, scale)
    blocked = correlation(TAPS, 1, multiple)
    told = Told([], [])
    for stage in range(stages):
        one = graph.slice(tau, 1, stage, stage + 1)
        taps = inverse(graph, graph.op("Add", spectrum, one))
        told.filters.append((gathered(graph, taps, blocked.index), blocked))
        level = graph.slice(controls, 1, stages + stage, stages + stage + 1)
        told.levels.append(graph.op("Reshape", level, graph.numbers(1, 1, 1, 1)))
    return told


def _controls(graph: Graph, network: UnfoldNet, scale: int) -> str:
    """See `UnfoldNet.controls`, up to what the last layer gives: (1, 2 · stages)."""
    noise, error = graph.input("noise", (1,)), graph.input("kernel_error", (1,))
    noise = graph.op("Max", noise, graph.constant([ROUNDING]))
    noise = graph.op("Mul", noise, graph.constant([10 / 255]))
    facts = graph.op("Concat", noise, error, graph.constant([math.log2(scale) - 1]), axis=0)
    told = graph.op("Reshape", facts, graph.numbers(1, 3))
    first, _, last = network.control
    for layer in (first, last):
        assert isinstance(layer, nn.Linear)
        weights = (graph.constant(part.detach().cpu().numpy()) for part in layer.parameters())
        told = graph.op("Gemm", told, *weights, transB=1)
        if layer is first:
            told = graph.op("Relu", told)
    return told


def power(graph: Graph, kernel: str, size: int, scale: int) -> str:
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


def inverse(graph: Graph, spectrum: str) -> str:
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
