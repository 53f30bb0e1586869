"""What the targets of kernel files share: a kernel to begin with, and what must hold."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from fuzz.outcomes import RejectedInput, check, may_refuse
from numpy.typing import NDArray

from kernelgan_fast.jobs.kernel_source import fixed_kernel
from kernelgan_fast.kernels import load
from kernelgan_fast.kernels.blur_kernel import BlurKernel

# Far above what anyone uses; without a limit the arithmetic overflows.
_LARGEST_SIZE, _LARGEST_SCALE = 1000, 100


def gaussian(size: int = 7, width: float = 1.3) -> NDArray[np.float64]:
    """A round kernel, (size, size), that sums to 1."""
    places = np.arange(size) - size // 2 - 0.5
    taps = np.exp(-0.5 * (places / width) ** 2)
    return np.outer(taps, taps) / taps.sum() ** 2


def run_kernel(data: bytes, suffix: str) -> None:
    """Read a kernel file in the ways that `upscale` and users of the package do."""
    path = Path(f"fuzzed{suffix}")
    path.write_bytes(data)
    uses: list[Callable[[], BlurKernel]] = [
        *(
            partial(load, path, scale=scale, index=index)
            for scale, index in ((None, None), (2, None), (2, 0), (4, 1))
        ),
        *(lambda name=name: fixed_kernel(name, 2).kernel for name in (str(path), f"{path}:0")),
    ]
    refusals = []
    for use in uses:
        try:
            with may_refuse(path.name):
                _check(use())
        except RejectedInput as refusal:
            refusals.append(refusal)
    if len(refusals) == len(uses):
        raise refusals[0]


def _check(kernel: BlurKernel) -> None:
    check(np.isfinite(kernel.array).all(), "the kernel is not finite")
    check(kernel.array.ndim == 2 and 1 <= kernel.size <= _LARGEST_SIZE, f"{kernel.array.shape}")
    check(abs(float(kernel.array.sum()) - 1) < 1e-5, f"the kernel sums to {kernel.array.sum()}")
    check(1 <= kernel.scale <= _LARGEST_SCALE, f"scale {kernel.scale}")
    check(np.isfinite(kernel.centre_of_mass).all(), f"its centre is {kernel.centre_of_mass}")
    check(np.isfinite(kernel.widths).all(), f"its widths are {kernel.widths}")
