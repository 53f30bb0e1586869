"""Kernels in .json files."""

from __future__ import annotations

import functools
import json
from pathlib import Path

from fuzz.json_edits import json_edited as structured
from fuzz.kernel_files import gaussian, run_kernel

from kernelgan_fast.kernels import BlurKernel, save

__all__ = ["run", "seeds", "structured"]


@functools.cache
def seeds() -> list[bytes]:
    """As the package writes it, the least that it reads, and a stack."""
    path = Path("seed.json")
    save(BlurKernel(gaussian(), 2, provenance={"method": "none", "seeds": [0]}), path)
    rows = gaussian(5).tolist()
    least = {"kernel": rows, "scale": 2}
    stack = {"kernel": [rows, rows], "scale": 4}
    return [path.read_bytes(), json.dumps(least).encode(), json.dumps(stack).encode()]


def run(data: bytes) -> None:
    """Read it as a kernel."""
    run_kernel(data, ".json")
