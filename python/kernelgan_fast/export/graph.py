"""A small writer of ONNX graphs: nodes and constants by name, one file, nothing else in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kernelgan_fast.runtime.extras import required

# Has all we need; ONNX Runtime reads it since 1.14.
OPSET, _IR = 18, 8

# In a Slice, "to the very end", whichever way it goes.
_END = np.iinfo(np.int64).max


class Graph:
    """A graph being written; tensors are named by strings.

    The graphs are written by hand and not by torch.onnx.export, whose newer form wants a package
    more and whose older one is on its way out, and since the quickest graph is not the one that
    PyTorch runs. The parity check keeps the two descriptions of a method together.
    """

    def __init__(self) -> None:
        self._onnx = required("onnx", "onnx")
        self._nodes: list[Any] = []
        self._constants: dict[str, NDArray[Any]] = {}
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []

    def input(self, name: str, shape: Sequence[int | str]) -> str:
        """Add a float32 input; words name sides that are free."""
        self._inputs.append(self._value(name, shape))
        return name

    def output(self, tensor: str, name: str, shape: Sequence[int | str]) -> None:
        """Make a tensor an output."""
        self._nodes.append(self._onnx.helper.make_node("Identity", [tensor], [name], name=name))
        self._outputs.append(self._value(name, shape))

    def constant(self, values: ArrayLike, dtype: type = np.float32) -> str:
        """Add a constant; equal ones are stored once."""
        array: NDArray[Any] = np.asarray(values, dtype)
        for known_as, known in self._constants.items():
            same = known.dtype == array.dtype and known.shape == array.shape
            if same and np.array_equal(known, array):
                return known_as
        name = f"constant_{len(self._constants)}"
        self._constants[name] = array
        return name

    def numbers(self, *values: int) -> str:
        """Add a constant list of whole numbers."""
        return self.constant(values, np.int64)

    def op(self, kind: str, *inputs: str, **attributes: object) -> str:
        """Add a node of one output; an input that is left out is an empty word."""
        name = f"{kind.lower()}_{len(self._nodes)}"
        node = self._onnx.helper.make_node(kind, list(inputs), [name], name=name, **attributes)
        self._nodes.append(node)
        return name

    def length(self, tensor: str, axis: int) -> str:
        """The length of one axis, as a list of one number."""
        return self.op("Shape", tensor, start=axis, end=axis + 1)

    def slice(self, tensor: str, axis: int, first: int, end: int | str | None = None) -> str:
        """Cut along an axis; `end` may be computed, and is the axis' own if None."""
        last = end if isinstance(end, str) else self.numbers(_END if end is None else end)
        return self.op("Slice", tensor, self.numbers(first), last, self.numbers(axis))

    def turned(self, tensor: str, axis: int, first: int, count: int) -> str:
        """Cut `count` along an axis, from `first` on backwards."""
        last = first - count if first < 0 or first >= count else -_END
        ends = (self.numbers(first), self.numbers(last))
        return self.op("Slice", tensor, *ends, self.numbers(axis), self.numbers(-1))

    def mirrored(self, tensor: str, axis: int, before: int, after: int) -> str:
        """Continue an axis half-sample symmetrically (dcba|abcd|dcba), which no Pad can.

        The axis must be at least as long as what is added to either end.
        """
        parts = [tensor]
        if before:
            parts.insert(0, self.turned(tensor, axis, before - 1, before))
        if after:
            parts.append(self.turned(tensor, axis, -1, after))
        return self.op("Concat", *parts, axis=axis) if len(parts) > 1 else tensor

    def up_to_multiple(self, length: str, added: int, multiple: int) -> str:
        """Compute the least multiple that is at least length + added."""
        sum_ = self.op("Add", length, self.numbers(added + multiple - 1))
        if multiple == 1:
            return sum_
        count = self.op("Div", sum_, self.numbers(multiple))
        return self.op("Mul", count, self.numbers(multiple))

    def convolution(self, tensor: str, weight: str, size: int, before: int, after: int) -> str:
        """Correlate with a (out, in, size, size) weight, zeros beyond the border."""
        pads = [before, before, after, after]
        return self.op("Conv", tensor, weight, kernel_shape=[size, size], pads=pads)

    def planes(self, images: str) -> str:
        """(n, 3, h, w) to (3n, 1, h, w)."""
        return self.op("Reshape", images, self.numbers(-1, 1, 0, 0))

    def images(self, planes: str) -> str:
        """(3n, 1, h, w) to (n, 3, h, w)."""
        return self.op("Reshape", planes, self.numbers(-1, 3, 0, 0))

    def model(self, name: str, properties: Mapping[str, str]) -> bytes:
        """Finish the file: whole, checked, with our properties.

        Args:
            name: of the graph.
            properties: for metadata_props.
        """
        helper = self._onnx.helper
        constants = [
            self._onnx.numpy_helper.from_array(array, key) for key, array in self._constants.items()
        ]
        graph = helper.make_graph(self._nodes, name, self._inputs, self._outputs, constants)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=_IR,
            producer_name="kernelgan-fast",
            producer_version=properties.get("kernelgan_fast.version", ""),
        )
        helper.set_model_props(model, dict(properties))
        self._onnx.checker.check_model(model, full_check=True)
        content: bytes = model.SerializeToString(deterministic=True)
        return content

    def _value(self, name: str, shape: Sequence[int | str]) -> Any:
        return self._onnx.helper.make_tensor_value_info(
            name, self._onnx.TensorProto.FLOAT, list(shape)
        )
