"""The guard of speed, on made rounds: it catches 20 %, noise does not move it, it never guesses."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

COMPARE = Path(__file__).resolve().parents[2] / "benchmarks" / "compare"
ROUNDS, TRIES = 25, 200


@pytest.fixture
def guard(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("regression")


def rounds(random: np.random.Generator, slower: float = 1.0, noise: float = 0.05) -> list[float]:
    """Ratios of 40 where the stage takes `slower` times as long; one round in ten is hit hard."""
    ratios = 40 / slower * np.exp(noise * random.standard_normal(ROUNDS))
    hit = random.random(ROUNDS) < 0.1
    hard = random.uniform(0.5, 1.5, ROUNDS)  # either the stage or the yardstick was
    return [float(ratio) for ratio in np.where(hit, ratios * hard, ratios)]


def document(**ratios: list[float]) -> dict[str, Any]:
    machine = {"cpu": "one", "torch": "2.13.0+cpu", "extension": {"simd": "avx512"}}
    rows = {name: {"yardstick": "photo", "ratios": found} for name, found in ratios.items()}
    return {
        "benchmark": "stages", "machine": machine, "device": "cpu", "basis": "cpu", "threads": 1,
        "sizes": {"estimate": [1632, 1224]}, "stages": rows, "left_out": {}, "photos": {},
    }  # fmt: skip


STEADY = [39.0, 40.0, 41.0, 40.0, 39.5, 40.5]
SLOW = [ratio / 1.2 for ratio in STEADY]
# Half of the rounds met a neighbour: the median is low, the rounds reach as far up as before.
BURST = [30.0, 30.5, 31.0, 41.0, 40.5, 30.2]


@pytest.mark.parametrize(("slower", "noise", "least", "most"), [
    (1.0, 0.03, 0.0, 0.0), (1.0, 0.1, 0.0, 0.005),  # noise alone
    (1.1, 0.03, 0.0, 0.02),
    (1.2, 0.03, 0.9, 1.0), (1.25, 0.03, 1.0, 1.0), (1.3, 0.05, 0.99, 1.0), (1.3, 0.1, 0.9, 1.0),
])  # fmt: skip
def test_how_often_it_cries(
    guard: ModuleType, slower: float, noise: float, least: float, most: float
) -> None:
    random = np.random.default_rng(0)
    cries = [
        guard.judge(rounds(random, noise=noise), rounds(random, slower, noise)) == guard.SLOWER
        for _ in range(TRIES)
    ]
    assert least <= np.mean(cries) <= most


def test_words(guard: ModuleType) -> None:
    assert guard.judge(STEADY, STEADY) == guard.OK
    assert guard.judge(STEADY, SLOW) == guard.SLOWER
    assert guard.judge(SLOW, STEADY) == guard.FASTER
    assert guard.judge(STEADY, BURST) == guard.UNCLEAR
    assert guard.judge(BURST, STEADY) == guard.OK  # no reason to commit anything
    assert guard.judge(STEADY, [0.88 * ratio for ratio in STEADY]) == guard.OK
    assert guard.judge(STEADY, [0.86 * ratio for ratio in STEADY]) == guard.SLOWER


def test_the_table_and_the_status(guard: ModuleType) -> None:
    old = document(read=STEADY, train=STEADY)
    verdicts = guard.compare(old, document(read=STEADY, train=SLOW))
    assert guard.exit_status(verdicts) == 1
    told = guard.table(verdicts)
    assert "-16.7 %  SLOWER" in told and "1 of 2 stages take more than 15 %" in told
    verdicts = guard.compare(old, document(read=BURST, train=STEADY))
    assert guard.exit_status(verdicts) == 2 and "quiet machine" in guard.table(verdicts)
    verdicts = guard.compare(document(read=SLOW), document(read=STEADY))
    assert guard.exit_status(verdicts) == 0 and "--update" in guard.table(verdicts)
    assert guard.exit_status(guard.compare(old, document(read=STEADY, train=SLOW), ["read"])) == 0


def changed(place: str, value: object) -> dict[str, Any]:
    """A result that differs in one place, named by keys with dots between."""
    made = document(read=STEADY, train=STEADY)
    *keys, last = place.split(".")
    inner = made
    for key in keys:
        inner = inner[key]
    inner[last] = value
    return made


@pytest.mark.parametrize(("place", "value", "words"), [
    ("device", "cuda", "device: committed cpu, new cuda"),
    ("machine.cpu", "another", "differ in cpu"),
    ("machine.gpu", "H100", "differ in gpu: committed None, new H100"),
    ("machine.extension.simd", "avx2", "differ in simd: committed avx512, new avx2"),
    ("machine.torch", "2.14.0", "differ in PyTorch"),
    ("basis", "wall", "differ in basis"),
    ("threads", 2, "differ in threads"),
    ("sizes", {"estimate": (816, 612)}, "differ in sizes"),
    ("stages.read.yardstick", "literal", "another yardstick"),
    ("stages.read.ratios", [40.0] * 4, "5 rounds or more"),
    ("stages.read.ratios", [40.0] * 5 + [float("nan")], "above 0"),
    ("stages.read.ratios", [0.0] * 6, "above 0"),
    ("stages.more", {"ratios": STEADY}, "the committed result lacks more"),
    ("stages", {}, "the new result lacks read"),
])  # fmt: skip
def test_it_does_not_compare_what_differs(
    guard: ModuleType, place: str, value: object, words: str
) -> None:
    with pytest.raises(guard.NotComparable, match=words):
        guard.compare(document(read=STEADY, train=STEADY), changed(place, value))


def test_small_differences_do_not_matter(guard: ModuleType) -> None:
    old = document(read=STEADY, train=STEADY)
    for place, value in (("machine.torch", "2.13.0"), ("sizes", {"estimate": (1632, 1224)})):
        assert guard.exit_status(guard.compare(old, changed(place, value))) == 0


def test_a_missing_stage_is_told_with_its_reason(guard: ModuleType) -> None:
    new = document(read=STEADY)
    new["left_out"] = {"train": "InputError: onnxruntime is missing"}
    with pytest.raises(guard.NotComparable, match=r"train .InputError: onnxruntime"):
        guard.compare(document(read=STEADY, train=STEADY), new)
    with pytest.raises(guard.NotComparable, match="lacks wrong"):
        guard.compare(document(read=STEADY), document(read=STEADY), ["read", "wrong"])
    with pytest.raises(guard.NotComparable, match="no stage"):
        guard.compare(document(), document())


def test_what_fell_is_measured_again(guard: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    old = document(read=STEADY, train=STEADY, save=STEADY)
    near = [0.9 * ratio for ratio in STEADY]  # which may be more or less than it seems
    first = document(read=STEADY, train=near, save=BURST)
    before = copy.deepcopy(first)
    asked: list[list[str]] = []

    def measure(names: Collection[str], device: str) -> dict[str, Any]:
        asked.append([*names])
        again = {"train": SLOW, "save": STEADY}
        return document(**{name: again[name] for name in names})

    words = {one.stage: one.word for one in guard.confirmed(old, first, measure)}
    assert words == {"read": guard.OK, "train": guard.SLOWER, "save": guard.OK}
    assert asked == [["train", "save"], ["train"]] and first == before
    assert "once more, to be sure: train, save" in capsys.readouterr().err


def test_the_committed_result_of_this_machine(guard: ModuleType, tmp_path: Path) -> None:
    other = changed("machine.extension.simd", "avx2")
    for name, made in (("stages_a.json", document(read=STEADY)), ("stages_b.json", other)):
        (tmp_path / name).write_text(json.dumps(made))
    facts = document()["machine"]
    assert guard.committed(facts, "cpu", tmp_path).name == "stages_a.json"
    with pytest.raises(guard.NotComparable, match="one committed result on cuda of one, avx512"):
        guard.committed(facts, "cuda", tmp_path)
    (tmp_path / "stages_c.json").write_text(json.dumps(document(read=STEADY)))
    with pytest.raises(guard.NotComparable, match="there are 2 among"):
        guard.committed(facts, "cpu", tmp_path)


def run(guard: ModuleType, monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr(sys, "argv", ["compare", *map(str, words)])
    status: int = guard.main()
    return status


def test_update_writes_the_committed_result(
    guard: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    old, new = tmp_path / "stages_here.json", tmp_path / "new.json"
    monkeypatch.setattr(guard, "RESULTS", tmp_path)
    new.write_text(json.dumps(document(read=STEADY)))
    assert run(guard, monkeypatch, "--new", new, "--old", old, "--update") == 0
    assert json.loads(old.read_text()) == document(read=STEADY)
    new.write_text(json.dumps(document(read=SLOW)))
    assert run(guard, monkeypatch, "--new", new, "--old", old) == 1
    assert run(guard, monkeypatch, "--new", new, "--old", old, "--update") == 0
    assert "SLOWER" in capsys.readouterr().out
    assert run(guard, monkeypatch, "--new", new, "--old", old) == 0
    part = document(read=STEADY) | {"left_out": {"train": "InputError: none"}}
    new.write_text(json.dumps(part))
    assert run(guard, monkeypatch, "--new", new, "--old", old, "--update") == 2
    assert run(guard, monkeypatch, "--old", old, "--update", "--only", "read") == 2
    without = {key: value for key, value in document(read=SLOW).items() if key != "photos"}
    for lacking in (without, document(save=SLOW)):
        new.write_text(json.dumps(lacking))
        assert run(guard, monkeypatch, "--new", new, "--old", old, "--update") == 2
    told = capsys.readouterr().err
    assert "whole; it lacks train (InputError: none)" in told
    assert "without --photos 0" in told and "it lacks read (not measured)" in told
    assert json.loads(old.read_text()) == document(read=SLOW)


def test_the_command(tmp_path: Path) -> None:
    """As a program of its own, without PyTorch, as it is where a result is given."""
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.write_text(json.dumps(document(read=STEADY)))
    new.write_text(json.dumps(document(read=SLOW)))

    def status(*words: Path | str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-S", COMPARE, *words], capture_output=True, text=True
        )
        return done.returncode, done.stdout + done.stderr

    assert status("--old", old, "--new", new)[0] == 1
    assert status("--old", old, "--new", old)[0] == 0
    assert status("--old", old, "--new", tmp_path / "none")[0] == 2
    busy = changed("machine.load_1min", 9.5) | {"stages": document(read=STEADY)["stages"]}
    new.write_text(json.dumps(busy))
    number, told = status("--old", old, "--new", new)
    assert number == 0 and "load was 9.5, on 1 cores, when the new result" in told
    new.write_text('{"benchmark": "ops"}')
    number, told = status("--old", old, "--new", new)
    assert number == 2 and "no result of bench_stages.py" in told
    new.write_text('{"benchmark": "stages"}')  # not 1, with which Python ends of itself
    assert status("--old", old, "--new", new)[0] == 2
