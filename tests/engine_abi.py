"""The C functions of engine.h by ctypes, as a program of another language would call them."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kernelgan_fast import sdk

_FLOAT32 = 2


class Image(ctypes.Structure):
    """kgf_image."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("type", ctypes.c_int32),
        ("height", ctypes.c_int32),
        ("width", ctypes.c_int32),
        ("channels", ctypes.c_int32),
        ("row_stride", ctypes.c_int64),
        ("pixel_stride", ctypes.c_int64),
        ("channel_stride", ctypes.c_int64),
        ("white", ctypes.c_float),
    )


class Options(ctypes.Structure):
    """The fields of kgf_options that a program of the first release knew."""

    _fields_ = (
        ("struct_size", ctypes.c_size_t),
        ("onnxruntime", ctypes.c_char_p),
        ("threads", ctypes.c_int32),
    )


class Engine:
    """A model opened in the C++ engine, with one context."""

    def __init__(self, model: Path, threads: int = 1) -> None:
        self._library = ctypes.CDLL(sdk.get_library())
        self._library.kgf_last_error.restype = ctypes.c_char_p
        self._library.kgf_planar.restype = Image
        self._model, self._context = ctypes.c_void_p(), ctypes.c_void_p()
        runtime = sdk.get_onnxruntime().encode()
        options = Options(ctypes.sizeof(Options), runtime, threads)
        path = str(model).encode()
        self._check("kgf_open", path, ctypes.byref(options), ctypes.byref(self._model))
        self._check("kgf_create_context", self._model, ctypes.byref(self._context))

    def set_kernel(self, taps: NDArray[np.float32]) -> None:
        """Tell the kernel."""
        self._check(
            "kgf_set_kernel", self._context, taps.ctypes.data_as(ctypes.c_void_p), len(taps)
        )

    def set_number(self, name: str, value: float) -> None:
        """Tell the noise, or the kernel's error."""
        self._check("kgf_set_number", self._context, name.encode(), ctypes.c_float(value))

    def run(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the model on (3, h, w) float32, whole."""
        high, wide = ctypes.c_int32(), ctypes.c_int32()
        sides = (*planes.shape[1:], ctypes.byref(high), ctypes.byref(wide))
        self._check("kgf_output_size", self._model, *sides)
        result = np.empty((3, high.value, wide.value), np.float32)
        images = (self._image(planes), self._image(result))
        self._check("kgf_run", self._context, *map(ctypes.byref, images), None)
        return result

    def close(self) -> None:
        """Free what it holds."""
        self._library.kgf_destroy_context(self._context)
        self._library.kgf_close(self._model)

    def _image(self, planes: NDArray[np.float32]) -> Image:
        data = planes.ctypes.data_as(ctypes.c_void_p)
        image: Image = self._library.kgf_planar(data, _FLOAT32, *planes.shape[1:], 3)
        return image

    def _check(self, function: str, *arguments: object) -> None:
        if getattr(self._library, function)(*arguments) != 0:
            raise RuntimeError(self._library.kgf_last_error().decode())
