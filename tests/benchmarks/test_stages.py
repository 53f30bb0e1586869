"""The run-time benchmark: what its stages do, how rounds are reckoned, what is written."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from cases import CASES

# They make a model first, which has tests of its own, or search for long.
LONG = ("downscale onnx", "upscale unfold onnx", "recurrence", "upscale zssr", "start")


@pytest.fixture
def stages(script: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The stages, of small photos and short trainings."""
    stages = script("stages")
    monkeypatch.setattr(stages, "LARGE", (128, 96))
    monkeypatch.setattr(stages, "SMALL", (32, 24))
    monkeypatch.setattr(stages, "ITERATIONS", 5)
    return stages


def test_every_stage_does_its_work(stages: ModuleType, tmp_path: Path) -> None:
    bench = stages.Bench(tmp_path)
    made: dict[str, Any] = {}
    for name, stage in stages.stages().items():
        assert stage.yardstick in stages.YARDSTICKS and stage.slow == (
            name in ("upscale zssr", "recurrence")
        )
        if name not in LONG and not name.startswith("op "):
            call, yardstick = bench.work(stage)
            assert callable(yardstick)
            made[name] = call()
    assert made["read"].pixels.shape == (96, 128, 3)
    assert made["downscale"].shape == (48, 64, 3)
    assert made["train"][0].kernel.shape == (13, 13)
    assert made["finish"].kernel.array.sum() == pytest.approx(1)
    assert made["upscale bicubic"].pixels.shape == made["upscale tv"].pixels.shape == (48, 64, 3)
    assert len([*(tmp_path / "saved").iterdir()]) == len([*(tmp_path / "estimated").iterdir()]) == 5


def test_the_yardsticks_work(stages: ModuleType, tmp_path: Path) -> None:
    bench = stages.Bench(tmp_path)
    for name in stages.YARDSTICKS:
        assert bench.yardstick(name)() is not None
    assert bench.literal is bench.yardstick("literal")  # it trains on, from the same weights


def test_every_op_is_a_stage(stages: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {f"op {op}" for op in CASES} <= set(stages.stages())
    assert all(stages.published(op).published for op in CASES)
    from kernelgan_fast.ops import native

    called = []

    def kernel(**arguments: Any) -> torch.Tensor:
        called.append(arguments)
        return arguments["weights"].sum()

    monkeypatch.setattr(native, "extract_kernel", kernel)
    call, _ = stages.Bench(Path()).work(stages.stages()["op extract_kernel"])
    call()
    assert called[0]["features"] == 64 and called[0]["weights"].requires_grad


class Clock:
    """One that calls move on: the CPU by what they take, the wall by twice as much."""

    def __init__(self, spent: type) -> None:
        self.spent, self.seconds = spent, 0.0

    def __call__(self) -> Any:
        return self.spent(self.seconds, 2 * self.seconds)

    def takes(self, seconds: Iterator[float] | float) -> Callable[[], None]:
        def call() -> None:
            self.seconds += seconds if isinstance(seconds, float) else next(seconds)

        return call


def test_rounds_and_ratios(script: Callable[[str], ModuleType]) -> None:
    measure = script("measure")
    clock = Clock(measure.Spent)
    # Two to warm up, then rounds of one call each.
    ours = clock.takes(iter([9.0, 0.2, *[0.2] * 6, 0.4]))
    found = measure.beside(ours, clock.takes(0.4), seconds=0, clock=clock)
    assert found["calls"] == 1 and len(found["ratios"]) == 7
    assert found["cpu"] == {"median": 0.2, "min": 0.2, "max": 0.4} or found["cpu"][
        "median"
    ] == pytest.approx(0.2)
    assert found["wall"]["median"] == pytest.approx(0.4)
    assert found["ratios"] == pytest.approx([2.0] * 6 + [1.0])
    assert found["ratio"]["median"] == pytest.approx(2)
    assert found["yardstick_took"]["cpu"]["median"] == pytest.approx(0.4)

    short = clock.takes(0.001)
    found = measure.beside(short, clock.takes(0.002), seconds=1e9, basis="wall", clock=clock)
    assert found["calls"] == 50  # of 2 ms of wall
    assert len(found["ratios"]) == 25 and found["ratio"]["median"] == pytest.approx(2)
    assert found["cpu"]["median"] == pytest.approx(0.001)


def test_peak_memory(script: Callable[[str], ModuleType]) -> None:
    measure = script("measure")
    held = []
    found = measure.peak_memory(lambda: held.append(bytes(b"x" * (64 << 20))))
    assert len(held) == 1
    assert found is None or 60 < found < 200


@pytest.fixture
def quick(
    script: Callable[[str], ModuleType], stages: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> ModuleType:
    """The benchmark, which times nothing, with two stages of which one fails."""
    bench = script("bench_stages")
    one = {"median": 2.0, "min": 1.0, "max": 3.0}

    def beside(call: Callable[[], object], yardstick: object, **options: Any) -> dict[str, Any]:
        call()
        return {
            "cpu": one, "wall": one, "yardstick_took": {"cpu": one, "wall": one}, "calls": 1,
            "ratio": one, "ratios": [2.0] * 7,
        }  # fmt: skip

    def fails(bench: Any) -> None:
        raise ValueError("not here")

    some = {
        "read": stages.stages()["read"],
        "save": stages.Stage("save", "photo", fails),
        "long": stages.Stage("long", "photo", fails, slow=True),
    }
    monkeypatch.setattr(bench, "beside", beside)
    monkeypatch.setattr(bench, "keep_memory", lambda: None)  # it would last for all later tests
    monkeypatch.setattr(bench, "stages", lambda: some)
    monkeypatch.setattr(bench, "RUNS", ("spectral", "recurrence"))
    return bench


def test_the_document(
    quick: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    out = tmp_path / "new" / "stages.json"
    monkeypatch.setattr(sys, "argv", ["bench_stages", "--photos", "1", "--out", str(out)])
    assert quick.main() == 0
    found = json.loads(out.read_text())
    assert found["benchmark"] == "stages" and found["machine"]["extension"]["simd"]
    assert (found["device"], found["basis"], found["threads"]) == ("cpu", "cpu", 1)
    assert list(found["stages"]) == ["read"] and found["stages"]["read"]["yardstick"] == "photo"
    assert found["left_out"] == {"save": "ValueError: not here"}
    for profile in ("spectral", "recurrence"):
        parts = found["photos"][profile]["stages"]
        assert {"read", "prepare", "train", "finish", "rest"} <= set(parts)
        whole = found["photos"][profile]["wall"]["median"]
        assert sum(parts.values()) == pytest.approx(whole, abs=1e-3)
    told = capsys.readouterr().err
    assert "[1/4" in told and "save: ValueError: not here" in told and "[4/4" in told
    assert "memory_mib" in found["stages"]["read"]


def test_on_a_gpu_it_waits_and_takes_the_wall(
    quick: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    waited = []
    card = {
        "synchronize": lambda: waited.append(1), "reset_peak_memory_stats": lambda: None,
        "max_memory_reserved": lambda: 3 << 20,
    }  # fmt: skip
    for name, value in card.items():
        monkeypatch.setattr(torch.cuda, name, value)
    monkeypatch.setattr(quick, "gpu", lambda: {"gpu": "none"})
    found = quick.measure(["read"], "cuda", say=lambda line: None)
    assert (found["basis"], found["machine"]["gpu"]) == ("wall", "none")
    assert list(found["stages"]) == ["read"] and len(waited) == 1
    bench = sys.modules["stages"].Bench(tmp_path, "cuda")
    found = quick.as_usual(bench, quick.stages()["read"], 1)
    assert found["gpu_memory_mib"] == 3 and len(waited) > 2 and found["usual"]["runs"] == 1


def test_a_gpu_that_is_not_there(
    quick: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["bench_stages", "--device", "cuda"])
    assert quick.main() == 3
    assert "no GPU" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["bench_stages", "--list"])
    assert quick.main() == 0
    assert capsys.readouterr().out.split() == ["read", "save", "long"]


def test_memory_of_whole_jobs(
    script: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bench, out = script("bench_memory"), tmp_path / "memory.json"
    monkeypatch.setattr(bench, "WIDTH", 64)
    monkeypatch.setattr(bench, "HEIGHT", 48)
    asked = []

    def memory_of(code: str, *words: str) -> float:
        compile(code, "", "exec")
        assert Path(words[0]).is_file()
        asked.append(words[1:])
        return 100.0 * len(asked)

    monkeypatch.setattr(bench, "memory_of", memory_of)
    monkeypatch.setattr(sys, "argv", ["bench_memory", "--methods", "tv", "--out", str(out)])
    bench.main()
    found = json.loads(out.read_text())
    assert asked == [("method", "spectral", "0"), ("profile", "paper", "20"), ("tv",)]
    assert found["photo"] == [64, 48]
    assert found["estimate"] == {"spectral": 100, "paper": 200} and found["upscale"] == {"tv": 300}


def test_memory_of_a_program(script: Callable[[str], ModuleType]) -> None:
    measure = script("measure")
    measure._MEMORY = measure._MEMORY.replace("import torch", "")  # which takes long to start
    assert 60 < measure.memory_of("held = b'x' * (int(sys.argv[1]) << 20)", "64") < 100
