"""Fixtures for all tests, and the state that every test starts from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

# OpenBLAS and OpenMP read these when NumPy and PyTorch are loaded, here and in child processes.
# Small arrays gain nothing from threads, and threads that wait for each other slow a busy machine.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"

import numpy as np
import pytest
from numpy.typing import NDArray


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of photos and kernels beside the project, which not every checkout has."""
    folder = Path(__file__).resolve().parents[1].parent / "shared"
    if not folder.is_dir():
        pytest.skip(f"needs the data in {folder}")
    return folder


@pytest.fixture(scope="session")
def golden() -> Path:
    """The folder of committed reference results."""
    return Path(__file__).parent / "golden"


@pytest.fixture(autouse=True)
def _same_start() -> None:
    """PyTorch with one thread and its global generator at one seed, whatever ran before."""
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture
def pixels() -> NDArray[Any]:
    """A small photo of 8 bits: (24, 30, 3) random uint8."""
    return np.random.default_rng(0).integers(0, 256, (24, 30, 3)).astype(np.uint8)


@pytest.fixture
def deep() -> NDArray[Any]:
    """A small photo of 16 bits with alpha: (24, 30, 4) random uint16."""
    return np.random.default_rng(1).integers(0, 65536, (24, 30, 4)).astype(np.uint16)
