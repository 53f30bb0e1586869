"""The prior of the unfolding network as nodes of a graph."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from kernelgan_fast.export.graph import Graph
from kernelgan_fast.export.parts import FLOAT, HALF, cast
from kernelgan_fast.sr.prior import Prior


def prior(graph: Graph, network: Prior, high: str, level: str, kind: int) -> str:
    """Write one run of the prior.

    Args:
        graph: to write to.
        network: its weights; stages that share it share them in the file too.
        high: (n, 3, sH, sW) float32.
        level: its noise, (1, 1, 1, 1) float32.
        kind: `FLOAT` or `HALF`, of all but the sum at the end.
    """
    net = _Net(graph, kind)
    folded = graph.op("SpaceToDepth", high, blocksize=2)
    sides = [graph.length(folded, axis) for axis in (0, 2, 3)]
    shape = graph.op("Concat", sides[0], graph.numbers(1), *sides[1:], axis=0)
    noise = graph.op("Expand", level, shape)
    seen = graph.op("Concat", folded, noise, axis=1)
    if kind == HALF:
        seen = cast(graph, seen, HALF)
    features = net.convolution(network.first, seen, _depth_order())
    kept: list[str] = []
    for down, shrink in zip(network.down, [*network.shrink, None], strict=True):
        features = net.residuals(down, features)
        if isinstance(shrink, nn.Conv2d):
            kept.append(features)
            features = net.convolution(shrink, features)
    for grow, up in zip(reversed(network.grow), reversed(network.up), strict=True):
        assert isinstance(grow, nn.Sequential)
        grown = net.convolution(grow[0], features)
        grown = graph.op("DepthToSpace", grown, blocksize=2, mode="CRD")
        features = net.residuals(up, graph.op("Add", grown, kept.pop()))
    change = net.convolution(network.last, features)
    if kind == HALF:
        change = cast(graph, change, FLOAT)
    change = graph.op("DepthToSpace", change, blocksize=2, mode="CRD")
    return graph.op("Add", high, change)


class _Net:
    def __init__(self, graph: Graph, kind: int) -> None:
        self._graph = graph
        self._dtype = np.float16 if kind == HALF else np.float32

    def convolution(
        self, module: nn.Module, features: str, order: torch.Tensor | None = None
    ) -> str:
        assert isinstance(module, nn.Conv2d) and module.bias is not None
        weight = module.weight.detach()
        if order is not None:
            weight = weight[:, order]
        constants = (
            self._graph.constant(values.float().cpu().numpy(), self._dtype)
            for values in (weight, module.bias.detach())
        )
        size, stride = module.kernel_size[0], module.stride[0]
        assert not isinstance(module.padding, str)
        pad = module.padding[0]
        return self._graph.op(
            "Conv", features, *constants,
            kernel_shape=[size, size], strides=[stride, stride], pads=[pad] * 4,
        )  # fmt: skip

    def residuals(self, level: nn.Module, features: str) -> str:
        for block in level.children():
            first, second = block.children()
            inner = self._graph.op("Relu", self.convolution(first, features))
            features = self._graph.op("Add", features, self.convolution(second, inner))
        return features


def _depth_order() -> torch.Tensor:
    """Where ONNX' SpaceToDepth, channels last, has PyTorch's channels, and then the noise."""
    order = torch.arange(12).reshape(3, 4).t().reshape(-1)
    return torch.cat([order, torch.tensor([12])])
