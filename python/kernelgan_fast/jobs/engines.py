"""A model file in the place of a method of super-resolution: what fits it and what does not."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from kernelgan_fast.errors import InputError
from kernelgan_fast.jobs.kernel_source import ESTIMATE, kernel_source
from kernelgan_fast.jobs.resolved_kernel import KernelSource, ResolvedKernel

if TYPE_CHECKING:
    from kernelgan_fast.kernels.blur_kernel import BlurKernel
    from kernelgan_fast.runtime.engine import Engine


def open_engine(
    path: str | os.PathLike[str],
    only_methods: Mapping[str, object],
    precision: str,
    device: str,
    threads: int | None,
) -> Engine:
    """Open a model that enlarges photos.

    Args:
        path: the file.
        only_methods: options by name that a model has no use for; all must be None.
        precision: must be left at "auto": the model has its own.
        device, threads: see `runtime.session.Session`.

    Raises:
        InputError: such an option was given, or the model cannot be used.
        DeviceUnavailable: it would not run on the device.
    """
    given = [name for name, value in only_methods.items() if value is not None]
    if precision != "auto":
        given.append("precision")
    if given:
        raise InputError(
            f"an engine is a finished model, got {' and '.join(given)} too; leave that out, or "
            "export another model"
        )
    from kernelgan_fast.runtime.engine import Engine

    return Engine(path, device=device, threads=threads)


def kernels_of_engine(
    engine: Engine,
    kernel: str | os.PathLike[str] | BlurKernel,
    scale: int | None,
    noise: float | str | None,
) -> tuple[int, KernelSource]:
    """Find the scale and the kernels that photos are enlarged with.

    Args:
        engine: the model.
        kernel: as `kernel_source` takes it; must be left at "estimate" where the model has one.
        scale: must be the model's, or None.
        noise: must be None where the model has a kernel, and with it its noise.

    Raises:
        InputError: the model and the options contradict each other.
    """
    metadata = engine.metadata
    if scale is not None and scale != metadata.scale:
        raise InputError(
            f"the model enlarges {metadata.scale} times, got scale {scale}; leave the scale out, "
            "or export another model"
        )
    if metadata.kernel is None:
        return metadata.scale, kernel_source(kernel, metadata.scale)
    if kernel != ESTIMATE or noise is not None:
        raise InputError(
            "the model has its kernel and its noise built in; leave both out, or export a model "
            "that takes them, with --size"
        )
    from kernelgan_fast.kernels.blur_kernel import BlurKernel

    built_in = ResolvedKernel(BlurKernel(metadata.kernel, metadata.scale), "the model's kernel")
    source = KernelSource(
        built_in.label,
        lambda photo, name, analysis=None: built_in,
        lambda photo, name: engine.identity,
    )
    return metadata.scale, source
