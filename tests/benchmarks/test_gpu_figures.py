"""What the GPU benchmark reckons and prints, and that it runs through, without a GPU."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from cases import CASES
from kernelgan_fast.gan.config import profile
from kernelgan_fast.ops import native

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
CONFIG = profile("corrected")


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The benchmark, on the CPU and with few, small trainings."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    before = set(sys.modules)
    bench = importlib.import_module("bench_gpu")
    monkeypatch.setattr(bench, "DEVICE", "cpu")
    monkeypatch.setattr(bench, "CONFIG", CONFIG.replace(features=8, iterations=3))
    yield bench
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and name in (
            "bench_gpu",
            "floor",
            "literal",
            "measure",
        ):
            del sys.modules[name]


def test_the_floor(bench: ModuleType) -> None:
    floor = importlib.import_module("floor")
    # 88 M multiply-adds of the discriminator and 1.1 M of one composition, as reckoned by hand.
    assert floor.composition(CONFIG) == pytest.approx(1.12e6, rel=1e-2)
    assert floor.operations(CONFIG) == pytest.approx(
        2 * 88.4e6 + 6 * 1.12e6 + 8 * 0.343e6, rel=2e-3
    )
    assert floor.bytes_moved(CONFIG) == pytest.approx(32 * 181_633, rel=0.05)
    least = floor.floor(CONFIG, flops=1e12, bandwidth=1e15)
    assert least["seconds_a_photo"] == pytest.approx(3000 * floor.operations(CONFIG) / 1e12)
    assert floor.floor(CONFIG, flops=1e18, bandwidth=1e9)["seconds_a_photo"] == pytest.approx(
        18, rel=0.1
    )
    assert floor.peak(132, (9, 0), 1980) == pytest.approx(66.9e12, rel=1e-3)
    assert floor.peak(132, (3, 5), 1980) is None


@pytest.mark.parametrize("op", [op for op in CASES if op != "downscale"])
def test_many_problems_are_one_many_times(bench: ModuleType, op: str) -> None:
    case = next(case for case in CASES[op] if case.published)
    arguments = case.make(torch.Generator().manual_seed(0), torch.float32)
    many = {name: bench.enlarged(name, value, 3) for name, value in arguments.items()}

    def first(result: Any) -> torch.Tensor:
        return result[0] if isinstance(result, tuple) else result

    one, three = first(getattr(native, op)(**arguments)), first(getattr(native, op)(**many))
    axis = 1 if op in ("sample_crops", "gaussian_noise") else 0
    assert torch.equal(torch.cat([one] * 3, dim=axis), three)


def test_it_runs_through(
    bench: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    card = {
        "is_available": lambda: True, "synchronize": lambda: None,
        "reset_peak_memory_stats": lambda: None, "max_memory_reserved": lambda: 1 << 30,
    }  # fmt: skip
    for name, value in card.items():
        monkeypatch.setattr(torch.cuda, name, value)
    monkeypatch.setattr(bench, "BATCHES", (1, 2))
    monkeypatch.setattr(bench, "OPS_AT", (1,))
    monkeypatch.setattr(bench, "gpu", lambda: {"gpu": "none"})
    monkeypatch.setattr(bench, "time_literal", lambda iterations, device: {"wall_ms": 100.0})
    timed = {"median": 2e-6, "min": 1e-6, "max": 3e-6}

    def repeat_on_gpu(call: Any, **options: Any) -> dict[str, Any]:
        call()
        return {"replayed": timed, "queued": timed}

    monkeypatch.setattr(bench, "repeat_on_gpu", repeat_on_gpu)
    monkeypatch.setattr(bench, "FEW_AND_MANY", (2, 4))
    monkeypatch.setattr(
        bench,
        "ceilings",
        lambda: {"flops": 5e13, "bandwidth": 2e12, "flops_of_the_data_sheet": None},
    )
    out = tmp_path / "gpu.json"
    monkeypatch.setattr(sys, "argv", ["bench_gpu.py", "--rounds", "2", "--out", str(out)])
    assert bench.main() == 0
    document = json.loads(out.read_text())
    assert document["machine"]["gpu"] == "none"
    assert {"photo", "batches", "ops", "floor", "ceilings"} <= set(document)
    shown = capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["bench_gpu.py", "--show", str(out)])
    assert bench.main() == 0
    lines = capsys.readouterr().out
    assert lines in shown
    for words in ("one photo, float32", "literal / ours", "2 problems, tf32", "floor / best"):
        assert words in lines


def test_without_a_gpu_it_says_so(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["bench_gpu.py"])
    assert bench.main() == 3
    assert "no GPU" in capsys.readouterr().err
