"""What every test may ask for."""

from __future__ import annotations

from pathlib import Path

import pytest


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
