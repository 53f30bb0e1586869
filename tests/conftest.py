"""What every test may ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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


@pytest.fixture(scope="session", autouse=True)
def _one_torch_thread() -> None:
    """Small tensors gain nothing from threads, and a busy machine loses much to them."""
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)


@pytest.fixture
def pixels() -> NDArray[Any]:
    """A small photo of 8 bits: (24, 30, 3) random uint8."""
    return np.random.default_rng(0).integers(0, 256, (24, 30, 3)).astype(np.uint8)


@pytest.fixture
def deep() -> NDArray[Any]:
    """A small photo of 16 bits with alpha: (24, 30, 4) random uint16."""
    return np.random.default_rng(1).integers(0, 65536, (24, 30, 4)).astype(np.uint16)
