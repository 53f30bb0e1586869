"""Models as ONNX files, put in place once ONNX and a comparison with PyTorch approve of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray

from kernelgan_fast.errors import InputError
from kernelgan_fast.export.downscale import downscale_model
from kernelgan_fast.export.methods import MAKERS, Wanted
from kernelgan_fast.export.parity import check
from kernelgan_fast.files import atomic_write
from kernelgan_fast.kernels import BlurKernel, target_centre
from kernelgan_fast.ops import reference
from kernelgan_fast.runtime.extras import required
from kernelgan_fast.sr import LEARNING
from kernelgan_fast.sr.upscaler import Options

PRECISIONS = ("float32", "float16")
METHODS = tuple(MAKERS)

_LARGEST_KERNEL = 63
_SCALES = (2, 4)


@dataclass(frozen=True)
class Exported:
    """A model in place.

    Attributes:
        path: the file.
        size: bytes.
        difference: the largest from PyTorch, of results in [0, 1].
        notes: what the user should know.
    """

    path: Path
    size: int
    difference: float
    notes: tuple[str, ...] = ()


def export_downscale(
    path: str | os.PathLike[str],
    *,
    kernel: BlurKernel | None = None,
    size: int | None = None,
    scale: int = 2,
    precision: str = "float32",
) -> Exported:
    """Write the downscaler LR = correlate(HR, kernel)[::scale, ::scale] as an ONNX file.

    Args:
        path: the file; an old one is replaced.
        kernel: to bake in, of either scale.
        size: of a kernel that is an input, odd; one of both must be given.
        scale: of a kernel that is an input.
        precision: "float32" or "float16".

    Raises:
        InputError: an argument cannot be used, or onnx or onnxruntime is missing.
        OutputError: the model does not do what PyTorch does, or could not be written.
    """
    scale, size = _checked(kernel, size, scale, precision)
    content = downscale_model(kernel, size, scale, precision)
    tried = kernel or _example(size, scale)
    taps = tried.array.astype(np.float32)
    difference = check(
        content,
        lambda image: reference.downscale(image, torch.from_numpy(taps)[None], scale),
        {} if kernel else {"kernel": taps},
        precision,
    )
    return _placed(path, content, difference)


def export_sr(
    path: str | os.PathLike[str],
    *,
    method: str = "unfold",
    kernel: BlurKernel | None = None,
    size: int | None = None,
    scale: int = 2,
    noise: float | None = None,
    kernel_error: float = 0.0,
    compression: float = 0.0,
    weights_file: str | os.PathLike[str] | None = None,
    photo: NDArray[Any] | None = None,
    iterations: int | None = None,
    seed: int = 0,
    precision: str = "float32",
    progress: Callable[[float], None] | None = None,
) -> Exported:
    """Write a method of super-resolution as an ONNX file.

    Args:
        path: the file; an old one is replaced.
        method: one of `METHODS`.
        kernel: to bake in, of either scale; the model is then a plain one from photo to photo.
        size: of a kernel that is an input, odd; one of both must be given. The noise and the
            kernel's error are inputs then too. Only "unfold" can have them as inputs.
        scale: of a kernel that is an input.
        noise, kernel_error, compression: To build in with the kernel; as in `Options`.
        weights_file: for "unfold", the package's own if None, or "srmd".
        photo: for "zssr", which is trained on it: (H, W, 3) uint8, or float32 in [0, 1].
        iterations, seed: of the training; as in `Options`.
        precision: "float32" or "float16", of the network; data steps are always float32.
        progress: of the training; called with the part that is done, may raise to stop.

    Raises:
        InputError: an argument cannot be used, or onnx or onnxruntime is missing.
        ImageError: the photo is too small to learn from.
        TrainingDiverged: the training failed.
        OutputError: the model does not do what PyTorch does, or could not be written.
    """
    if method not in METHODS:
        raise InputError(f"methods that can be exported are {', '.join(METHODS)}, got {method!r}")
    if noise is not None and not 0 <= noise <= 255:
        raise InputError(f"noise must be 0 to 255 grey levels, got {noise:g}")
    if kernel is None and (noise is not None or kernel_error or compression):
        raise InputError("noise is an input of a model that takes kernels; leave it out")
    if method not in LEARNING and (photo is not None or iterations is not None):
        raise InputError(
            f"only {' and '.join(LEARNING)} learns from a photo, got a photo or iterations for "
            f"{method}; leave them out"
        )
    if method in LEARNING and photo is None:
        raise InputError(f"{method} learns from a photo, got none; give one, with --photo")
    if iterations is not None and iterations < 1:
        raise InputError(f"iterations must be at least 1, got {iterations}")
    scale, size = _checked(kernel, size, scale, precision)
    for module in ("onnx", "onnxruntime"):
        required(module, "onnx")  # known before minutes of training
    options = Options(
        noise=noise,
        kernel_error=kernel_error,
        compression=compression,
        iterations=iterations,
        seed=seed,
        weights=None if weights_file is None else Path(weights_file),
        progress=progress,
    )
    tried = kernel or _example(size, scale)
    ready = MAKERS[method](Wanted(tried, kernel is not None, precision, options, photo))
    return _placed(path, ready.content, check(*ready, precision))


def _checked(
    kernel: BlurKernel | None, size: int | None, scale: int, precision: str
) -> tuple[int, int]:
    """The scale and the kernel's size."""
    if precision not in PRECISIONS:
        raise InputError(f"the precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
    if (kernel is None) == (size is None):
        got = "neither" if kernel is None else "both"
        raise InputError(
            f"a model has a kernel built in or as an input of some size, got {got}; give --kernel, "
            "or --size"
        )
    if kernel is not None:
        scale, size = kernel.scale, kernel.size
    if scale not in _SCALES:
        raise InputError(f"the scale must be 2 or 4, got {scale}")
    assert size is not None
    if not 3 <= size <= _LARGEST_KERNEL or size % 2 == 0:
        raise InputError(f"the kernel's size must be odd, 3 to {_LARGEST_KERNEL}, got {size}")
    return scale, size


def _example(size: int, scale: int) -> BlurKernel:
    """A Gaussian that is not symmetric, to try a model with whose kernel is an input."""
    rows, columns = np.indices((size, size)) - target_centre(size, scale)
    wide, narrow = size / 6, size / 9
    leaning = rows * columns / (2 * wide * narrow)
    gaussian = np.exp(-((rows / wide) ** 2 + (columns / narrow) ** 2 - leaning) / 2)
    return BlurKernel(gaussian / gaussian.sum(), scale)


def _placed(path: str | os.PathLike[str], content: bytes, difference: float) -> Exported:
    def write(stream: BinaryIO) -> None:
        stream.write(content)

    atomic_write(path, write)
    return Exported(Path(path), len(content), difference)
