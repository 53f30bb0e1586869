"""Reports, their tables and their picture."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kernelgan_fast.degradation import shapes
from kernelgan_fast.errors import InputError
from kernelgan_fast.evaluation import tables
from kernelgan_fast.evaluation.report import MEASURES, KernelReport, evaluate_kernels, statistics
from kernelgan_fast.kernels import BlurKernel, save

WIDTHS = [(1.0, 0.8), (1.9, 1.1), (2.2, 2.1), (1.6, 0.9)]


def kernel(major: float, minor: float, angle: float = 25.0, scale: int = 2) -> BlurKernel:
    covariance = shapes.covariance_matrix(major, minor, angle)
    return BlurKernel(shapes.gaussian(covariance, 25, scale), scale)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Four estimates 10 % too wide and 5 to 17 degrees off, and their truths."""
    out, truth = tmp_path / "out", tmp_path / "gt_k_x2"
    out.mkdir()
    truth.mkdir()
    for number, (major, minor) in enumerate(WIDTHS):
        save(
            kernel(1.1 * major, 1.1 * minor, 30.0 + 4 * number), out / f"im_{number}_kernel_x2.npy"
        )
        save(kernel(major, minor), truth / f"kernel_{number}.mat")
    return out, truth


@pytest.fixture
def report(folders: tuple[Path, Path]) -> KernelReport:
    return evaluate_kernels(*folders)


def test_rows_and_summary(report: KernelReport) -> None:
    assert [row.pair.name for row in report.rows] == ["im_0", "im_1", "im_2", "im_3"]
    assert (report.scale, report.psnr_size, report.failures) == (2, 11, {})
    summary = report.summary
    width, bias = summary["estimate"]["width"], summary["estimate"]["width_bias"]
    assert width is not None and bias is not None
    assert width.mean == pytest.approx(0.1, abs=0.002) and width.photos == 4
    assert bias.median == pytest.approx(0.1, abs=0.002)
    angle = summary["estimate"]["angle"]
    assert angle is not None and angle.photos == 3  # one is nearly round
    rows = [row.errors["estimate"] for row in report.rows]
    weights = [errors.angle_weight for errors in rows]
    assert weights[2] == 0 < weights[0] < weights[1]
    assert angle.mean == pytest.approx(np.average([5, 9, 13, 17], weights=weights), abs=0.1)
    assert angle.median == pytest.approx(9, abs=0.1)
    errors = [row.errors["constant"].relative_l2 for row in report.rows]
    constant = summary["constant"]["relative_l2"]
    assert constant is not None
    assert constant.mean == pytest.approx(np.mean(errors))
    assert constant.p90 == pytest.approx(np.percentile(errors, 90))
    assert constant.spread == pytest.approx(np.std(errors))
    assert summary["bicubic"]["angle"] is None
    assert report.better_than_constant == 4


def test_angles_count_by_elongation() -> None:
    told = statistics([0.0, 90.0], [3.0, 1.0])
    assert told is not None and told.mean == 22.5 and told.median == 45
    assert statistics([]) is None


def test_scale_from_the_folder_s_name(tmp_path: Path) -> None:
    for folder, name in (("gt_k_x4", "a.mat"), ("out", "a_kernel_x4.npy")):
        (tmp_path / folder).mkdir()
        save(kernel(3.0, 2.0, scale=4), tmp_path / folder / name)
    report = evaluate_kernels(tmp_path / "out", tmp_path / "gt_k_x4")
    assert (report.scale, report.psnr_size) == (4, 31)
    assert report.rows[0].errors["estimate"].relative_l2 == 0


def test_kernels_that_cannot_be_read_are_told_and_the_others_measured(
    folders: tuple[Path, Path],
) -> None:
    out, truth = folders
    (out / "im_1_kernel_x2.npy").write_bytes(b"")
    np.save(out / "im_2_kernel_x2.npy", np.ones((5, 5)))
    save(kernel(3.0, 2.0, scale=4), truth / "kernel_3.mat")
    report = evaluate_kernels(out, truth)
    assert [row.pair.name for row in report.rows] == ["im_0"]
    assert list(report.failures) == ["im_1", "im_2", "im_3"]
    assert "not a readable" in report.failures["im_1"]
    assert "sum to 1" in report.failures["im_2"] and "scale 4" in report.failures["im_3"]


def test_wrong_requests(folders: tuple[Path, Path]) -> None:
    with pytest.raises(InputError, match="PSNR size must be at least 1, got 0"):
        evaluate_kernels(*folders, psnr_size=0)
    with pytest.raises(InputError, match="scale 2 and 4, got 3"):
        evaluate_kernels(*folders, scale=3)


def test_markdown(report: KernelReport) -> None:
    text = tables.markdown(report)
    photos, summary, legend = text.split("\n\n")
    assert [line.split()[1] for line in photos.splitlines()[2:]] == ["im_0", "im_1", "im_2", "im_3"]
    for table in (photos, summary):
        assert len({len(line) for line in table.splitlines()}) == 1  # aligned
        assert table.splitlines()[1].startswith("| ---")
    assert "| constant, sigma 1.7 |" in summary and "+10%" in summary
    assert legend.startswith("4 photos, scale 2; 4 of the estimates better")
    assert "on 11 × 11" in legend
    assert "im_0" not in tables.markdown(report, photos=False)
    assert max(map(len, text.splitlines())) <= 100


def test_csv_has_a_line_for_each_photo_and_kernel(report: KernelReport) -> None:
    lines = list(csv.DictReader(io.StringIO(tables.csv_text(report))))
    assert len(lines) == 12
    assert {line["kernel"] for line in lines} == {"estimate", "constant", "bicubic"}
    first = lines[0]
    errors = report.rows[0].errors["estimate"]
    assert float(first["relative_l2"]) == pytest.approx(errors.relative_l2, abs=1e-6)
    assert float(first["psnr_11x11"]) == pytest.approx(errors.psnr or 0, abs=1e-6)
    assert float(first["true_sigma_major"]) == pytest.approx(1.0, abs=0.01)
    assert lines[1]["angle"] == ""


def test_json(report: KernelReport) -> None:
    document = json.loads(json.dumps(tables.document(report), allow_nan=False))
    assert document["photos"] == 4 and document["constant_sigma"] == 1.7
    assert set(document["summary"]["estimate"]) == set(MEASURES)
    assert document["summary"]["constant"]["angle"] is None
    row = document["rows"][0]
    assert row["photo"] == "im_0" and row["kernels"]["estimate"]["relative_l2"] > 0


def test_saved_files_are_the_same_each_time(report: KernelReport, tmp_path: Path) -> None:
    contents = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        files = tables.save(report, folder)
        assert [file.name for file in files] == [
            "evaluation.md", "evaluation.csv", "evaluation.json",
        ]  # fmt: skip
        contents.append([file.read_bytes() for file in files])
    assert contents[0] == contents[1]


def test_a_report_without_photos_can_be_told(folders: tuple[Path, Path]) -> None:
    out, truth = folders
    for file in out.iterdir():
        file.write_bytes(b"")
    report = evaluate_kernels(out, truth)
    assert report.rows == () and len(report.failures) == 4
    assert "0 photos" in tables.markdown(report)
    assert tables.document(report)["photos"] == 0


def test_the_plot(report: KernelReport, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from PIL import Image

    from kernelgan_fast.evaluation.plot import save_plot

    save_plot(report, tmp_path / "a.png", "A title")
    save_plot(report, tmp_path / "b.png", "A title")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (1320, 600)
        colours = {tuple(c) for c in np.asarray(picture.convert("RGB")).reshape(-1, 3)}
    assert {(0, 114, 178), (213, 94, 0), (127, 127, 127)} <= colours


def test_without_matplotlib_the_plot_is_an_import_error(
    report: KernelReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kernelgan_fast.evaluation.plot import save_plot

    missing: dict[str, Any] = dict.fromkeys(
        ["matplotlib", "matplotlib.backends.backend_agg", "matplotlib.figure"]
    )
    for name in missing:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError):
        save_plot(report, tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()
