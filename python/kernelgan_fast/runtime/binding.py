"""Inputs and outputs of a model in the memory of the device that it runs on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernelgan_fast.runtime.extras import required


class Binding:
    """A model's inputs, some of which stay the same, and its first output, bound to memory.

    What stays the same is brought to the device once. What changes goes into memory that is kept
    as long as its shape is.

    Args:
        session: ONNX Runtime's.
        place: "cpu" or "cuda", and the number of the GPU.
        fixed: inputs that stay the same, by name.
        output: its name.
    """

    def __init__(
        self,
        session: Any,
        place: tuple[str, int],
        fixed: Mapping[str, NDArray[np.float32]],
        output: str,
    ) -> None:
        self._session, self._place, self._output = session, place, output
        self._values: Any = required("onnxruntime", "onnx").OrtValue
        self._binding = session.io_binding()
        self._changing: dict[str, Any] = {}
        for name, array in fixed.items():
            self._bind(name, array)

    def run(self, **changing: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the model.

        Args:
            changing: the other inputs; the same ones every time.

        Returns:
            The output, in host memory of its own.
        """
        shapes = {name: tuple(value.shape()) for name, value in self._changing.items()}
        if shapes == {name: array.shape for name, array in changing.items()}:
            for name, array in changing.items():
                self._changing[name].update_inplace(np.ascontiguousarray(array, np.float32))
        else:
            self._changing = {name: self._bind(name, array) for name, array in changing.items()}
        self._binding.bind_output(self._output, *self._place)
        self._session.run_with_iobinding(self._binding)
        result: NDArray[np.float32] = self._binding.get_outputs()[0].numpy()
        # Else the next run would write to the same memory, which on a CPU is the result's.
        self._binding.clear_binding_outputs()
        return result

    def _bind(self, name: str, array: NDArray[np.float32]) -> Any:
        # Made of an array, a value of the CPU would be the array itself.
        shape: Sequence[int] = array.shape
        value = self._values.ortvalue_from_shape_and_type(shape, np.float32, *self._place)
        value.update_inplace(np.ascontiguousarray(array, np.float32))
        self._binding.bind_ortvalue_input(name, value)
        return value
