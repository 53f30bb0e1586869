"""A network that zssr trained on a photo, with the back-projections around it, as a graph."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from torch import nn

from kernelgan_fast.export.blocks import placed, windows
from kernelgan_fast.export.graph import Graph
from kernelgan_fast.export.parts import FLOAT, HALF, MADE, cast, edge_padded, reduced
from kernelgan_fast.export.properties import OF_WEIGHTS, properties
from kernelgan_fast.kernels import BlurKernel
from kernelgan_fast.kernels.geometry import RESAMPLERS
from kernelgan_fast.sr.forward_model import ForwardModel
from kernelgan_fast.sr.zssr import ZeroShot

# LR px to either side of an HR pixel that bicubic enlargement reads, at most.
_REACH = 2


def zssr_model(
    upscaler: ZeroShot, kernel: BlurKernel, precision: str, about: Mapping[str, object]
) -> bytes:
    """Write a trained network as an ONNX file.

    Its input `image` is an LR photo (n, 3, h, w), its output `result` (n, 3, s·h, s·w), both
    float32 in [0, 1] but not clipped.

    Args:
        upscaler: trained, on the CPU.
        kernel: that it was trained with.
        precision: "float32" or "float16", of the network; the rest is always float32.
        about: the training, for the properties.
    """
    graph = Graph()
    image = graph.input("image", ("n", 3, "h", "w"))
    low = graph.planes(image)
    times = upscaler.times
    twice = _Bicubic(graph, low, 2)
    start = _project_back(graph, twice(low), low, upscaler.step, twice, times.before)
    detail = _detail(graph, start, upscaler.network, HALF if precision == "float16" else FLOAT)
    result = graph.op("Add", start, detail)
    result = _project_back(graph, result, low, upscaler.step, twice, times.after)
    if upscaler.scale == 4:
        result = _Bicubic(graph, result, 2)(result)
        whole = _Bicubic(graph, low, 4)
        result = _project_back(graph, result, low, upscaler.whole, whole, times.after_x4)
    scale = upscaler.scale
    graph.output(graph.images(result), "result", ("n", 3, f"{scale}*h", f"{scale}*w"))
    facts = properties(
        "upscale", "zssr", scale, kernel.size, kernel, context=upscaler.context,
        multiple=upscaler.multiple, least_side=1, precision=precision, licence=OF_WEIGHTS, **about,
    )  # fmt: skip
    return graph.model("zssr", facts)


def _detail(graph: Graph, start: str, network: nn.Module, kind: int) -> str:
    """See `zssr.Network`: planes to planes."""
    weights = [weight.detach().numpy() for weight in network.parameters()]
    seen = graph.images(edge_padded(graph, start, len(weights)))
    if kind == HALF:
        seen = cast(graph, seen, HALF)
    for index, weight in enumerate(weights):
        constant = graph.constant(weight, np.float16 if kind == HALF else np.float32)
        seen = graph.convolution(seen, constant, 3, 0, 0)
        if index < len(weights) - 1:
            seen = graph.op("Relu", seen)
    return graph.planes(cast(graph, seen, FLOAT) if kind == HALF else seen)


def _project_back(
    graph: Graph, high: str, low: str, model: ForwardModel, enlarge: _Bicubic, times: int
) -> str:
    """See `zssr.project_back`."""
    taps = model.kernel.numpy()
    size, scale = len(taps), model.scale
    weight = graph.constant(placed(taps, windows(size, scale, MADE)))
    for _ in range(times):
        small = reduced(graph, edge_padded(graph, high, size // 2), weight, size, scale)
        small = graph.op("DepthToSpace", small, blocksize=MADE, mode="CRD")
        for axis in (2, 3):
            small = graph.slice(small, axis, 0, graph.length(low, axis))
        high = graph.op("Add", high, enlarge(graph.op("Sub", low, small)))
    return high


class _Bicubic:
    """See `bicubic.enlarge`: weights beyond the border are left out, and the others sum to 1.

    Args:
        graph: to write to.
        like: planes of the size that is enlarged.
        scale: how many times.
    """

    def __init__(self, graph: Graph, like: str, scale: int) -> None:
        self._graph, self._scale = graph, scale
        self._weight = graph.constant(_weights(scale))
        sides = [graph.length(like, axis) for axis in (2, 3)]
        shape = graph.op("Concat", graph.numbers(1, 1), *sides, axis=0)
        self._sums = self._spread(graph.op("Expand", graph.constant([[[[1.0]]]]), shape))

    def __call__(self, planes: str) -> str:
        phases = self._graph.op("Div", self._spread(planes), self._sums)
        return self._graph.op("DepthToSpace", phases, blocksize=self._scale, mode="CRD")

    def _spread(self, planes: str) -> str:
        return self._graph.convolution(planes, self._weight, 2 * _REACH + 1, _REACH, _REACH)


def _weights(scale: int) -> NDArray[np.float64]:
    """(s², 1, 5, 5): the weights of LR pixels around one, for each of its HR pixels."""
    within = (np.arange(scale) + 0.5) / scale - 0.5
    offsets = np.arange(2 * _REACH + 1) - _REACH
    along = RESAMPLERS["bicubic"](within[:, None] - offsets)
    both: NDArray[np.float64] = np.einsum("ra,cb->rcab", along, along)
    return both.reshape(scale * scale, 1, *both.shape[2:])
