"""ONNX models that enlarge photos: what they say of themselves, and their graphs."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from fuzz.json_edits import json_edited
from fuzz.mutation import edited, integer
from fuzz.outcomes import check_pixels, may_refuse
from numpy.random import Generator
from onnx import TensorProto, helper

from kernelgan_fast import upscale
from kernelgan_fast.runtime.engine import Engine

_OPERATORS = (
    *("Add", "Sub", "Mul", "Div", "Identity", "Sqrt", "Log", "Exp", "Cast", "Shape", "Flatten"),
    *("Transpose", "Reshape", "Concat", "Slice", "Gather", "Resize", "Expand", "Tile", "Pad"),
    *("Conv", "DepthToSpace", "ReduceSum", "Softmax", "NonZero", "Einsum", "Loop", "Nonsense"),
)
# The file may be sound, but the kernel does not fit, or the machine is too small.
_NOT_THE_FILE = ("the model takes kernels up to", "memory ran out")
_SIDES = (0, 1, 2, 3, 4, 5, 16, 32, 33, 1000, -1)
_TEXTS = ("", "0", "-1", "-2", "1", "2", "3", "4", "8", "1e9", "99999999999999999999", "nan", "abc")
_TEXTS += ("no", "yes", "None", "[]", "[[1]]", "[[NaN]]", "[[1,2],[3]]", "é", "\0", "1" * 5000)


@functools.cache
def seeds() -> list[bytes]:
    """Nearest-neighbour enlargement: by Resize with a kernel built in, and with kernel inputs."""
    return [_fixed(), _with_inputs()]


def structured(data: bytes, rng: Generator) -> bytes:
    """Change one thing in the model: a property, a node, a shape or a tensor."""
    try:
        model = onnx.ModelProto.FromString(data)
    except Exception:  # protobuf has errors of many kinds, and earlier edits may have met one
        return edited(data, rng)
    edits = (_property, _property, _property, _node, _value, _tensor)
    edits[rng.integers(len(edits))](model, rng)
    return model.SerializeToString()


def run(data: bytes) -> None:
    """Enlarge a small photo with it."""
    path = Path("fuzzed.onnx")
    path.write_bytes(data)
    photo = np.random.default_rng(0).random((16, 16, 3)).astype(np.float32)
    # How much memory a graph takes shows only when it runs.
    with may_refuse(path.name, *_NOT_THE_FILE, for_memory=True):
        has_kernel = Engine(path, threads=1).metadata.kernel is not None
        kernel = "estimate" if has_kernel else "bicubic"
        large = upscale(photo, kernel=kernel, engine=path, threads=1)
        scale = large.kernel.scale
        check_pixels(large.pixels, (16 * scale, 16 * scale, 3))


def _fixed() -> bytes:
    scales = helper.make_tensor("scales", TensorProto.FLOAT, [4], [1, 1, 2, 2])
    node = helper.make_node("Resize", ["image", "", "scales"], ["enlarged"], mode="nearest")
    kernel = json.dumps([[0.0, 0.0, 0.0], [0.0, 0.25, 0.25], [0.0, 0.25, 0.25]])
    told = {"kernel": kernel, "kernel_size": "3", "kernel_input": "no"}
    return _model([node], [scales], [], told)


def _with_inputs() -> bytes:
    scales = helper.make_tensor("scales", TensorProto.FLOAT, [4], [1, 1, 2, 2])
    nodes = [
        helper.make_node("ReduceSum", ["kernel"], ["total"], keepdims=0),
        helper.make_node("Mul", ["image", "total"], ["weighed"]),
        helper.make_node("Mul", ["noise", "kernel_error"], ["zero"]),
        helper.make_node("Add", ["weighed", "zero"], ["same"]),
        helper.make_node("Resize", ["same", "", "scales"], ["enlarged"], mode="nearest"),
    ]
    inputs = [("kernel", [25, 25]), ("noise", [1]), ("kernel_error", [1])]
    return _model(nodes, [scales], inputs, {"kernel_size": "25", "kernel_input": "yes"})


def _model(nodes: list[Any], tensors: list[Any], inputs: Any, told: dict[str, str]) -> bytes:
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, "height", "width"])
    large = helper.make_tensor_value_info("enlarged", TensorProto.FLOAT, [1, 3, "h", "w"])
    more = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs]
    graph = helper.make_graph(nodes, "enlarge", [image, *more], [large], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    common = {"task": "upscale", "method": "tv", "scale": "2", "context": "2", "multiple": "1"}
    common |= {"precision": "float32", "least_side": "1", "format": "1", "version": "0.1.0"}
    for key, value in {**common, **told}.items():
        model.metadata_props.add(key=f"kernelgan_fast.{key}", value=value)
    return model.SerializeToString()


def _property(model: onnx.ModelProto, rng: Generator) -> None:
    if not model.metadata_props:
        return
    at = int(rng.integers(len(model.metadata_props)))
    told = model.metadata_props[at]
    how = rng.integers(6)
    if how == 0:
        del model.metadata_props[at]
    elif how == 1:
        model.metadata_props.add(key=told.key, value="1")
    elif how == 2 and told.value[:1] == "[":
        told.value = json_edited(told.value.encode(), rng).decode(errors="replace")
    elif how == 3:
        told.value = str(integer(rng))
    else:
        told.value = _TEXTS[rng.integers(len(_TEXTS))]


def _node(model: onnx.ModelProto, rng: Generator) -> None:
    nodes = model.graph.node
    if not nodes:
        return
    node = nodes[rng.integers(len(nodes))]
    names = [name for each in nodes for name in (*each.input, *each.output)]
    how = rng.integers(4)
    if how == 0:
        node.op_type = _OPERATORS[rng.integers(len(_OPERATORS))]
    elif how == 1 and node.input:
        node.input[rng.integers(len(node.input))] = names[rng.integers(len(names))]
    elif how == 2 and node.attribute:
        attribute = node.attribute[rng.integers(len(node.attribute))]
        attribute.i = integer(rng) % (1 << 63)
        attribute.s = (b"nearest", b"linear", b"cubic", b"x", b"")[rng.integers(5)]
    else:
        nodes.remove(node)


def _value(model: onnx.ModelProto, rng: Generator) -> None:
    """Change name, type or shape of an input or output."""
    graph = model.graph
    values = [*graph.input, *graph.output]
    if not values:
        return
    value = values[rng.integers(len(values))]
    tensor = value.type.tensor_type
    how = rng.integers(4)
    if how == 0:
        value.name = ("image", "photo", "kernel", "enlarged", "")[rng.integers(5)]
    elif how == 1:
        tensor.elem_type = int(rng.integers(0, 24))
    elif how == 2 and tensor.shape.dim:
        side = tensor.shape.dim[rng.integers(len(tensor.shape.dim))]
        side.dim_value = _SIDES[rng.integers(len(_SIDES))]
    elif tensor.shape.dim:
        del tensor.shape.dim[-1]


def _tensor(model: onnx.ModelProto, rng: Generator) -> None:
    tensors = model.graph.initializer
    if not tensors:
        return
    tensor = tensors[rng.integers(len(tensors))]
    how = rng.integers(4)
    if how == 0 and tensor.float_data:
        special = (0, -1, 1, 1.5, 3, 4, 1e9, 1e38, float("nan"), float("inf"))
        tensor.float_data[rng.integers(len(tensor.float_data))] = special[rng.integers(10)]
    elif how == 1 and tensor.dims:
        tensor.dims[0] = (0, 1, 3, 5, 2**40, -1)[rng.integers(6)]
    elif how == 2:
        tensor.data_type = int(rng.integers(0, 24))
    else:
        tensor.raw_data = edited(tensor.raw_data or bytes(16), rng)
