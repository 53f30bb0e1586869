"""What workers get and what becomes of a lost one's share, without Ray."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from quick import QUICK

from kernelgan_fast.errors import (
    ConfigError,
    DeviceUnavailable,
    InputError,
    OutputError,
    WorkerLost,
)
from kernelgan_fast.estimation.options import EstimateOptions, estimate_options
from kernelgan_fast.jobs import ray as our
from kernelgan_fast.jobs.ray import Cluster, Needs, needs_of, share_size, shares_left
from kernelgan_fast.jobs.shares import Share


def settings(**options: Any) -> EstimateOptions:
    return estimate_options(**{"threads": 1, **options})


@pytest.mark.parametrize(
    ("options", "device", "gpus", "needs"),
    [
        ({}, "auto", 0, Needs(1, 0)),
        ({}, "auto", 8, Needs(1, 0)),  # closed form
        ({"profile": QUICK, "threads": 3}, "auto", 8, Needs(3, 1)),
        ({"profile": QUICK}, "cpu", 8, Needs(1, 0)),
        ({"method": "recurrence"}, "auto", 8, Needs(1, 0)),
        ({}, "cuda", 1, Needs(1, 1)),
    ],
)
def test_what_a_worker_gets(options: dict[str, Any], device: str, gpus: int, needs: Needs) -> None:
    assert needs_of(settings(**options), device, gpus) == needs


def test_a_gpu_that_the_cluster_lacks_is_told() -> None:
    with pytest.raises(DeviceUnavailable, match="Ray knows of no GPU there; use --device cpu"):
        needs_of(settings(), "cuda", 0)


@pytest.mark.parametrize(
    ("photos", "options", "gpus", "workers", "size"),
    [
        (1_000_000, {}, 0, 1000, 64),
        (1000, {}, 0, 100, 3),
        (5, {}, 0, 100, 1),
        (5, {}, 0, 0, 2),
        (1000, {"profile": QUICK, "threads": 4}, 0, 10, 4),
        (1000, {"profile": QUICK, "threads": 4, "seeds": 4}, 0, 10, 1),
        (100_000, {"profile": QUICK, "seeds": 3}, 1, 10, 85),
    ],
)
def test_how_many_photos_a_share_has(
    photos: int, options: dict[str, Any], gpus: int, workers: int, size: int
) -> None:
    needs = Needs(options.get("threads", 1), gpus)
    assert share_size(photos, settings(**options), needs, workers) == size


def test_a_share_whose_workers_are_lost_is_taken_apart_and_given_up() -> None:
    photos: Any = {Path("a.png"): "a", Path("b.png"): "b"}
    again, given_up = shares_left(Share(photos))
    assert (again, given_up) == ([Share(photos, 1)], [])
    alone, given_up = shares_left(again[0])
    assert alone == [Share({Path("a.png"): "a"}, 2), Share({Path("b.png"): "b"}, 2)]
    assert given_up == []
    photo = {Path("a.png"): "a"}
    again, given_up = shares_left(Share(photo, our.MOST_LOST - 2))
    assert (again, given_up) == ([Share(photo, our.MOST_LOST - 1)], [])
    assert shares_left(again[0]) == ([], [Path("a.png")])


def test_ray_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"ray must be installed .*'kernelgan-fast\[ray\]'"):
        Cluster(None)


def test_an_address_of_another_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", object())
    with pytest.raises(ConfigError, match="must be host:port"):
        Cluster("ray://head:10001")


@pytest.mark.parametrize("address", ["127.0.0.1:1", "head", "head:ray", "127.0.0.1:99999"])
def test_an_address_where_nobody_answers_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    class Ray:
        @staticmethod
        def is_initialized() -> bool:
            return False

    monkeypatch.setitem(sys.modules, "ray", Ray)
    job: Any = None
    with pytest.raises(ConfigError, match=f"that of a Ray cluster, got '{address}': "):
        next(Cluster(address).outcomes({tmp_path: "a"}, job))


class _Raised(Exception):
    def __init__(self, cause: Exception | None) -> None:
        super().__init__("somewhere\nin a worker")
        self.cause = cause


@pytest.mark.parametrize(
    ("cause", "error", "words"),
    [
        (OutputError("disk full"), OutputError, "disk full"),
        (ImportError("no kernelgan_fast"), WorkerLost, "install the same version everywhere"),
        (ZeroDivisionError("oh"), WorkerLost, "a worker failed: somewhere"),
        (None, WorkerLost, "a worker failed: somewhere"),
    ],
)
def test_what_a_worker_raised(cause: Exception | None, error: type[Exception], words: str) -> None:
    found = our._of_worker(_Raised(cause))
    assert isinstance(found, error) and words in str(found)
