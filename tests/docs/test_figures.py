"""The scripts that draw the pictures of docs/ run, and the drawings are theirs."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest
from quick import write_photo

from kernelgan_fast.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "docs" / "figures"
IMAGES = ROOT / "docs" / "images"


def draw(monkeypatch: pytest.MonkeyPatch, script: str, *arguments: object) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    monkeypatch.setattr(sys, "argv", [script, *map(str, arguments)])
    runpy.run_path(str(SCRIPTS / script), run_name="__main__")


def test_the_conventions_are_drawn_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw(monkeypatch, "conventions.py", tmp_path)
    for name in ("half_pixel.svg", "orientation.svg"):
        assert (tmp_path / name).read_text("utf-8") == (IMAGES / name).read_text("utf-8"), name


def test_kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    draw(monkeypatch, "kernels.py", tmp_path)
    names = {"kernel_picture.png", "kernels_and_photos.png", "wrong_kernels.png"}
    assert {path.name for path in tmp_path.iterdir()} == names


def test_pictures_of_a_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    hr = tmp_path / "hr"
    write_photo(hr / "a.png", 200, 208)
    assert main(["degrade", str(hr), "--out", str(tmp_path / "set"), "--quiet"]) == 0
    found = tmp_path / "true_and_found.png"
    draw(monkeypatch, "true_and_found.py", tmp_path / "set", found, "a")
    large = tmp_path / "bicubic_and_upscaled.jpg"
    draw(monkeypatch, "bicubic_and_upscaled.py", tmp_path / "set", hr, large, "a:8:8")
    first = tmp_path / "first_screen.jpg"
    draw(monkeypatch, "first_screen.py", tmp_path / "set" / "lr_x2" / "a.png", "8:8", first)
    assert all(picture.stat().st_size > 1000 for picture in (found, large, first))
