"""A report of a folder: what is missing is said in its row, and the page is whole or not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from small_results import gaussian, photo, record, write, write_upscaled

from kernelgan_fast.errors import OutputError
from kernelgan_fast.estimation.result import ProgressEvent
from kernelgan_fast.report.writing import write_report


def test_a_folder_as_it_should_be(tmp_path: Path) -> None:
    source = photo(tmp_path / "a.png")
    out = tmp_path / "out"
    write(out, "a", record(source, spread=0.08), gaussian())
    write_upscaled(out, "a", source)
    events: list[ProgressEvent] = []
    written = write_report(out, progress=events.append)
    assert written.path == out / "report.html" and written.bytes == written.path.stat().st_size
    assert (written.photos, written.noted, written.missing) == (1, 0, 0)
    assert [(event.photos_done, event.fraction) for event in events] == [(1, 1.0)]
    page = written.path.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>") and page.endswith("</html>\n")
    assert "Kernels of 1 photo</h1>" in page and "nothing to note" in page
    for cell in ("1.60", "1.10", "0°", "13%", "8%"):
        assert f">{cell}</td>" in page
    assert page.count("data:image/webp") == 3 and '"sliders":[{"scale":2' in page
    # Nothing is asked of a network.
    assert "http:" not in page.replace("http://www.w3.org/2000/svg", "") and "https:" not in page


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    changed = photo(tmp_path / "changed.png")
    write(tmp_path / "out", "changed", record(changed), gaussian())
    photo(changed, seed=9)
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(b"no photo")
    write(tmp_path / "out", "damaged", record(damaged))
    write(tmp_path / "out", "gone", record(Path("gone.png")), gaussian())
    write(tmp_path / "out", "torn", "{", gaussian())
    enlarged = photo(tmp_path / "enlarged.png")
    write(tmp_path / "out", "enlarged", record(enlarged), gaussian())
    write_upscaled(tmp_path / "out", "enlarged", enlarged).write_bytes(b"")
    written = write_report(tmp_path / "out", tmp_path / "page.html")
    assert (written.photos, written.noted, written.missing) == (5, 5, 3)
    page = written.path.read_text(encoding="utf-8")
    for words in (
        "changed.png has changed since its kernel was estimated: the photo is not shown",
        "the photo cannot be shown",
        "no kernel file that can be read is here",
        "the photo gone.png is not there: name its folder with --photos",
        "its record torn.json is damaged",
        "the enlarged photo cannot be shown",
        "5 have notes",
    ):
        assert words in page


def test_only_the_photo_itself_is_shown(tmp_path: Path) -> None:
    """A record may name any path; nothing of what is there may come into the page."""
    private, out = photo(tmp_path / "private.png"), tmp_path / "out"
    os.mkfifo(tmp_path / "pipe.png")
    facts = record(private)["source"]
    for name, source in {
        "a": {**facts, "sha256": "0" * 64},
        "b": {"path": str(private)},
        "c": {**facts, "sha256": None},
        "d": {"path": "/dev/zero", "sha256": "0"},
        "e": {"path": str(tmp_path / "pipe.png"), "bytes": 0, "sha256": "0"},
        "f": {"path": "\ud800.png", "sha256": "0"},
        "g": {"path": "x" * 5000 + ".png", "sha256": "0"},
        "h": {**facts, "bytes": 1},
    }.items():
        write(out, name, record(private) | {"source": source}, gaussian())
    written = write_report(out)
    page = written.path.read_text(encoding="utf-8")
    assert (written.photos, written.missing) == (8, 8)
    assert "data:image/webp" not in page
    assert page.count("private.png has changed since its kernel was estimated") == 2 * 2
    assert page.count("its record does not say what") == 2 * 2
    for words in ("/dev/zero is not there", "pipe.png is not there"):
        assert words in page


def test_only_pictures_in_the_folder_are_shown_as_enlarged(tmp_path: Path) -> None:
    source, out = photo(tmp_path / "a.png"), tmp_path / "out"
    write(out, "a", record(source), gaussian())
    enlarged = write_upscaled(out, "a", source)
    enlarged.rename(tmp_path / "elsewhere.png")
    enlarged.symlink_to(tmp_path / "elsewhere.png")
    page = write_report(out).path.read_text(encoding="utf-8")
    assert '"sliders":[]' in page
    enlarged.unlink()
    os.mkfifo(enlarged)
    page = write_report(out).path.read_text(encoding="utf-8")
    assert '"sliders":[]' in page and "the enlarged photo cannot be shown" in page


def test_photos_that_were_moved(tmp_path: Path) -> None:
    source = photo(tmp_path / "a.png")
    write(tmp_path / "out", "a", record(source), gaussian())
    source.rename(photo(tmp_path / "now" / "a.png"))
    assert write_report(tmp_path / "out").missing == 1
    assert write_report(tmp_path / "out", photos=[tmp_path / "now"]).missing == 0


def test_numbers_as_people_write_them(tmp_path: Path) -> None:
    for name, angle in (("a", -0.3), ("b", -45.2)):
        widths = {"x2": {"width_major": 1.5, "width_minor": 1.0, "angle": angle}}
        write(tmp_path, name, record(Path("a.png"), kernels=widths, expected_error=0.31))
    page = write_report(tmp_path).path.read_text(encoding="utf-8")
    assert ">0°</td>" in page and ">\N{MINUS SIGN}45°</td>" in page
    assert '<td class="much" data-v="0.31">31%</td>' in page


def test_columns_without_anything_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, "a", record(Path("a.png"), expected_error=None), gaussian())
    page = write_report(tmp_path).path.read_text(encoding="utf-8")
    assert '<table id="photos" class="no-error no-spread">' in page


def test_many_photos_stay_small(tmp_path: Path) -> None:
    source = photo(tmp_path / "a.png", 300, 200)
    for index in range(130):
        write(tmp_path / "out", f"a{index}", record(source), gaussian())
    written = write_report(tmp_path / "out")
    page = written.path.read_text(encoding="utf-8")
    assert "<img src=" not in page and page.count('"thumb":"data:image/webp') == 130
    assert written.bytes < 130 * 25_000


def test_an_old_page_stays_where_a_new_one_fails(tmp_path: Path) -> None:
    write(tmp_path, "a", record(Path("a.png")), gaussian())
    page = write_report(tmp_path).path
    before = page.read_bytes()

    def stop(event: ProgressEvent) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_report(tmp_path, progress=stop)
    assert page.read_bytes() == before
    assert not [file for file in tmp_path.iterdir() if file.suffix == ".part"]
    with pytest.raises(OutputError, match="the folder does not exist: create it first"):
        write_report(tmp_path, tmp_path / "nowhere" / "page.html")
