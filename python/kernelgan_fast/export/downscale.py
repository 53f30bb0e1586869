"""The downscaler as a graph: LR = correlate(HR, kernel)[::scale, ::scale]."""

from __future__ import annotations

import numpy as np

from kernelgan_fast.export.blocks import placed, windows
from kernelgan_fast.export.graph import Graph
from kernelgan_fast.export.parts import FLOAT, HALF, MADE, cast, gathered, reduced
from kernelgan_fast.export.properties import properties
from kernelgan_fast.kernels import BlurKernel


def downscale_model(
    kernel: BlurKernel | None, size: int, scale: int, precision: str = "float32"
) -> bytes:
    """Write the downscaler as an ONNX file.

    Its input `image` is (n, 3, h, w), its output `result` (n, 3, ceil(h/s), ceil(w/s)), both
    float32. The border is mirrored by slices of negative step; sides must be at least k//2.

    Args:
        kernel: to bake in; None for an input `kernel`, (size, size).
        size: of the kernel, odd.
        scale: 2 or 4.
        precision: "float32" or "float16", of the convolution.
    """
    graph, half = Graph(), precision == "float16"
    image = graph.input("image", ("n", 3, "h", "w"))
    index = windows(size, scale, MADE)
    if kernel is not None:
        weight = graph.constant(placed(kernel.array, index), np.float16 if half else np.float32)
    else:
        weight = gathered(graph, graph.input("kernel", (size, size)), index)
        weight = cast(graph, weight, HALF) if half else weight
    framed = image
    for axis in (2, 3):
        framed = graph.mirrored(framed, axis, size // 2, size // 2)
    planes = graph.planes(framed)
    planes = cast(graph, planes, HALF) if half else planes
    small = reduced(graph, planes, weight, size, scale)
    small = cast(graph, small, FLOAT) if half else small
    result = graph.images(graph.op("DepthToSpace", small, blocksize=MADE, mode="CRD"))
    for axis in (2, 3):
        side = graph.op("Add", graph.length(image, axis), graph.numbers(scale - 1))
        result = graph.slice(result, axis, 0, graph.op("Div", side, graph.numbers(scale)))
    sides = (f"ceil({side}/{scale})" for side in "hw")
    graph.output(result, "result", ("n", 3, *sides))
    about = properties(
        "downscale", "downscale", scale, size, kernel,
        least_side=max(size // 2, 1), precision=precision,
    )  # fmt: skip
    return graph.model("downscale", about)
