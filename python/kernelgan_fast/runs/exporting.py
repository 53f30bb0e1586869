"""Models for other programs, made of kernels and weights in files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from kernelgan_fast.errors import InputError
from kernelgan_fast.runs.kernel_source import fixed_kernel

if TYPE_CHECKING:
    from kernelgan_fast.export.onnx import Exported

TASKS = ("downscale", "sr")


def export_model(
    task: str,
    *,
    kernel: str | os.PathLike[str] | None = None,
    size: int | None = None,
    scale: int = 2,
    noise: float | None = None,
    weights: str | os.PathLike[str] | None = None,
    precision: str = "float32",
    out: str | os.PathLike[str] | None = None,
) -> Exported:
    """Write a model as an ONNX file.

    Args:
        task: "downscale" or "sr", which is the method "unfold".
        kernel: a file, FILE:INDEX or "bicubic", to bake in.
        size: of a kernel that is an input; one of both must be given.
        scale: 2 or 4.
        noise: to bake in with the kernel, standard deviation in grey levels of 255.
        weights: a file for "unfold"; the package's own if None.
        precision: "float32" or "float16".
        out: the file; "downscale_x2.onnx", "unfold_x4.onnx" and so on in this folder if None.

    Returns:
        What is in place, and its largest difference from PyTorch.

    Raises:
        InputError: an argument cannot be used, or the packages of the extra `onnx` are missing.
        OutputError: the model does not do what PyTorch does, or could not be written.
    """
    if task not in TASKS:
        raise InputError(f"what to export must be {' or '.join(TASKS)}, got {task!r}")
    baked = None if kernel is None else fixed_kernel(kernel, scale).kernel
    from kernelgan_fast.export.onnx import export_downscale, export_sr

    name = "downscale" if task == "downscale" else "unfold"
    path = Path(f"{name}_x{scale}.onnx" if out is None else out)
    if task == "downscale":
        return export_downscale(path, kernel=baked, size=size, scale=scale, precision=precision)
    return export_sr(
        path,
        kernel=baked,
        size=size,
        scale=scale,
        noise=noise,
        weights_file=weights,
        precision=precision,
    )


def engine_of(model: Path, flavour: str, folder: str | os.PathLike[str] | None = None) -> Path:
    """Build the TensorRT engine of a model, or find it; see `export.tensorrt.build_engine`.

    Raises:
        InputError: the package is missing, or it cannot read the model.
        DeviceUnavailable: TensorRT finds no GPU.
        OutputError: the engine cannot be kept in the folder.
    """
    from kernelgan_fast.export.tensorrt import build_engine

    return build_engine(model, flavour, folder=folder).path
