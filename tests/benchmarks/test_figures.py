"""The tables and the chart that are made from results: what they say, and that they stay true."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def tables(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("make_table")


@pytest.fixture
def drawing(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("chart")


def result(device: str = "cpu", seconds: float = 8.0) -> dict[str, Any]:
    def spread(value: float) -> dict[str, float]:
        return {"median": value, "min": value / 2, "max": 2 * value}

    def row(what: str, value: float) -> dict[str, Any]:
        return {
            "what": what, "yardstick": "photo", "memory_mib": None, "cpu": {}, "wall": {},
            "usual": {"cpu": spread(value), "wall": spread(value)}, "ratio": spread(0.4),
            "yardstick_took": {"cpu": spread(0.1), "wall": spread(0.15)},
        }  # fmt: skip

    machine = {"cpu": "AMD", "cores": 2, "torch": "2.13.0", "gpu": "H100"}
    parts = {"read": 0.05, "train": 7.0, "rest": 0.001}
    return {
        "benchmark": "stages", "device": device, "sizes": {"iterations": 100},
        "machine": {**machine, "extension": {"simd": "avx512"}},
        "stages": {"train": row("train", 0.3), "upscale tv": row("`tv`", 2.0)},
        "photos": {
            "threads": 2, "spectral": {"wall": spread(0.3), "stages": {}},
            "paper": {"wall": spread(seconds), "stages": parts},
        },
    }  # fmt: skip


@pytest.fixture
def made(tables: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The tables of made results, a CPU's and a GPU's."""
    ratios = {name: {"median": 1.5, "min": 1.0, "max": 2.0} for name, _ in tables.RATIOS.values()}
    documents = {
        "stages_a_gpu": result("cuda", 2.0),
        "stages_b": result(),
        "train_b": {"ratios": ratios},
        "memory_b": {"estimate": {"spectral": 100.0, "paper": 300.2}, "upscale": {"tv": 900.7}},
    }
    for name, document in documents.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(document))
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    return tables


def test_the_table_of_speed(made: ModuleType) -> None:
    lines = made.speed().splitlines()
    rows = dict(line.strip("| ").split(" | ") for line in lines if "---" not in line)
    assert "2 shared cores of an AMD, avx512" in lines[0]
    assert rows["`estimate --profile paper`, 3000 iterations, 2 threads"] == "8.0 s (4.0 to 16.0)"
    assert rows["of that"] == "read 0.05 s, train 7 s"  # too short to name: rest
    (plain,) = (figure for what, figure in rows.items() if "in plain PyTorch" in what)
    assert plain == "450 s (225 to 900)"  # the wall of one iteration, 3000 times
    (papers,) = (figure for what, figure in rows.items() if "on its own cards" in what)
    assert papers == "61 s (Tesla V100), 102 s (Tesla K80)"
    (ratio,) = (figure for what, figure in rows.items() if "Plain PyTorch / ours" in what)
    assert ratio == "40 × (20 to 80)"  # 0.4 of a hundred iterations
    assert rows["`tv`, one thread"] == "2.0 s (1.0 to 4.0)"
    assert rows["H100: `estimate --profile paper`, 3000 iterations"] == "2.0 s (1.0 to 4.0)"
    assert rows["Memory to estimate from 12 megapixels, beyond PyTorch's"] == "300 MiB"


def test_short_times_are_in_milliseconds(tables: ModuleType) -> None:
    assert tables._seconds({"median": 0.026, "min": 0.02, "max": 0.12}) == "26.0 ms (20.0 to 120)"
    assert tables._seconds({"median": 0.11, "min": 0.09, "max": 120.0}) == "0.11 s (0.09 to 120)"


def test_the_table_of_stages(made: ModuleType) -> None:
    text = made.stages()
    assert text.index("On 2 shared cores") < text.index("On H100")
    assert text.count("| `tv` | `upscale tv` | 2000 | 2000 | - | photo | 0.4 (0.2 to 0.8) |") == 2


def test_tables_stand_where_their_marks_are(made: ModuleType) -> None:
    page = "a\n<!-- stages -->\nold\n<!-- /stages -->\nb\n<!-- other -->\nc\n<!-- /other -->\n"
    filled = made.filled(page)
    assert filled == page.replace("old\n", made.stages())
    assert made.filled(filled) == filled and made.filled("no marks") == "no marks"


def test_what_is_stale_is_told(
    made: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    for name in ("one.md", "two.md"):
        (tmp_path / name).write_text("<!-- speed -->\n<!-- /speed -->\n")
    monkeypatch.setattr(made, "ROOT", tmp_path)
    monkeypatch.setattr(made, "PAGES", ("one.md", "two.md"))
    monkeypatch.setattr(made, "CHART", "chart.svg")
    monkeypatch.setattr(sys, "argv", ["make_table", "--check"])
    assert made.main() == 1
    assert "one.md, two.md, chart.svg" in capsys.readouterr().err
    assert not (tmp_path / "chart.svg").exists()
    monkeypatch.setattr(sys, "argv", ["make_table"])
    assert made.main() == 0
    monkeypatch.setattr(sys, "argv", ["make_table", "--check"])
    assert made.main() == 0
    (tmp_path / "chart.svg").write_text("<svg/>")
    assert made.main() == 1


def test_the_pages_and_the_chart_show_the_committed_results(tables: ModuleType) -> None:
    page = (ROOT / "benchmarks" / "README.md").read_text("utf-8")
    for mark in ("speed", "stages"):
        assert f"<!-- {mark} -->\n" in page and f"<!-- /{mark} -->" in page
    assert tables.filled(page) == page
    assert tables.picture() == (ROOT / tables.CHART).read_text("utf-8")


def test_the_page_names_every_script() -> None:
    page = (ROOT / "benchmarks" / "README.md").read_text("utf-8")
    named = set(re.findall(r"`(\w+\.py|compare)\b", page.partition("## Seconds")[0]))
    there = {file.name for file in (ROOT / "benchmarks").iterdir() if file.is_file()}
    assert named <= there
    scripts = {name for name in there if name.startswith("bench_")}
    assert scripts | {"compare", "make_table.py", "accuracy.py"} <= named


def test_the_chart_tells_what_was_measured_from_what_was_not(made: ModuleType) -> None:
    tree = ElementTree.fromstring(made.picture())
    names = [name.text for name in tree.findall(".//{*}text") if name.get("text-anchor") == "end"]
    bars = [bar for bar in tree.findall(".//{*}rect") if bar.get("class") != "page"]
    kinds = dict(zip(names, (bar.get("class") for bar in bars), strict=True))
    assert kinds["the paper's own, Tesla V100"] == kinds["the paper's own, Tesla K80"] == "cited"
    assert kinds["plain PyTorch, CPU"] == kinds["plain PyTorch, GPU"] == "plain"
    assert [*kinds.values()].count("ours") == 4 and [*kinds.values()].count("cited") == 2
    assert "not measured by us" in made.picture()


def test_longer_bars_take_longer(drawing: ModuleType) -> None:
    seconds = [0.01, 0.1, 0.3, 8, 61, 450, 1000, 5000]
    rows = [drawing.Row(f"<{took}> & so on", took, "ours") for took in seconds]
    text = drawing.chart(rows, "A & B", ("note", "another"))
    tree = ElementTree.fromstring(text)
    bars = [
        float(bar.get("width") or 0)
        for bar in tree.findall(".//{*}rect")
        if bar.get("class") == "ours"
    ]
    assert bars == sorted(bars) and bars[0] == bars[1] == 0 and bars[-1] == bars[-2]
    assert bars[4] - bars[2] == pytest.approx(
        (bars[6] - bars[1]) / 4 * 2.308, abs=1
    )  # log10(61/.3)
    height, width = float(tree.get("height") or 0), float(tree.get("width") or 0)
    for name in tree.findall(".//{*}text"):
        assert 0 < float(name.get("x") or 0) < width and 0 < float(name.get("y") or 0) < height
    assert "prefers-color-scheme: dark" in text
    drawn = set(re.findall(r'class="(\w+)"', text))
    assert drawn - {"title"} <= set(re.findall(r"\.(\w+) \{", drawing.STYLE))
