"""SRMD as a graph, for one kernel."""

from __future__ import annotations

import numpy as np

from kernelgan_fast.export.graph import Graph
from kernelgan_fast.export.parts import FLOAT, HALF, cast, edge_padded
from kernelgan_fast.export.properties import OF_WEIGHTS, properties
from kernelgan_fast.kernels import BlurKernel
from kernelgan_fast.sr.srmd import Srmd


def srmd_model(upscaler: Srmd, kernel: BlurKernel, precision: str, about: str) -> bytes:
    """Write SRMD, told one kernel and one level of noise, as an ONNX file.

    Its input `image` is the LR photo (n, 3, h, w), its output `result` (n, 3, s·h, s·w), both
    float32 in [0, 1] but not clipped.

    Args:
        upscaler: told the kernel, on the CPU.
        kernel: that it was told.
        precision: "float32" or "float16", of the network.
        about: which weights these are, for the properties.
    """
    graph, half = Graph(), precision == "float16"
    scale, context = upscaler.scale, upscaler.context
    image = graph.input("image", ("n", 3, "h", "w"))
    features = edge_padded(graph, image, context)
    features = cast(graph, features, HALF) if half else features
    for index, layer in enumerate(upscaler.layers):
        constants = (
            graph.constant(values.numpy(), np.float16 if half else np.float32) for values in layer
        )
        features = graph.op("Conv", features, *constants, kernel_shape=[3, 3])
        if index < context - 1:
            features = graph.op("Relu", features)
    features = cast(graph, features, FLOAT) if half else features
    result = graph.op("DepthToSpace", features, blocksize=scale, mode="CRD")
    graph.output(result, "result", ("n", 3, f"{scale}*h", f"{scale}*w"))
    facts = properties(
        "upscale", "srmd", scale, kernel.size, kernel, noise=upscaler.noise, context=context,
        multiple=upscaler.multiple, least_side=1, precision=precision, weights=about,
        licence=OF_WEIGHTS,
    )  # fmt: skip
    return graph.model("srmd", facts)
