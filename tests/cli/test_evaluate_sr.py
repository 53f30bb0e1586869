"""`evaluate sr`: from a folder of photos to tables, files and words about what failed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from quick import QUICK
from small_sets import write_set
from torch import Tensor

from kernelgan_fast import sr
from kernelgan_fast.cli.main import main
from kernelgan_fast.errors import InputError
from kernelgan_fast.evaluation import sr_bench
from kernelgan_fast.gan import config
from kernelgan_fast.images import read_image, save_png
from kernelgan_fast.kernels import BlurKernel
from kernelgan_fast.sr.upscaler import Options, Upscaler


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder but for a test set."""
    monkeypatch.chdir(tmp_path)
    return write_set(tmp_path / "set")


def evaluate(*arguments: str) -> int:
    return main(["evaluate", "sr", "set", "--methods", "bicubic,backprojection", *arguments])


def test_tables_and_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate("--kernels", "bicubic,spectral,true", "--out", "report/x") == 0
    printed = capsys.readouterr()
    assert "| osprey | bicubic        |" in printed.out
    summary = [line for line in printed.out.splitlines() if line.startswith("| backprojection |")]
    assert [line.split()[3] for line in summary] == ["bicubic", "spectral", "true"]
    assert "\n| spectral |" in printed.out and "2 photos, scale 2." in printed.out
    assert printed.err.splitlines()[0] == "estimating kernels: spectral"
    assert printed.err.endswith("written to report/x: sr_x2.md, sr_x2.csv, sr_x2.json\n")
    assert Path("report/x/sr_x2.md").read_text("utf-8") == printed.out


def test_summary_and_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate("--kernels", "true", "--photos", "1", "--summary", "--quiet") == 0
    printed = capsys.readouterr()
    assert printed.err == "" and "osprey" not in printed.out and "1 photo," in printed.out


def test_json_and_chosen_photos(capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate("--kernels", "true", "--photos", "ro*", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert [row["photo"] for row in document["rows"]] == ["roma"]
    assert document["summary"][1]["gain"]["mean"] > 1


def test_profiles_and_folders_of_estimates(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    small = QUICK.replace(profile="quick", crop=32, shave=0)
    monkeypatch.setattr(config, "PROFILES", {**config.PROFILES, "quick": small})
    assert main(["estimate", "set/lr_x2", "--out", "found", "--quiet"]) == 0
    capsys.readouterr()
    assert evaluate("--kernels", "spectral,quick,found", "--json", "--quiet") == 0
    summary = json.loads(capsys.readouterr().out)["summary"]
    by_kernel = {each["kernel"]: each["psnr"]["mean"] for each in summary}
    assert list(by_kernel) == ["", "spectral", "quick", "found"]
    assert by_kernel["found"] == pytest.approx(by_kernel["spectral"], abs=1e-6)
    assert by_kernel["quick"] != pytest.approx(by_kernel["spectral"], abs=1e-3)


def test_hr_photos_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    Path("set/hr").rename("photos")
    Path("photos/roma.png").unlink()
    assert evaluate("--kernels", "true", "--hr", "photos") == 0
    printed = capsys.readouterr()
    assert printed.err.splitlines()[0] == "note: no HR photo for roma.png"
    assert "1 photo," in printed.out


def test_what_fails_is_told_and_the_rest_measured(capsys: pytest.CaptureFixture[str]) -> None:
    photo = read_image("set/lr_x2/osprey.png").pixels
    save_png(photo[:40, :40], Path("set/lr_x2/osprey.png"))  # too small to be estimated
    save_png(read_image("set/hr/osprey.png").pixels[:80, :80], Path("set/hr/osprey.png"))
    Path("set/gt_k_x2/roma.mat").write_bytes(b"")
    assert evaluate("--kernels", "spectral,true", "--out", "report") == 1
    printed = capsys.readouterr()
    errors = [line for line in printed.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 2
    assert errors[0].startswith("error: osprey: kernel spectral: ") and "48" in errors[0]
    assert errors[1].startswith("error: roma: kernel true: ")
    document = json.loads(Path("report/sr_x2.json").read_text("utf-8"))
    measured = {row["photo"]: len(row["scores"]) for row in document["rows"]}
    assert measured == {"osprey": 2, "roma": 2}


def test_one_line_for_the_same_error_of_many_photos(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare, given = sr.prepare, []

    def choosy(method: str, kernel: BlurKernel, options: Options, photo: Tensor) -> Upscaler:
        if method == "backprojection":
            given.append(options.weights)
            raise InputError("no weights in none.pth")
        return prepare(method, kernel, options, photo)

    monkeypatch.setattr(sr, "prepare", choosy)
    assert evaluate("--weights", "backprojection=none.pth", "--kernels", "true") == 1
    printed = capsys.readouterr()
    assert given[0] == Path("none.pth")
    told = "error: backprojection with true: no weights in none.pth (2 photos)\n"
    assert printed.err.endswith(told) and printed.err.count("error: ") == 1
    assert "| bicubic " in printed.out


def test_ctrl_c_leaves_nothing_behind(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*arguments: object, **more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sr_bench, "evaluate_sr", stopped)
    assert evaluate("--kernels", "true", "--out", "report") == 130
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err == "interrupted\n"
    assert not Path("report").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--scale", "4"], 2, "LR photos in lr_x4/"),
        (["--scale", "3"], 2, "choose from"),
        (["--methods", "backprojecton"], 2, "did you mean backprojection?"),
        (["--kernels", "spectrl"], 2, "did you mean spectral?"),
        (["--kernels", "hr"], 2, "got 'hr'"),
        (["--kernels", ""], 2, "backprojection needs kernels, got none"),
        (["--kernels", "true,true"], 2, "got 'true' twice"),
        (["--kernels", "set/hr"], 2, "no kernels of scale 2"),
        (["--photos", "none*"], 2, "at least one photo must be chosen"),
        (["--hr", "elsewhere"], 2, "elsewhere: no image found"),
        (["--weights", "tv=w"], 2, "METHOD=FILE with one of bicubic, backprojection"),
        (["--weights", "w"], 2, "got 'w'"),
        (["--noise", "-1"], 2, "noise must be 0 to 255"),
        (["--device", "gpu"], 2, "the device must be cpu"),
        (["--device", "cuda:99"], 3, "cuda:99"),
        (["--out", "set/hr/roma.png"], 3, "the output folder"),
    ],
)
def test_wrong_usage(
    arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(*arguments) == code
    printed = capsys.readouterr()
    assert printed.out == "" and words in printed.err and "Traceback" not in printed.err


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--help"]) == 0
    assert "kernels" in capsys.readouterr().out
    assert main(["evaluate", "sr", "--help"]) == 0
    printed = capsys.readouterr().out
    assert "TEST_DIR" in printed and max(map(len, printed.splitlines())) <= 80


def test_progress_within_a_photo(capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate("--kernels", "bicubic,true", "--photos", "1") == 0
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[0] for line in lines] == ["30%", "60%"]  # one and two ways of three
    assert all("0/1 photo " in line and line.endswith(" left") for line in lines)
