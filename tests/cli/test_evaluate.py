"""`evaluate kernels`: tables on stdout, files in a folder, what is missing on stderr."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from kernelgan_fast.cli.main import main
from kernelgan_fast.degradation import shapes
from kernelgan_fast.kernels import BlurKernel, save


@pytest.fixture(autouse=True)
def kernels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty folder with three estimates and their truths."""
    monkeypatch.chdir(tmp_path)
    Path("out").mkdir()
    Path("gt_k_x2").mkdir()
    for name, width in (("a", 1.0), ("b", 1.5), ("c", 2.0)):
        write(Path("out") / f"{name}_kernel_x2.npy", 1.1 * width)
        write(Path("gt_k_x2") / f"{name}.mat", width)


def write(path: Path, width: float, scale: int = 2) -> None:
    covariance = shapes.covariance_matrix(width, 0.6 * width, 20)
    save(BlurKernel(shapes.gaussian(covariance, 21, scale), scale), path)


def evaluate(*arguments: str) -> int:
    return main(["evaluate", "kernels", *arguments])


def test_tables(capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate("out", "--truth", "gt_k_x2") == 0
    printed = capsys.readouterr()
    assert "| a " in printed.out and "| estimates " in printed.out
    assert "3 photos, scale 2; 3 of the estimates better" in printed.out
    assert printed.err == ""
    assert evaluate("out", "--truth", ".", "--summary", "--psnr-size", "15") == 0
    printed = capsys.readouterr()
    assert "| a " not in printed.out and "on 15 × 15" in printed.out


def test_files(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    assert evaluate("out", "--truth", "gt_k_x2", "--out", "report/of/today") == 0
    folder = Path("report/of/today")
    names = {"evaluation.md", "evaluation.csv", "evaluation.json", "evaluation.png"}
    assert {path.name for path in folder.iterdir()} == names
    printed = capsys.readouterr()
    assert printed.err.startswith("written to report/of/today: evaluation.md, ")
    assert (folder / "evaluation.md").read_text("utf-8") == printed.out


def test_without_matplotlib_the_plot_is_left_out_and_that_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("matplotlib", "matplotlib.backends.backend_agg", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, name, None)
    assert evaluate("out", "--truth", "gt_k_x2", "--out", "report") == 0
    assert "note: no plot, matplotlib is not installed" in capsys.readouterr().err
    assert not Path("report/evaluation.png").exists()
    assert Path("report/evaluation.csv").is_file()


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate("out", "--truth", "gt_k_x2", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["photos"] == 3 and document["scale"] == 2
    assert document["summary"]["estimate"]["width"]["mean"] == pytest.approx(0.1, abs=0.01)


def test_what_is_missing_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    write(Path("out/x_kernel_x2.mat"), 1.0)
    for number in range(7):
        write(Path("gt_k_x2") / f"kernel_{number}.mat", 1.0)
    assert evaluate("out", "--truth", "gt_k_x2") == 0
    err = capsys.readouterr().err.splitlines()
    assert err[0] == "note: no true kernel for x_kernel_x2.mat"
    assert err[1].startswith("note: no estimate for kernel_0.mat, kernel_1.mat, ")
    assert err[1].endswith(" and 2 more")
    assert evaluate("out", "--truth", "gt_k_x2", "--quiet") == 0
    assert capsys.readouterr().err == ""


def test_a_kernel_that_cannot_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    Path("out/b_kernel_x2.npy").write_bytes(b"")
    assert evaluate("out", "--truth", "gt_k_x2") == 1
    printed = capsys.readouterr()
    assert printed.err.startswith("error: out/b_kernel_x2.npy: not a readable .npy file")
    assert "2 photos" in printed.out


def test_only_kernels_that_cannot_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    for path in Path("out").iterdir():
        path.write_bytes(b"")
    assert evaluate("out", "--truth", "gt_k_x2", "--out", "report") == 1
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("error: ") == 3
    assert json.loads(Path("report/evaluation.json").read_text())["photos"] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["none", "--truth", "gt_k_x2"], 2, "the estimates must be a folder"),
        (["out", "--truth", "gt_k_x2", "--scale", "4"], 2, "no kernels of scale 4"),
        (["out", "--truth", "gt_k_x2", "--scale", "3"], 2, "choose from"),
        (["out", "--truth", "gt_k_x2", "--psnr-size", "0"], 2, "at least 1"),
        (["out"], 2, "--truth"),
        (["out", "--truht", "gt_k_x2"], 2, "--truth"),
        (["out", "--truth", "gt_k_x2", "--out", "out/a_kernel_x2.npy"], 3, "the output folder"),
    ],
)
def test_wrong_usage(
    arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(*arguments) == code
    printed = capsys.readouterr()
    assert printed.out == "" and words in printed.err and "Traceback" not in printed.err


def test_only_kernels_can_be_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "kernel", "out", "--truth", "gt_k_x2"]) == 2
    assert "did you mean kernels?" in capsys.readouterr().err
