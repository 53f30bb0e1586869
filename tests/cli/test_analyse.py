"""`analyse`: lines on stdout, and photos that cannot be measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from quick import write_photo

from kernelgan_fast.cli.main import main


@pytest.fixture(autouse=True)
def _folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_photo_that_cannot_be_measured_does_not_stop_the_others(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        write_photo(Path(f"in/{name}.png"))
    Path("in/b.png").write_bytes(b"no photo")
    assert main(["analyse", "missing.png", "in"]) == 1
    printed = capsys.readouterr()
    assert "error: missing.png: no image found there" in printed.err
    assert "error: in/b.png: not a PNG" in printed.err
    lines = [line.split()[0] for line in printed.out.splitlines() if not line.startswith(" ")]
    assert lines == ["in/a.png", "in/c.png"]

    def fail(photo: object) -> None:
        raise MemoryError

    monkeypatch.setattr("kernelgan_fast.analysis.analyse_photo", fail)
    assert main(["analyse", "in/a.png", "--json"]) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith("error: in/a.png: memory ran out")
    assert json.loads(printed.out) == {"photos": {}}
