"""What the extension is and how it runs: build record, threads, instruction set, CUDA."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from kernelgan_fast.ops.library.registry import native


def supports(dtype: torch.dtype) -> bool:
    """Whether the extension was built for this dtype (float32 always, float64 for tests)."""
    return dtype == torch.float32 or (dtype == torch.float64 and native.float64)


def info() -> dict[str, Any]:
    """Version, build switches and run-time choices of the extension, for people to read."""
    return {
        "version": native.version,
        "build": native.build_info,
        "simd": native.simd_level(),
        "simd_levels": native.simd_levels(),
        "float64": native.float64,
        "threads": native.num_threads(),
        **_cuda_info(),
    }


def _cuda_info() -> dict[str, Any]:
    """Toolkit and architectures of the CUDA kernels; None and [] where none were built."""
    switches = dict(switch.split("=", 1) for switch in native.build_info.split())
    built = switches["cuda"] != "OFF"
    return {
        "cuda": switches["cuda"] if built else None,
        "cuda_architectures": switches["cuda_architectures"].split(",") if built else [],
    }


def runs_on(capability: tuple[int, int], architectures: Sequence[str]) -> bool:
    """Whether kernels built for some architectures run on a GPU.

    Args:
        capability: of the GPU, (9, 0) for an H100.
        architectures: as CMake names them: 90-real (machine code, for this and later GPUs of the
            same major number), 90-virtual (compiled by the driver, for all later ones), 90 (both).
    """
    number = 10 * capability[0] + capability[1]
    for architecture in architectures:
        built, _, kind = architecture.partition("-")
        digits = int(re.sub(r"\D", "", built))
        if kind != "virtual" and digits // 10 == capability[0] and digits <= number:
            return True
        if kind != "real" and digits <= number:
            return True
    return False


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Lets the ops use ``count`` threads (the caller included) inside a ``with`` block."""
    before = native.num_threads()
    native.set_num_threads(count)
    try:
        yield
    finally:
        native.set_num_threads(before)


@contextmanager
def simd(level: str) -> Iterator[None]:
    """Runs the ops on another of ``info()["simd_levels"]`` inside a ``with`` block."""
    before = native.simd_level()
    native.set_simd_level(level)
    try:
        yield
    finally:
        native.set_simd_level(before)


@contextmanager
def cuda_matmul(precision: str) -> Iterator[None]:
    """Lets GPUs multiply matrices in "float32" or "tf32" inside a ``with`` block."""
    before = native.cuda_matmul()
    native.set_cuda_matmul(precision)
    try:
        yield
    finally:
        native.set_cuda_matmul(before)
