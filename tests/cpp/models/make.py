"""Writes the models beside it, for the tests of the C++ engine; needs the package onnx.

up2: 3 channels, a convolution of 5 × 5 and DepthToSpace; states all that the engine asks.
shrink: a kernel of 5 × 5 and a number for inputs, every second pixel kept.
plain: knows nothing of us, float16, three times as large, any channels.
liar: up2 that says it enlarges four times.
table: no image model.
divide: pixels divided by 0, so that it makes infinities and NaN.
count: an image of int64.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

HERE = Path(__file__).parent


def tensor(name: str, kind: int, shape: tuple[int | str, ...]) -> Any:
    return helper.make_tensor_value_info(name, kind, list(shape))


def write(
    name: str,
    nodes: list[Any],
    inputs: list[Any],
    output: Any,
    constants: dict[str, np.ndarray[Any, Any]],
    **properties: object,
) -> None:
    kept = [numpy_helper.from_array(array, key) for key, array in constants.items()]
    graph = helper.make_graph(nodes, name, inputs, [output], kept)
    opsets = [helper.make_opsetid("", 18)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    helper.set_model_props(model, {f"kernelgan_fast.{k}": str(v) for k, v in properties.items()})
    checker.check_model(model, full_check=True)
    (HERE / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))


def up2(name: str, scale: int) -> None:
    weight = np.sin(np.arange(12 * 3 * 25, dtype=np.float32)).reshape(12, 3, 5, 5) / 40
    weight[np.arange(12), np.arange(12) // 4, 2, 2] += 1
    nodes = [
        helper.make_node("Conv", ["image", "weight"], ["deep"], pads=[2, 2, 2, 2]),
        helper.make_node("DepthToSpace", ["deep"], ["result"], blocksize=2, mode="CRD"),
    ]
    image = tensor("image", TensorProto.FLOAT, ("n", 3, "h", "w"))
    result = tensor("result", TensorProto.FLOAT, ("n", 3, "2*h", "2*w"))
    stated = {"task": "upscale", "scale": scale, "context": 2, "least_side": 3}
    about = {"range": "[0, 1]", "layout": "NCHW RGB"}
    write(name, nodes, [image], result, {"weight": weight}, **stated, **about)


def shrink() -> None:
    nodes = [
        helper.make_node("Reshape", ["image", "to_planes"], ["planes"]),
        helper.make_node("Reshape", ["kernel", "to_weight"], ["weight"]),
        helper.make_node(
            "Conv", ["planes", "weight"], ["small"], pads=[2, 2, 2, 2], strides=[2, 2]
        ),
        helper.make_node("Reshape", ["small", "to_images"], ["images"]),
        helper.make_node("Add", ["images", "lift"], ["result"]),
    ]
    inputs = [
        tensor("image", TensorProto.FLOAT, ("n", 3, "h", "w")),
        tensor("kernel", TensorProto.FLOAT, (5, 5)),
        tensor("lift", TensorProto.FLOAT, (1,)),
    ]
    result = tensor("result", TensorProto.FLOAT, ("n", 3, "ceil(h/2)", "ceil(w/2)"))
    constants = {
        "to_planes": np.array([-1, 1, 0, 0]),
        "to_weight": np.array([1, 1, 5, 5]),
        "to_images": np.array([-1, 3, 0, 0]),
    }
    write("shrink", nodes, inputs, result, constants, task="downscale", scale=2, kernel_size=5)


def plain() -> None:
    kind = TensorProto.FLOAT16
    node = helper.make_node("Resize", ["x", "", "sizes"], ["y"], mode="nearest")
    sides = (tensor("x", kind, ("n", "c", "h", "w")), tensor("y", kind, ("n", "c", "3h", "3w")))
    write("plain", [node], [sides[0]], sides[1], {"sizes": np.array([1, 1, 3, 3], np.float32)})


def divide() -> None:
    node = helper.make_node("Div", ["image", "zero"], ["result"])
    image, result = (tensor(s, TensorProto.FLOAT, ("n", 3, "h", "w")) for s in ("image", "result"))
    write("divide", [node], [image], result, {"zero": np.zeros(1, np.float32)}, scale=1, context=0)


def count() -> None:
    node = helper.make_node("Cast", ["image"], ["result"], to=TensorProto.INT64)
    image = tensor("image", TensorProto.FLOAT, ("n", 3, "h", "w"))
    result = tensor("result", TensorProto.INT64, ("n", 3, "h", "w"))
    write("count", [node], [image], result, {}, scale=1)


def table() -> None:
    node = helper.make_node("Relu", ["x"], ["y"])
    sides = (tensor(name, TensorProto.FLOAT, ("n", 10)) for name in "xy")
    write("table", [node], [next(sides)], next(sides), {})


if __name__ == "__main__":
    up2("up2", 2)
    up2("liar", 4)
    shrink()
    plain()
    table()
    divide()
    count()
