"""The unfolding network as a graph, the data steps on blocks of pixels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional

from kernelgan_fast.export.blocks import Blocked, correlation, placed
from kernelgan_fast.export.graph import Graph
from kernelgan_fast.export.parts import FLOAT, HALF, edge_padded, gathered
from kernelgan_fast.export.prior import prior
from kernelgan_fast.export.properties import OF_WEIGHTS, properties
from kernelgan_fast.export.trust import Told, told_by_inputs
from kernelgan_fast.kernels import BlurKernel
from kernelgan_fast.sr.forward_model import TAPS, ForwardModel
from kernelgan_fast.sr.unfold import CONTEXT, MARGIN
from kernelgan_fast.sr.unfold_net import UnfoldNet
from kernelgan_fast.sr.upscaler import ROUNDING


class _Weights(NamedTuple):
    """Names of the weights that depend on the kernel."""

    down: str
    up: str


def unfold_model(
    network: UnfoldNet,
    kernel: BlurKernel | None,
    size: int,
    scale: int,
    *,
    noise: float | None = None,
    kernel_error: float = 0.0,
    precision: str = "float32",
    about: str = "",
    ours: bool = True,
) -> bytes:
    """Write the network as an ONNX file.

    Its input `image` is the LR photo (n, 3, h, w), its output `result` (n, 3, s·h, s·w), both
    float32 in [0, 1] but not clipped. Where the kernel is no part of it, it has the inputs
    `kernel` (size, size), `noise` (1,) in grey levels of 255 and `kernel_error` (1,) too.

    Args:
        network: with its weights.
        kernel: to bake in; None for inputs.
        size: of the kernel, odd.
        scale: 2 or 4.
        noise, kernel_error: as in `Options`, baked in with the kernel.
        precision: "float32" or "float16", of the prior; data steps are always float32.
        about: which weights these are, for the properties.
        ours: whether they are under the licence of this package.
    """
    graph = Graph()
    image = graph.input("image", ("n", 3, "h", "w"))
    multiple = max(network.prior.multiple // scale, 1)
    blocked = correlation(size, scale, multiple * scale)
    if kernel is None:
        taps = graph.input("kernel", (size, size))
        told = told_by_inputs(graph, network, taps, size, scale, multiple)
        weights = _Weights(
            gathered(graph, taps, blocked.index), gathered(graph, taps, blocked.adjoint.index)
        )
    else:
        told = _told(graph, network, kernel, multiple, noise, kernel_error)
        down, up = (placed(kernel.array, each.index) for each in (blocked, blocked.adjoint))
        weights = _Weights(graph.constant(down), graph.constant(up))

    wide = framed(graph, image, multiple)
    low = _cut(graph, graph.planes(wide), multiple)
    estimate = _joined(graph, bicubic_phases(graph, graph.planes(wide), scale), scale)
    for filter_, level in zip(told.filters, told.levels, strict=True):
        obeying = _data_step(graph, estimate, low, weights, filter_, blocked, multiple * scale)
        kind = HALF if precision == "float16" else FLOAT
        refined = prior(graph, network.prior, graph.images(obeying), level, kind)
        estimate = graph.planes(refined)

    first = MARGIN * scale
    for axis in (2, 3):
        length = graph.op("Add", graph.length(image, axis), graph.numbers(MARGIN))
        end = graph.op("Mul", length, graph.numbers(scale))
        refined = graph.slice(refined, axis, first, end)
    graph.output(refined, "result", ("n", 3, f"{scale}*h", f"{scale}*w"))
    told_of: dict[str, object] = {} if ours else {"licence": OF_WEIGHTS}
    if kernel is not None:
        told_of |= {"noise": noise or 0.0, "kernel_error": kernel_error}
    least = MARGIN + multiple - 1
    facts = properties(
        "upscale", "unfold", scale, size, kernel, **told_of, context=CONTEXT,
        multiple=multiple, least_side=least, precision=precision, weights=about,
    )  # fmt: skip
    return graph.model("unfold", facts)


def _told(
    graph: Graph,
    network: UnfoldNet,
    kernel: BlurKernel,
    multiple: int,
    noise: float | None,
    kernel_error: float,
) -> Told:
    """What the stages are told, computed now; see `told_by_inputs`."""
    model = ForwardModel.of(kernel)
    filters, levels = network.filters(model, max(noise or 0.0, ROUNDING) / 255, kernel_error)
    blocked = correlation(TAPS, 1, multiple)
    weights = (placed(taps.detach().numpy(), blocked.index) for taps in filters)
    return Told(
        [(graph.constant(weight), blocked) for weight in weights],
        [graph.constant(np.full((1, 1, 1, 1), float(level))) for level in levels],
    )


def framed(graph: Graph, image: str, multiple: int) -> str:
    """Mirror the photo at its border, so that its sides become multiples."""
    for axis in (2, 3):
        length = graph.length(image, axis)
        image = graph.mirrored(image, axis, MARGIN, MARGIN + multiple - 1)
        image = graph.slice(image, axis, 0, graph.up_to_multiple(length, 2 * MARGIN, multiple))
    return image


def _cut(graph: Graph, planes: str, block: int) -> str:
    return planes if block == 1 else graph.op("SpaceToDepth", planes, blocksize=block)


def _joined(graph: Graph, blocks: str, block: int) -> str:
    return graph.op("DepthToSpace", blocks, blocksize=block, mode="CRD")


def _data_step(
    graph: Graph,
    estimate: str,
    low: str,
    weights: _Weights,
    filter_: tuple[str, Blocked],
    blocked: Blocked,
    block: int,
) -> str:
    """See `ForwardModel.data_step`; `low` is cut into blocks already."""
    before, after = blocked.before * block, blocked.after * block
    pads = graph.numbers(0, 0, before, before, 0, 0, after, after)
    padded = graph.op("Pad", estimate, pads, mode="edge")
    down = graph.convolution(_cut(graph, padded, block), weights.down, blocked.size, 0, 0)
    missing = graph.op("Sub", low, down)
    weight, reach = filter_
    missing = graph.convolution(missing, weight, reach.size, reach.before, reach.after)
    ends = blocked.adjoint
    spread = graph.convolution(missing, weights.up, ends.size, ends.before, ends.after)
    return graph.op("Add", estimate, _joined(graph, spread, block))


def bicubic_phases(graph: Graph, planes: str, scale: int) -> str:
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
