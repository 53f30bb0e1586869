"""`degrade`: lines on stdout, messages on stderr, exit codes, and a test set that can be used."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from quick import environment, write_photo

from kernelgan_fast import images
from kernelgan_fast.cli.main import main
from kernelgan_fast.errors import OutputError


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty folder with three small photos."""
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate("abc"):
        write_photo(Path("in") / f"{name}.png", 40, 36, seed=seed)


def degrade(*arguments: str) -> int:
    return main(["degrade", *arguments])


def test_a_folder_of_photos(capsys: pytest.CaptureFixture[str]) -> None:
    assert degrade("in") == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("in/a.png  widths ")
    assert lines[0].endswith("  kernelgan_lr/lr_x2/a.png")
    said = printed.err.splitlines()
    assert said[0] == "3 photos, blur model div2krk, scale 2, seed 0, into kernelgan_lr"
    assert "done 3/3: in/c.png" in said and re.fullmatch(r"3 done in \d+:\d\d", said[-1])
    assert len(os.listdir("kernelgan_lr/lr_x2")) == len(os.listdir("kernelgan_lr/gt_k_x2")) == 3


def test_round_kernels_have_no_angle(capsys: pytest.CaptureFixture[str]) -> None:
    for blur_model, angles in (("gaussian", 0), ("div2krk", 1)):
        assert degrade("in/a.png", "--blur-model", blur_model, "--quiet", "--out", blur_model) == 0
        assert capsys.readouterr().out.count(" px at ") == angles


def test_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    code = degrade(
        "in/a.png", "--blur-model", "disk", "--set", "radius=3.2", "--scale", "4", "--seed", "7",
        "--noise", "2", "--jpeg", "90", "--out", "o",
    )  # fmt: skip
    assert code == 0
    said = capsys.readouterr().err
    assert "1 photo, blur model disk, scale 4, seed 7, noise 2, JPEG 90, into o" in said
    entry = json.loads(Path("o/degradation.json").read_text())["photos"]["a"]["x4"]
    assert entry["parameters"] == {"radius": 3.2}
    request = entry["request"]
    assert (request["seed"], request["noise"], request["jpeg"]) == (7, 2, 90)
    assert request["fixed"] == {"radius": 3.2}


def test_quiet_json_and_a_bad_photo(capsys: pytest.CaptureFixture[str]) -> None:
    assert degrade("in", "none.png", "--quiet", "--json") == 1
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    assert (document["done"], document["failed"], document["total"]) == (3, 1, 4)
    entries = {entry["source"]: entry for entry in document["photos"]}
    assert "no image found" in entries["none.png"]["error"]
    assert entries["in/a.png"]["size"] == [18, 20]
    assert all(Path(file).is_file() for file in entries["in/a.png"]["files"])
    assert printed.err.splitlines() == [f"error: {entries['none.png']['error']}"]


def test_resume(capsys: pytest.CaptureFixture[str]) -> None:
    assert degrade("in/a.png") == 0
    first = capsys.readouterr().out
    assert degrade("in", "--resume") == 0
    printed = capsys.readouterr()
    assert printed.out.startswith(first) and len(printed.out.splitlines()) == 3
    assert "done earlier 1/3: in/a.png" in printed.err
    assert "2 done, 1 done earlier in" in printed.err


def test_what_was_done_to_a_kernel_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    import numpy as np

    np.save("k.npy", np.ones((5, 5)) / 25)
    assert degrade("in/a.png", "--blur-model", "k.npy") == 0
    assert "note: in/a.png: " in (err := capsys.readouterr().err)
    assert "of k.npy left its frame as it was centred" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["in", "--blur-model", "dsk"], "did you mean disk?"),
        (["in", "--blur-model", "disk", "--set", "radius"], "NAME=VALUE"),
        (
            ["in", "--blur-model", "disk", "--set", "radius=x"],
            "NAME=VALUE with a number, got 'radius=x'",
        ),
        (["in", "--blur-model", "disk", "--set", "radius=99"], "at most 3.5"),
        (["in", "--blur-model", "none.mat"], "no such file"),
        (["in", "--scale", "3"], "choose from"),
        (["in", "--noise", "-1"], "noise must be"),
        (["in", "--jpeg", "0"], "1 to 95"),
        (["in", "--seed", "-1"], "seed must be"),
        (["in", "--sclae", "2"], "did you mean --scale?"),
        ([], "PHOTO"),
    ],
)
def test_wrong_usage(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert degrade(*arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ") and words in printed.err
    assert sorted(os.listdir()) == ["in"]


def test_an_output_folder_that_cannot_be_used(capsys: pytest.CaptureFixture[str]) -> None:
    Path("o").write_text("mine")
    assert degrade("in", "--out", "o") == 3
    assert capsys.readouterr().err.startswith("error: the output folder must be")
    write_photo(Path("theirs/lr_x2/a.png"))
    assert degrade("in", "--out", "theirs") == 3
    assert "they are not replaced" in capsys.readouterr().err


@pytest.mark.parametrize(("fails_at", "code", "kept"), [("a", 3, 0), ("b", 1, 1)])
def test_a_disk_that_fills_up_ends_the_run(
    fails_at: str,
    code: int,
    kept: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = images.save_png

    def save_png(pixels: object, path: Path) -> None:
        if path.stem == fails_at:
            raise OutputError(f"cannot write {path}: the disk is full")
        real(pixels, path)  # type: ignore[arg-type]

    monkeypatch.setattr(images, "save_png", save_png)
    assert degrade("in") == code
    err = capsys.readouterr().err
    assert "the disk is full" in err and f"{kept} of 3 photos done" in err and "--resume" in err


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_a_stopped_run_keeps_what_is_done(number: int, code: int, word: str) -> None:
    program = (
        "import os, signal, sys\n"
        "from kernelgan_fast import images\n"
        "real = images.save_png\n"
        "def save_png(pixels, path):\n"
        f"    if path.stem == 'b': os.kill(os.getpid(), {int(number)})\n"
        "    real(pixels, path)\n"
        "images.save_png = save_png\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from kernelgan_fast.cli.main import main\n"
        "sys.exit(main(['degrade', 'in']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment()
    )
    assert done.returncode == code, done.stderr
    assert word in done.stderr and "1 of 3 photos done and kept in kernelgan_lr" in done.stderr
    assert "Traceback" not in done.stderr
    assert os.listdir("kernelgan_lr/lr_x2") == ["a.png"]


@pytest.mark.parametrize("command", ["degrade", "evaluate"])
def test_help_fits_80_columns_and_loads_nothing_heavy(command: str) -> None:
    code = (
        f"import sys; from kernelgan_fast.cli.main import main; main(['{command}', '--help'])\n"
        "heavy = {'torch', 'numpy', 'scipy', 'PIL', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment()
    )
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) < 80
