"""`report`, and `estimate --report`: lines, messages, exit codes."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from quick import write_photo
from small_results import gaussian, photo, record, write, write_upscaled

from kernelgan_fast.cli.main import main
from kernelgan_fast.cli.progress import Silent
from kernelgan_fast.estimation.result import ProgressEvent


@pytest.fixture(autouse=True)
def _folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    write(Path("out"), "a", record(photo(Path("a.png"))), gaussian())
    assert main(["report", "out"]) == 0
    printed = capsys.readouterr()
    assert printed.out == "out/report.html\n" and "1 photo, 0." in printed.err
    assert Path("out/report.html").is_file()


def test_options(capsys: pytest.CaptureFixture[str]) -> None:
    moved = photo(Path("now/a.png"))
    told = record(moved)
    told["source"]["path"] = "then/a.png"
    write(Path("out"), "a", told, gaussian())
    assert main(["report", "out", "--out", "page.html"]) == 0
    said = capsys.readouterr().err
    assert "1 with notes, 1 not shown (moved? --photos DIR says where they are)" in said
    write_upscaled(Path("large"), "a", moved)
    arguments = ["report", "out", "--out", "page.html", "--photos", "now", "--upscaled", "large"]
    assert main([*arguments, "--quiet"]) == 0
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("page.html\n", "")
    assert '"sliders":[{' in Path("page.html").read_text(encoding="utf-8")


def test_when_terminated_it_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(Path("out"), "a", record(photo(Path("a.png"))), gaussian())
    before = sorted(Path("out").iterdir())

    def update(self: Silent, event: ProgressEvent) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Silent, "update", update)
    assert main(["report", "out", "--quiet"]) == 143
    assert "terminated" in capsys.readouterr().err
    assert sorted(Path("out").iterdir()) == before


def test_errors(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "nowhere"]) == 2
    assert "name that folder" in capsys.readouterr().err
    write(Path("out"), "a", record(Path("a.png")), gaussian())
    assert main(["report", "out", "--photos", "nowhere"]) == 2
    assert "looked for in folders, nowhere is none" in capsys.readouterr().err
    assert main(["report", "out", "--upscaled", "out"]) == 2
    assert "out has no upscale.json" in capsys.readouterr().err
    assert not Path("out/report.html").exists()
    assert main(["report", "out", "--out", "nowhere/page.html"]) == 3
    assert "the folder does not exist" in capsys.readouterr().err


def test_estimate_writes_one_when_it_ends(capsys: pytest.CaptureFixture[str]) -> None:
    write_photo(Path("in/a.png"), 96, 80, seed=1)
    write_photo(Path("in/b.png"), 96, 80, seed=2)
    Path("in/torn.png").write_bytes(b"no photo")
    assert main(["estimate", "in/a.png", "--out", "out"]) == 0
    assert not Path("out/report.html").exists()
    capsys.readouterr()
    # What an earlier run did is in it, as after one that was interrupted.
    assert main(["estimate", "in", "--out", "out", "--resume", "--report", "--json"]) == 1
    printed = capsys.readouterr()
    assert json.loads(printed.out)["report"] == "out/report.html"
    assert "report out/report.html: 2 photos" in printed.err
    page = Path("out/report.html").read_text(encoding="utf-8")
    assert "Kernels of 2 photos" in page and "Not estimated: 1" in page and "torn.png" in page


def test_no_report_of_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    Path("torn.png").write_bytes(b"no photo")
    assert main(["estimate", "torn.png", "--out", "out", "--report"]) == 1
    assert not Path("out").exists()


def test_no_report_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["estimate", "a.png", "--out", "s3://bucket/out", "--report"]) == 2
    assert "needs a folder of this machine, got s3://bucket/out" in capsys.readouterr().err
