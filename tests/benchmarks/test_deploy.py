"""The deployment benchmark runs through, on small frames and a tiny network."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from models import write_weights

from kernelgan_fast.errors import DeviceUnavailable

pytest.importorskip("onnxruntime")


@pytest.fixture
def bench(
    script: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ModuleType:
    bench = script("bench_deploy")
    weights = write_weights(tmp_path / "tiny.safetensors")
    monkeypatch.setattr("kernelgan_fast.sr.weights.shipped", lambda: weights)
    frames = {"480p_x2": (40, 32, 2), "240p_x4": (24, 20, 4), "1080p_x2": (48, 40, 2)}
    monkeypatch.setattr(bench, "FRAMES", frames)
    monkeypatch.setattr(bench, "LARGE", (64, 48))
    beside, repeat = bench.beside, bench.repeat

    def one_round(*works: object, **more: object) -> dict[str, object]:
        return beside(*works, **{**more, "seconds": 0, "least": 1})

    monkeypatch.setattr(bench, "beside", one_round)
    monkeypatch.setattr(bench, "repeat", lambda work, **more: repeat(work, runs=1))
    return bench


def test_it_runs_through(
    bench: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[str] = []

    def build(path: Path, flavour: str, *, folder: Path) -> SimpleNamespace:
        assert (path.is_file(), flavour) == (True, "tensorrt-rtx")
        built.append(path.stem)
        return SimpleNamespace(path=path, cached=built.count(path.stem) > 1)

    monkeypatch.setattr("kernelgan_fast.export.tensorrt.build_engine", build)
    find = bench.importlib.util.find_spec
    monkeypatch.setattr(
        bench.importlib.util,
        "find_spec",
        # PyTorch looks for modules too, and asks for their origin.
        lambda name, *more: find("json" if name.startswith("tensorrt") else name, *more),
    )
    out = tmp_path / "out.json"
    monkeypatch.setattr(sys, "argv", ["bench_deploy", "--out", str(out)])
    threads = torch.get_num_threads()
    try:
        bench.main()
    finally:
        torch.set_num_threads(threads)
    found = json.loads(out.read_text())
    assert found["benchmark"] == "deploy" and found["machine"]["torch"] == torch.__version__
    rows = found["frames"]
    assert {name for name, row in rows.items() if "ratio" in row} == {"480p_x2", "240p_x4"}
    assert all(row["frames_a_second"] > 0 and row["cpu"]["median"] > 0 for row in rows.values())
    assert (
        set(found["downscale"]) == {"x2", "x4"} and found["downscale"]["x2"]["ratio"]["median"] > 0
    )
    assert set(found["open"]) == {"unfold_x2", "downscale_x2"}
    assert found["tensorrt"]["unfold_x2"]["found_again"]["wall"]["median"] >= 0
    assert ("gpu" in found) == torch.cuda.is_available()


def test_parts_that_there_are_not(bench: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["bench_deploy", "--only", "frames,_model"])
    with pytest.raises(SystemExit):
        bench.main()


def test_without_tensorrt_it_says_so(bench: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.importlib.util, "find_spec", lambda name: None)
    parts = bench.Bench(Path("none"), 1, 1)
    assert parts.tensorrt() == {"left_out": "tensorrt-rtx is not installed"}


def test_frames_on_a_gpu_without_its_provider(
    bench: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytorch = bench.Bench._pytorch
    asked = []

    def on_the_cpu(self: object, frame: object, scale: int, device: str, *, compiled: bool) -> Any:
        asked.append((device, compiled))
        return pytorch(self, frame, scale, "cpu")

    def absent(self: object, frame: object, scale: int, device: str) -> None:
        raise DeviceUnavailable(f"{device}: not there")

    monkeypatch.setattr(bench.Bench, "_pytorch", on_the_cpu)
    monkeypatch.setattr(bench.Bench, "_model", absent)
    found = bench.Bench(tmp_path, 1, 1).gpu()
    assert asked == [("cuda", False), ("cuda", True)] * 3
    for row in found.values():
        assert row["onnxruntime"] == {"left_out": "cuda: not there"}
        assert row["eager"]["frames_a_second"] > 0
