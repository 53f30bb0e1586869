"""Where the ops of these tests run: every SIMD level of the CPU, and a GPU where there is one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from kernelgan_fast.ops import native

LEVELS = native.info()["simd_levels"]


def why_no_gpu() -> str | None:
    """What a GPU test lacks here; None where it can run."""
    if torch.version.cuda is None:
        return "needs a GPU: this torch is built without CUDA"
    if not torch.cuda.is_available():
        return "needs a GPU: torch sees none"
    if native.info()["cuda"] is None:
        return "needs CUDA kernels: this build of the extension has none"
    return None


@pytest.fixture
def gpu() -> torch.device:
    """The GPU; skips where there is none."""
    missing = why_no_gpu()
    if missing is not None:
        pytest.skip(missing)
    return torch.device("cuda", torch.cuda.current_device())


@pytest.fixture(params=[*LEVELS, "cuda"])
def device(request: pytest.FixtureRequest) -> Iterator[torch.device]:
    """The CPU at each of its SIMD levels, then the GPU."""
    if request.param == "cuda":
        yield request.getfixturevalue("gpu")
    else:
        with native.simd(request.param):
            yield torch.device("cpu")
