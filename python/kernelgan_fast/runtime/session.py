"""An ONNX model opened in ONNX Runtime, where it was asked to run and nowhere else."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernelgan_fast.errors import DeviceUnavailable, InputError
from kernelgan_fast.runtime.binding import Binding
from kernelgan_fast.runtime.extras import required
from kernelgan_fast.runtime.model_metadata import least_side
from kernelgan_fast.runtime.threads import session_threads

# Names of ours and of ONNX Runtime.
PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}

_FATAL = 4


class Session:
    """A model ready to run.

    Args:
        model: a file, or the bytes of one.
        device: "cpu", "cuda" or "tensorrt"; a number after a colon names the GPU, as "cuda:1".
        threads: of the CPU; None for as many as there are cores.

    Attributes:
        device: as asked for.
        properties: the model's metadata_props.
        inputs: the shape of each input by name; words are free sides.
        outputs: the same.
        types: the type of each input and output by name, such as "tensor(float)".

    Raises:
        InputError: onnxruntime is not installed, there is no such file, or it is no model.
        DeviceUnavailable: the model would not run where it was asked to.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | bytes,
        *,
        device: str = "cpu",
        threads: int | None = None,
    ) -> None:
        runtime = required("onnxruntime", "onnx")
        provider, number = _parsed(device)
        self.device = device
        name = "the model" if isinstance(model, bytes) else os.fspath(model)
        self._name = name
        if not isinstance(model, bytes) and not Path(model).is_file():
            raise InputError(f"{name}: no such file; kernelgan-fast export makes one")
        if PROVIDERS[provider] not in runtime.get_available_providers():
            raise DeviceUnavailable(_absent(device))
        options = runtime.SessionOptions()
        options.log_severity_level = _FATAL  # what goes wrong is told by exceptions
        options.intra_op_num_threads = session_threads(threads)
        chosen: Any = PROVIDERS[provider]
        if provider != "cpu":
            chosen = (chosen, {"device_id": str(number)})
            _find_cuda(runtime)
        content = model if isinstance(model, bytes) else name
        try:
            self._session = runtime.InferenceSession(content, options, providers=[chosen])
        except Exception as error:  # each of ONNX Runtime's own derives from Exception alone
            if provider != "cpu":
                raise DeviceUnavailable(f"{_absent(device)} ({error})") from error
            raise InputError(
                f"{name}: not a model that ONNX Runtime can read ({error}); export it again"
            ) from error
        # A provider that cannot start is left out without an error.
        if self._session.get_providers()[0] != PROVIDERS[provider]:
            raise DeviceUnavailable(_absent(device))
        self._describe()
        if not self.outputs:
            raise InputError(f"{name}: the model has no output; export it again")
        self._least_side = least_side(self.properties, name)
        self._number, self._output = number, next(iter(self.outputs))

    def _describe(self) -> None:
        """Read what the model says of itself."""
        session = self._session
        try:
            self.properties: dict[str, str] = dict(session.get_modelmeta().custom_metadata_map)
            inputs, outputs = session.get_inputs(), session.get_outputs()
            self.inputs = {each.name: tuple(each.shape) for each in inputs}
            self.outputs = {each.name: tuple(each.shape) for each in outputs}
            self.types = {each.name: str(each.type) for each in (*inputs, *outputs)}
        except UnicodeDecodeError as error:
            raise InputError(
                f"{self._name}: names and properties of a model must be UTF-8 ({error}); export it "
                "again"
            ) from error

    def run(self, **inputs: NDArray[Any]) -> NDArray[np.float32]:
        """Run the model once, from host memory to host memory.

        Args:
            inputs: by name, float32.

        Returns:
            The first output.

        Raises:
            InputError: inputs that the model has not, or that do not fit it; an image too small;
                a model that fails.
            MemoryError: there was not enough.
        """
        self._check(inputs)
        with self.errors():
            return self._session.run([self._output], inputs)[0]  # type: ignore[no-any-return]

    def bind(self, **fixed: NDArray[np.float32]) -> Bound:
        """Bring inputs to the device, for many runs in which only the others change.

        Args:
            fixed: by name.
        """
        place = ("cpu" if self.device == "cpu" else "cuda", self._number)
        return Bound(self, Binding(self._session, place, fixed, self._output), fixed)

    def _check(self, inputs: Mapping[str, NDArray[Any]]) -> None:
        if set(inputs) != set(self.inputs):
            raise InputError(
                f"{self._name}: the model takes {', '.join(self.inputs)}, got "
                f"{', '.join(inputs) or 'nothing'}"
            )
        for name, shape in self.inputs.items():
            got = inputs[name].shape
            if len(got) != len(shape) or any(
                isinstance(want, int) and want != side
                for want, side in zip(shape, got, strict=False)
            ):
                raise InputError(
                    f"{self._name}: {name} must be of shape {_words(shape)}, got {_words(got)}"
                )
        if "image" in inputs and min(inputs["image"].shape[2:]) < self._least_side:
            raise InputError(
                f"{self._name}: sides of image must be {self._least_side} px or more, got "
                f"{_words(inputs['image'].shape)}"
            )

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Turn what ONNX Runtime raises into errors of Python's and of this package.

        Raises:
            MemoryError: memory ran out.
            InputError: the model failed otherwise.
        """
        try:
            yield
        except Exception as error:  # each of ONNX Runtime's own derives from Exception alone
            if "Failed to allocate memory" in str(error):
                raise MemoryError(str(error)) from error
            raise InputError(
                f"{self._name}: ONNX Runtime could not run the model ({error}); export it again"
            ) from error


class Bound:
    """A session, some of whose inputs are on its device already; see `Session.bind`.

    It is for one thread at a time.
    """

    def __init__(
        self, session: Session, binding: Binding, fixed: Mapping[str, NDArray[Any]]
    ) -> None:
        self._session, self._binding, self._fixed = session, binding, fixed

    def run(self, **changing: NDArray[Any]) -> NDArray[np.float32]:
        """Run the model once; see `Session.run`.

        Args:
            changing: the inputs that were not bound.
        """
        self._session._check({**self._fixed, **changing})
        with self._session.errors():
            return self._binding.run(**changing)


def _find_cuda(runtime: Any) -> None:
    """Load CUDA's libraries where pip has put them; the system does not look there."""
    preload = getattr(runtime, "preload_dlls", None)  # since 1.21
    if preload is not None:
        # What it misses it prints. A provider that cannot start without that is found out later.
        with contextlib.redirect_stdout(io.StringIO()):
            preload()


def _parsed(device: str) -> tuple[str, int]:
    name, _, number = device.partition(":")
    if name not in PROVIDERS or (number and not number.isdigit()) or (name == "cpu" and number):
        raise InputError(
            f"a model runs on cpu, cuda, tensorrt, or a GPU by number as cuda:1, got {device!r}"
        )
    return name, int(number or 0)


def _absent(device: str) -> str:
    return (
        f"{device}: ONNX Runtime does not run the model there; use cpu, or install "
        "onnxruntime-gpu in place of onnxruntime (the extra gpu), and the driver that it asks for"
    )


def _words(shape: tuple[object, ...]) -> str:
    return f"({', '.join(map(str, shape))})"
