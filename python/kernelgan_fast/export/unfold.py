"""The unfolding network as a graph, with pictures folded into blocks of pixels throughout."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from kernelgan_fast.export.blocks import Blocked, correlation, placed
from kernelgan_fast.export.conditioning import (
    Conditioning,
    computed_conditioning,
    constant_conditioning,
)
from kernelgan_fast.export.graph import Graph
from kernelgan_fast.export.parts import FLOAT, HALF, cast, edge_padded, gathered
from kernelgan_fast.export.properties import OF_WEIGHTS, properties
from kernelgan_fast.kernels import BlurKernel
from kernelgan_fast.sr.forward_model import TAPS
from kernelgan_fast.sr.unfold import CONTEXT, MARGIN
from kernelgan_fast.sr.unfolding_network import (
    FOLD,
    GATE_GAIN,
    GATE_REACH,
    Conditions,
    Residual,
    Stage,
    UnfoldingNetwork,
)
from kernelgan_fast.sr.upscaler import ROUNDING, Options


class _Steps(NamedTuple):
    """What the data steps share.

    Attributes:
        low: LR planes in blocks, (3n, b², H/b, W/b).
        down, up: Names of the weights of H and its adjoint.
        down_reach, up_reach, filter_reach: How their taps lie.
        group: Folded pixels of a side of a block.
    """

    low: str
    down: str
    up: str
    down_reach: Blocked
    up_reach: Blocked
    filter_reach: Blocked
    group: int


def unfold_model(
    network: UnfoldingNetwork,
    kernel: BlurKernel | None,
    size: int,
    scale: int,
    *,
    options: Options,
    precision: str = "float32",
    about: str = "",
    ours: bool = True,
) -> bytes:
    """Write the network as an ONNX file.

    Its input `image` is the LR photo (n, 3, h, w), its output `result` (n, 3, s·h, s·w), both
    float32 in [0, 1] but not clipped. If the kernel is not part of the model, the inputs `kernel`
    (size, size), `noise` (1,) in grey levels of 255, `kernel_error` (1,) and `compression` (1,) are
    added.

    Args:
        network: Network with its weights, in float32.
        kernel: Kernel to build in; None for an input.
        size: Side of the kernel, odd.
        scale: 1 to 4.
        options: Noise, kernel error and compression to build in with the kernel.
        precision: "float32" or "float16", of the prior; data steps are always float32.
        about: Which weights these are, for the properties.
        ours: Whether they are under the licence of this package.
    """
    graph = Graph()
    image = graph.input("image", ("n", 3, "h", "w"))
    fold = FOLD[scale]
    block = network.multiple * fold // scale  # LR px of a side
    reach = _grouped(correlation(size, scale, block * scale), network.multiple, fold)
    if kernel is None:
        taps = graph.input("kernel", (size, size))
        conditioning = computed_conditioning(graph, network, taps, size, scale, block)
        down, up = (gathered(graph, taps, each.index) for each in (reach, reach.adjoint))
    else:
        noise = max(options.noise or 0.0, ROUNDING) / 255
        facts = (noise, options.kernel_error, options.compression)
        given = Conditions(*(torch.tensor([fact]) for fact in facts))
        conditioning = constant_conditioning(graph, network, kernel, given, block)
        down, up = (
            graph.constant(placed(kernel.array, each.index)) for each in (reach, reach.adjoint)
        )
    wide = graph.planes(_framed(graph, image, block))
    filter_reach = correlation(TAPS, 1, block)
    low = _cut(graph, wide, block)
    steps = _Steps(low, down, up, reach, reach.adjoint, filter_reach, network.multiple)
    estimate = wide if scale == 1 else _bicubic_phases(graph, wide, scale)
    estimate = _cut(graph, estimate, fold // scale)
    kind = HALF if precision == "float16" else FLOAT
    estimate = _stages(graph, network, estimate, steps, conditioning, fold, kind)
    result = graph.images(graph.op("DepthToSpace", estimate, blocksize=fold, mode="CRD"))

    first = MARGIN * scale
    for axis in (2, 3):
        length = graph.op("Add", graph.length(image, axis), graph.numbers(MARGIN))
        end = graph.op("Mul", length, graph.numbers(scale))
        result = graph.slice(result, axis, first, end)
    graph.output(result, "result", ("n", 3, f"{scale}*h", f"{scale}*w"))
    more: dict[str, object] = {} if ours else {"licence": OF_WEIGHTS}
    if kernel is not None:
        more |= {
            "noise": options.noise or 0.0,
            "kernel_error": options.kernel_error,
            "compression": options.compression,
        }
    facts_ = properties(
        "upscale", "unfold", scale, size, kernel, **more, context=CONTEXT, multiple=block,
        least_side=MARGIN + block - 1, precision=precision, weights=about,
    )  # fmt: skip
    return graph.model("unfold", facts_)


def _framed(graph: Graph, image: str, multiple: int) -> str:
    """Mirror the photo at its border, so that its sides become multiples."""
    for axis in (2, 3):
        length = graph.length(image, axis)
        image = graph.mirrored(image, axis, MARGIN, MARGIN + multiple - 1)
        image = graph.slice(image, axis, 0, graph.up_to_multiple(length, 2 * MARGIN, multiple))
    return image


def _bicubic_phases(graph: Graph, planes: str, scale: int) -> str:
    """Enlarge as the network does, by a convolution that is read off an enlarged single pixel.

    Returns:
        The HR pixels in blocks of scale x scale, as channels.
    """
    size = 7
    pixel = torch.zeros(1, 1, size, size)
    pixel[..., size // 2, size // 2] = 1
    answer = functional.interpolate(pixel, scale_factor=scale, mode="bicubic")[0, 0].numpy()
    # The answer of LR pixel 3 at HR pixel s·(3 - q) + r is the weight of tap q for phase r.
    by_phase = answer.reshape(size, scale, size, scale).transpose(1, 3, 0, 2)[..., ::-1, ::-1]
    weight = np.ascontiguousarray(by_phase.reshape(scale * scale, 1, size, size)[..., 1:-1, 1:-1])
    padded = edge_padded(graph, planes, 2)
    return graph.convolution(padded, graph.constant(weight), size - 2, 0, 0)


def _stages(
    graph: Graph,
    network: UnfoldingNetwork,
    estimate: str,
    steps: _Steps,
    conditioning: Conditioning,
    fold: int,
    kind: int,
) -> str:
    """See `UnfoldingNetwork.forward`; from and to (3n, fold², h, w)."""
    net = _Layers(graph, kind)
    read, write = network.read[str(fold)], network.write[str(fold)]
    blocks = fold * fold
    features = ""
    for stage, filter_, bias in zip(network.stages, *conditioning, strict=True):
        correction = _correction(graph, estimate, steps, filter_)
        estimate = graph.op("Add", estimate, correction)
        pictures = [_channels(graph, each, 3 * blocks) for each in (estimate, correction)]
        seen = net.convolution(read, net.entering(graph.op("Concat", *pictures, axis=1)))
        seen = graph.op("Relu", graph.op("Add", seen, net.entering(bias)))
        assert isinstance(stage, Stage)
        features = net.stage(stage, graph.op("Add", seen, features) if features else seen)
        change = net.leaving(net.convolution(write, features))
        gate = _gate(graph, pictures[0], blocks)
        change = _neutral(graph, change, gate, blocks)
        estimate = graph.op("Add", estimate, _channels(graph, change, blocks))
    return estimate


def _correction(graph: Graph, estimate: str, steps: _Steps, filter_: str) -> str:
    """See `ForwardModel.data_step`; from and to (3n, fold², h, w)."""
    down, up, group = steps.down_reach, steps.up_reach, steps.group
    before, after = down.before * group, down.after * group
    pads = graph.numbers(0, 0, before, before, 0, 0, after, after)
    padded = _cut(graph, graph.op("Pad", estimate, pads, mode="edge"), group)
    reached = graph.convolution(padded, steps.down, down.size, 0, 0)
    missing = graph.op("Sub", steps.low, reached)
    reach = steps.filter_reach
    missing = graph.convolution(missing, filter_, reach.size, reach.before, reach.after)
    spread = graph.convolution(missing, steps.up, up.size, up.before, up.after)
    if group == 1:
        return spread
    return graph.op("DepthToSpace", spread, blocksize=group, mode="DCR")


def _grouped(reach: Blocked, group: int, fold: int) -> Blocked:
    """Sort the HR pixels of a block as `SpaceToDepth` of a folded picture does.

    A block has group x group folded pixels, which come first, of fold x fold pixels each.
    """
    side = group * fold
    places = np.arange(side * side).reshape(group, fold, group, fold)
    order = places.transpose(0, 2, 1, 3).reshape(-1)
    return Blocked(np.ascontiguousarray(reach.index[:, order]), reach.before, reach.after)


def _gate(graph: Graph, estimate: str, blocks: int) -> str:
    """See `unfolding_network._gate`."""
    red, green, blue = _thirds(graph, estimate, blocks)
    differences = (graph.op("Abs", graph.op("Sub", each, green)) for each in (red, blue))
    colour = graph.op("Max", *differences)
    strongest = graph.op("ReduceMax", colour, graph.numbers(1), keepdims=1)
    side = 2 * GATE_REACH + 1
    near = graph.op("MaxPool", strongest, kernel_shape=[side] * 2, pads=[GATE_REACH] * 4)
    return graph.op("Min", graph.op("Mul", near, graph.constant([GATE_GAIN])), graph.constant([1]))


def _neutral(graph: Graph, change: str, gate: str, blocks: int) -> str:
    """See `unfolding_network._neutral`."""
    luma, red, blue = _thirds(graph, change, blocks)
    red, blue = (graph.op("Mul", gate, each) for each in (red, blue))
    both = graph.op("Mul", graph.op("Add", red, blue), graph.constant([0.5]))
    green = graph.op("Sub", luma, both)
    red, blue = (graph.op("Add", luma, each) for each in (red, blue))
    return graph.op("Concat", red, green, blue, axis=1)


def _thirds(graph: Graph, picture: str, blocks: int) -> list[str]:
    ends = (0, blocks, 2 * blocks, 3 * blocks)
    return [graph.slice(picture, 1, *span) for span in itertools.pairwise(ends)]


def _channels(graph: Graph, tensor: str, channels: int) -> str:
    """Regroup (3n, fold², h, w) and (n, 3 fold², h, w)."""
    return graph.op("Reshape", tensor, graph.numbers(-1, channels, 0, 0))


def _cut(graph: Graph, planes: str, block: int) -> str:
    return planes if block == 1 else graph.op("SpaceToDepth", planes, blocksize=block)


class _Layers:
    """Layers of the prior in one number format."""

    def __init__(self, graph: Graph, kind: int) -> None:
        self._graph = graph
        self._kind = kind
        self._dtype = np.float16 if kind == HALF else np.float32

    def entering(self, tensor: str) -> str:
        return cast(self._graph, tensor, HALF) if self._kind == HALF else tensor

    def leaving(self, tensor: str) -> str:
        return cast(self._graph, tensor, FLOAT) if self._kind == HALF else tensor

    def convolution(self, module: nn.Module, features: str) -> str:
        assert isinstance(module, nn.Conv2d) and module.bias is not None
        constants = (
            self._graph.constant(part.detach().float().cpu().numpy(), self._dtype)
            for part in (module.weight, module.bias)
        )
        size, stride = module.kernel_size[0], module.stride[0]
        assert not isinstance(module.padding, str)
        return self._graph.op(
            "Conv", features, *constants,
            kernel_shape=[size, size], strides=[stride, stride], pads=[module.padding[0]] * 4,
        )  # fmt: skip

    def stage(self, stage: Stage, features: str) -> str:
        for block in stage.fine:
            features = self._residual(block, features)
        if stage.coarse is None:
            return features
        coarse = features
        for layer in stage.coarse:
            step = self._residual if isinstance(layer, Residual) else self.convolution
            coarse = step(layer, coarse)
        scales = self._graph.constant([1.0, 1.0, 2.0, 2.0])
        coarse = self._graph.op(
            "Resize", coarse, "", scales,
            mode="nearest", nearest_mode="floor", coordinate_transformation_mode="asymmetric",
        )  # fmt: skip
        return self._graph.op("Add", features, coarse)

    def _residual(self, block: nn.Module, features: str) -> str:
        assert isinstance(block, Residual)
        inner = self._graph.op("Relu", self.convolution(block.first, features))
        return self._graph.op("Add", features, self.convolution(block.second, inner))
