"""Models for other programs, made of kernels and weights in files."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kernelgan_fast.errors import InputError
from kernelgan_fast.jobs.kernel_source import ESTIMATE, fixed_kernel, kernel_source
from kernelgan_fast.jobs.resolved_kernel import ResolvedKernel

if TYPE_CHECKING:
    from kernelgan_fast.export.onnx import Exported
    from kernelgan_fast.images import Photo

TASKS = ("downscale", "sr")


def export_model(
    task: str,
    *,
    method: str = "unfold",
    kernel: str | os.PathLike[str] | None = None,
    size: int | None = None,
    scale: int = 2,
    noise: float | None = None,
    weights: str | os.PathLike[str] | None = None,
    photo: str | os.PathLike[str] | None = None,
    iterations: int | None = None,
    seed: int = 0,
    precision: str = "float32",
    out: str | os.PathLike[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Exported:
    """Write a model as an ONNX file.

    Args:
        task: "downscale" or "sr".
        method: of "sr": "unfold", "zssr" or "srmd".
        kernel: a file, FILE:INDEX or "bicubic", to bake in; of "zssr" also "estimate", the
            photo's own by its spectrum, which it takes if None.
        size: of a kernel that is an input; one of both must be given.
        scale: 2 or 4.
        noise: to bake in with the kernel, standard deviation in grey levels of 255.
        weights: a file for "unfold", the package's own if None, or "srmd".
        photo: a file for "zssr", which learns from it.
        iterations, seed: of "zssr".
        precision: "float32" or "float16".
        out: the file; "downscale_x2.onnx", "unfold_x4.onnx" and so on in this folder if None.
        progress: called with the steps of training done and their number; may raise to stop.

    Returns:
        What is in place, and its largest difference from PyTorch.

    Raises:
        ImageError: the photo cannot be used.
        InputError: an argument cannot be used, or the packages of the extra `onnx` are missing.
        TrainingDiverged: the training failed.
        OutputError: the model does not do what PyTorch does, or could not be written.
    """
    if task not in TASKS:
        raise InputError(f"what to export must be {' or '.join(TASKS)}, got {task!r}")
    if photo is not None and (task, method) != ("sr", "zssr"):
        raise InputError(f"only zssr learns from a photo, got one for {method}; leave it out")
    from kernelgan_fast.export.onnx import export_downscale, export_sr

    if task == "downscale":
        baked = None if kernel is None else fixed_kernel(kernel, scale).kernel
        path = Path(f"downscale_x{scale}.onnx" if out is None else out)
        return export_downscale(path, kernel=baked, size=size, scale=scale, precision=precision)
    from kernelgan_fast.images import read_image
    from kernelgan_fast.sr.zssr import ITERATIONS

    read = None if photo is None else read_image(photo)
    applied = _applied(kernel, scale, read if size is None else None)
    steps = iterations or ITERATIONS

    def report(part: float) -> None:
        if progress is not None:
            progress(round(part * steps), steps)

    done = export_sr(
        Path(f"{method}_x{scale}.onnx" if out is None else out),
        method=method,
        kernel=None if applied is None else applied.kernel,
        size=size,
        scale=scale,
        noise=noise,
        kernel_error=0.0 if applied is None or size is not None else applied.error,
        weights_file=weights,
        photo=None if read is None else read.pixels,
        iterations=iterations,
        seed=seed,
        precision=precision,
        progress=report,
    )
    notes = (*(read.notes if read else ()), *(applied.notes if applied else ()))
    return replace(done, notes=notes)


def _applied(
    kernel: str | os.PathLike[str] | None, scale: int, photo: Photo | None
) -> ResolvedKernel | None:
    if photo is not None:
        source = kernel_source(ESTIMATE if kernel is None else kernel, scale)
        return source.of(photo, Path(photo.source).stem)
    return None if kernel is None else fixed_kernel(kernel, scale)


def engine_of(model: Path, flavour: str, folder: str | os.PathLike[str] | None = None) -> Path:
    """Build the TensorRT engine of a model, or find it; see `export.tensorrt.build_engine`.

    Raises:
        InputError: the package is missing, or it cannot read the model.
        DeviceUnavailable: TensorRT finds no GPU.
        OutputError: the engine cannot be kept in the folder.
    """
    from kernelgan_fast.export.tensorrt import build_engine

    return build_engine(model, flavour, folder=folder).path
