"""What each method that can be exported becomes: a graph, and what PyTorch does in its place."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernelgan_fast.errors import InputError
from kernelgan_fast.export.srmd import srmd_model
from kernelgan_fast.export.unfold import unfold_model
from kernelgan_fast.export.zssr import zssr_model
from kernelgan_fast.kernels import BlurKernel
from kernelgan_fast.sr import weights
from kernelgan_fast.sr.srmd import Srmd
from kernelgan_fast.sr.tiling import as_tensor
from kernelgan_fast.sr.unfold import Unfold
from kernelgan_fast.sr.upscaler import Options, Upscaler
from kernelgan_fast.sr.zssr import ITERATIONS, ZeroShot


@dataclass(frozen=True)
class Wanted:
    """A model to be made.

    Attributes:
        kernel: to bake in, or one to try the model with.
        baked: whether to bake it in.
        precision: "float32" or "float16".
        options: of the method.
        photo: (H, W, 3) that it learns from.
    """

    kernel: BlurKernel
    baked: bool
    precision: str
    options: Options
    photo: NDArray[Any] | None


class Ready(NamedTuple):
    """A model that was made.

    Attributes:
        content: of the file.
        upscaler: that it must equal.
        told: inputs of the model besides `image`, as the upscaler was told them.
    """

    content: bytes
    upscaler: Upscaler
    told: Mapping[str, NDArray[np.float32]]


def _unfold(wanted: Wanted) -> Ready:
    kernel, options = wanted.kernel, wanted.options
    network, _ = weights.load(options.weights)
    told: dict[str, NDArray[np.float32]] = {}
    if not wanted.baked:
        options = replace(options, noise=1.5, kernel_error=0.2, compression=0.3)
        told = {
            "kernel": kernel.array.astype(np.float32),
            "noise": np.array([options.noise], np.float32),
            "kernel_error": np.array([options.kernel_error], np.float32),
            "compression": np.array([options.compression], np.float32),
        }
    content = unfold_model(
        network,
        kernel if wanted.baked else None,
        kernel.size,
        kernel.scale,
        options=options,
        precision=wanted.precision,
        about=_digest(options.weights or weights.shipped()),
        ours=options.weights is None,
    )
    return Ready(content, Unfold(kernel, options), told)


def _zssr(wanted: Wanted) -> Ready:
    if not wanted.baked:
        raise InputError(
            "the network of zssr is trained for one kernel, which cannot be an input, got a size; "
            "give the kernel instead"
        )
    assert wanted.photo is not None
    options = wanted.options
    if options.weights is not None:
        raise InputError(
            f"zssr makes weights of its own, got {options.weights}; leave the weights out"
        )
    upscaler = ZeroShot(wanted.kernel, options, as_tensor(wanted.photo))
    about = {
        "noise": options.noise or 0.0,
        "photo": f"sha256 {hashlib.sha256(wanted.photo.tobytes()).hexdigest()}",
        "iterations": options.iterations or ITERATIONS,
        "seed": options.seed,
    }
    content = zssr_model(upscaler, wanted.kernel, wanted.precision, about)
    return Ready(content, upscaler, {})


def _srmd(wanted: Wanted) -> Ready:
    if not wanted.baked:
        raise InputError(
            "the blur that srmd is told is fitted to the kernel, which no graph can, so that the "
            "kernel cannot be an input, got a size; give the kernel instead"
        )
    upscaler = Srmd(wanted.kernel, wanted.options)
    assert wanted.options.weights is not None
    about = _digest(wanted.options.weights)
    content = srmd_model(upscaler, wanted.kernel, wanted.precision, about)
    return Ready(content, upscaler, {})


MAKERS: Mapping[str, Callable[[Wanted], Ready]] = {"unfold": _unfold, "zssr": _zssr, "srmd": _srmd}


def _digest(file: Path) -> str:
    return f"sha256 {hashlib.sha256(file.read_bytes()).hexdigest()}"
