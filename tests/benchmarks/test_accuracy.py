"""The accuracy benchmark: profiles, methods, seeds and parts of sets, on a set of three photos."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from quick import write_photo

from kernelgan_fast.degradation.blur_models import draw
from kernelgan_fast.estimation import recurrence
from kernelgan_fast.kernels import BlurKernel, save

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def accuracy(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    before = set(sys.modules)
    yield importlib.import_module("accuracy")
    for name in {"accuracy", "measure"} & (set(sys.modules) - before):
        del sys.modules[name]


def test_errors_of_every_other_photo(
    accuracy: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recurrence, "_QUERIES", 300)
    monkeypatch.setattr(recurrence, "_PARENTS", 1000)
    monkeypatch.setattr(recurrence, "ITERATIONS", 2)
    (tmp_path / "some" / "gt_k_x2").mkdir(parents=True)
    for seed, name in enumerate("abc"):
        write_photo(tmp_path / "some" / "lr_x2" / f"{name}.png", seed=seed)
        kernel = BlurKernel(draw("gaussian", 2, seed=0, name=name).array, 2)
        save(kernel, tmp_path / "some" / "gt_k_x2" / f"{name}.mat")
    out = tmp_path / "out.json"
    words = [str(tmp_path / "some"), "--methods", "spectral,recurrence", "--seeds", "0,1"]
    monkeypatch.setattr(sys, "argv", ["accuracy", *words, "--every", "2", "--out", str(out)])
    accuracy.main()
    found = json.loads(out.read_text())
    assert (found["seeds"], found["every"], found["scale"]) == ([0, 1], 2, 2)
    row = found["relative_l2"]["some"]
    assert row["photos"] == 2 and row["constant"]["mean"] > 0
    closed, searched = row["spectral"], row["recurrence"]
    assert closed["by_seed"] == [closed["mean"]] * 2
    assert len(set(searched["by_seed"])) == 2
    assert searched["mean"] == pytest.approx(sum(searched["by_seed"]) / 2, abs=1e-4)
    assert set(found["spearman"]) == {"spectral"}  # the search expects no error
