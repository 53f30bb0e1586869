"""Object storage in this process's memory, and photos in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from quick import environment

DATA = Path(__file__).resolve().parents[1] / "data"
PHOTOS = ("perched-osprey_112x112.png", "roman-colosseum_160x112.png")


@pytest.fixture
def memory() -> Iterator[Any]:
    """fsspec's storage in memory, with two photos in memory://photos."""
    fsspec = pytest.importorskip("fsspec")
    storage = fsspec.filesystem("memory")
    storage.store.clear()
    storage.pseudo_dirs[:] = [""]
    for name, photo in zip(("a.png", "b.png"), PHOTOS, strict=True):
        storage.pipe_file(f"/photos/{name}", (DATA / photo).read_bytes())
    yield storage
    storage.store.clear()
    storage.pseudo_dirs[:] = [""]


@pytest.fixture(scope="session")
def head() -> Iterator[Any]:
    """A Ray cluster of one machine with one CPU."""
    pytest.importorskip("ray", reason="needs the extra ray")
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        options = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 80 << 20}
        cluster = Cluster(initialize_head=True, head_node_args=options)
        yield cluster
        cluster.shutdown()
