"""The summary of super-resolution figures, and its tables."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from kernelgan_fast.evaluation import metrics, sr_tables
from kernelgan_fast.evaluation.sr_kernels import GivenKernel, Kernels
from kernelgan_fast.evaluation.sr_report import (
    BICUBIC_WAY,
    Failure,
    MethodKernel,
    Score,
    SrReport,
    SrRow,
    ways,
)
from kernelgan_fast.evaluation.sr_set import SrPhoto, SrSet

FOUND, TRUE = MethodKernel("tv", "found"), MethodKernel("tv", "true")


def score(psnr: float | None, consistency: float | None = 50.0) -> Score:
    return Score(psnr, 0.9, consistency, 1.5, 1.0)


def row(name: str, base: float, found: float, true: float | None) -> SrRow:
    photo = SrPhoto(name, name, Path(f"lr/{name}.png"), Path(f"hr/{name}.png"), None)
    scores = {BICUBIC_WAY: score(base, 40.0), FOUND: score(found), TRUE: score(true)}
    return SrRow(photo, (10, 20), scores, {"found": 0.2, "true": 0.0})


@pytest.fixture
def report() -> SrReport:
    """Gains of 3 and 1 dB; with the true kernel of 4 and 2."""
    rows = (row("a", 30, 33, 34), row("b|c", 20, 21, 22))
    given = GivenKernel(metrics.constant_gaussian(2), 0.1, 0.25)
    kernels = tuple(
        Kernels(label, {each.photo.key: given for each in rows}) for label in ("found", "true")
    )
    test = SrSet(Path("set"), 2, tuple(each.photo for each in rows), (Path("lr/x.png"),))
    return SrReport(test, ("bicubic", "tv"), kernels, False, "cpu", 1, rows, ())


def test_means_and_spread(report: SrReport) -> None:
    assert report.ways == (BICUBIC_WAY, FOUND, TRUE)
    found = report.summary(FOUND)
    assert found.psnr is not None and found.gain is not None
    assert (found.psnr.mean, found.psnr.spread, found.psnr.photos) == (27, 6, 2)
    assert (found.gain.mean, found.gain.spread) == (2, 1)
    assert found.kept == pytest.approx(2 / 3)  # of the means, not the mean of 3/4 and 1/2
    assert [each.kept(FOUND) for each in report.rows] == [0.75, 0.5]
    base = report.summary(BICUBIC_WAY)
    assert base.gain is not None and base.gain.mean == 0 and base.kept is None
    errors = report.kernel_errors("found")
    assert errors is not None and errors.mean == pytest.approx(0.2)


def test_figures_are_of_photos_that_have_them(report: SrReport) -> None:
    perfect = row("p", 30, 32, None)
    failed = replace(row("f", 30, 35, 36), scores={BICUBIC_WAY: score(30), FOUND: score(35)})
    more = replace(report, rows=(*report.rows, perfect, failed))
    assert perfect.gain(TRUE) is None and failed.gain(TRUE) is None
    found, true = more.summary(FOUND), more.summary(TRUE)
    assert found.gain is not None and found.gain.photos == 4
    assert true.ssim is not None and true.ssim.photos == 3
    assert true.gain is not None and true.gain.photos == 2
    assert found.kept == pytest.approx(2 / 3)
    assert "Not of all photos: tv with true 3." in sr_tables.markdown(more)


def test_no_share_of_a_gain_that_is_none(report: SrReport) -> None:
    small = row("a", 30, 33, 30.05)
    assert small.kept(FOUND) is None
    assert replace(report, rows=(small,)).summary(FOUND).kept is None


def test_methods_without_kernels_have_one_way(report: SrReport) -> None:
    assert ways(("bicubic", "tv"), ()) == (BICUBIC_WAY,)
    assert str(FOUND) == "tv with found" and str(BICUBIC_WAY) == "bicubic"


def test_markdown(report: SrReport) -> None:
    text = sr_tables.markdown(report)
    photos, summary, kernels, legend = text.split("\n\n")
    assert "b\\|c" in photos and len(photos.splitlines()) == 2 + 2 * 2
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in summary.splitlines()]
    assert lines[3] == [
        "tv", "found", "27.00", "6.00", "0.9000", "0.0000", "+2.00", "1.00", "67%", "50.0",
        "1.50", "1.00",
    ]  # fmt: skip
    assert lines[2][:3] == ["bicubic", "none", "25.00"] and lines[2][6] == "-"
    assert lines[4][8] == "-"  # of the true kernel itself
    assert [line.split()[1] for line in kernels.splitlines()[2:]] == ["found"]  # not the true ones
    assert "0.200" in kernels and "0.25" in kernels
    for table in (photos, summary, kernels):
        assert len({len(line) for line in table.splitlines()}) == 1  # aligned
    assert legend.startswith("2 photos, scale 2.") and "2 px a side cut off" in legend
    assert "Not of all" not in legend and "MATLAB luma," in legend
    assert legend.endswith("Seconds a photo (1 thread).\n")
    assert "(cuda)." in sr_tables.markdown(replace(report, device="cuda"))
    rounded = sr_tables.markdown(replace(report, rounded_luma=True), photos=False)
    assert "MATLAB luma, rounded" in rounded and "b\\|c" not in rounded
    assert max(map(len, text.splitlines())) <= 100


def test_csv(report: SrReport) -> None:
    lines = list(csv.DictReader(io.StringIO(sr_tables.csv_text(report))))
    assert len(lines) == 6
    assert [line["method"] for line in lines[:3]] == ["bicubic", "tv", "tv"]
    assert lines[1]["kernel"] == "found" and float(lines[1]["kept"]) == 0.75
    assert float(lines[1]["kernel_error"]) == 0.2 and lines[0]["kernel_error"] == ""


def test_json(report: SrReport) -> None:
    failures = (Failure("z", None, "no photo"), Failure("a", FOUND, "no weights"))
    told = replace(report, failures=failures)
    document = json.loads(json.dumps(sr_tables.document(told), allow_nan=False))
    assert (document["photos"], document["scale"], document["shave"]) == (2, 2, 2)
    assert document["summary"][1]["gain"]["mean"] == 2
    assert document["summary"][1]["kept"] == pytest.approx(2 / 3, abs=1e-6)
    assert document["rows"][1]["scores"][1]["kept"] == 0.5
    assert document["kernels"][0] == {
        "kernel": "found",
        "relative_l2": {"mean": 0.2, "median": 0.2, "p90": 0.2, "spread": 0.0, "photos": 2},
        "seconds": 0.25,
    }
    assert document["failures"] == [
        {"photo": "z", "method": "", "kernel": "", "error": "no photo"},
        {"photo": "a", "method": "tv", "kernel": "found", "error": "no weights"},
    ]
    assert document["without_high"] == ["lr/x.png"]


def test_files_are_named_by_scale(report: SrReport, tmp_path: Path) -> None:
    files = sr_tables.save(report, tmp_path)
    assert [file.name for file in files] == ["sr_x2.md", "sr_x2.csv", "sr_x2.json"]
    assert files[0].read_text("utf-8") == sr_tables.markdown(report)


def test_a_report_without_photos_can_be_told(report: SrReport) -> None:
    empty = replace(report, rows=())
    assert "0 photos" in sr_tables.markdown(empty)
    assert sr_tables.document(empty)["photos"] == 0
