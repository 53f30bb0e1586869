"""What the extension is and how it runs: build record, threads, instruction set."""

from __future__ import annotations

from collections.abc import Iterator
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
    }


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
