"""`downscale`: lines on stdout, messages on stderr, exit codes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from quick import environment, write_photo

from kernelgan_fast.cli.main import main
from kernelgan_fast.degradation.blur_models import draw
from kernelgan_fast.kernels import BlurKernel, save


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty folder with three small photos and a pool of two kernels."""
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate("abc"):
        write_photo(Path("in") / f"{name}.png", 40, 36, seed=seed)
    Path("pool").mkdir()
    for name in ("k", "m"):
        kernel = BlurKernel(draw("div2krk", 2, seed=0, name=name).array, 2)
        save(kernel, Path("pool") / f"{name}.mat")


def downscale(*arguments: str) -> int:
    return main(["downscale", *arguments])


def test_a_folder_of_photos(capsys: pytest.CaptureFixture[str]) -> None:
    assert downscale("in", "--kernel", "pool/k.mat") == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert lines[0] == "in/a.png  36 x 40 to 18 x 20 px by k.mat  kernelgan_small/a_x2.png"
    assert len(lines) == 3
    said = printed.err.splitlines()
    assert said[0] == "3 photos, by k.mat, scale 2, seed 0, into kernelgan_small"
    assert "done 3/3: in/c.png" in said and re.fullmatch(r"3 done in \d+:\d\d", said[-1])
    assert sorted(os.listdir("kernelgan_small")) == [
        *(f"{name}_x2.png" for name in "abc"),
        "downscale.json",
    ]


def test_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    code = downscale(
        "in/a.png", "--kernel-pool", "pool", "--scale", "2", "--seed", "7", "--noise", "2",
        "--pairs", "--format", "tif", "--out", "o",
    )  # fmt: skip
    assert code == 0
    said = capsys.readouterr().err
    assert "1 photo, by a pool of 2 kernels, scale 2, seed 7, noise 2, as pairs, into o" in said
    request = json.loads(Path("o/downscale.json").read_text())["photos"]["a"]["x2"]["request"]
    assert (request["seed"], request["noise"], request["scale"]) == (7, 2, 2)
    assert [os.listdir(Path("o") / place) for place in ("HR", "LR", "kernels")] == [
        ["a.tif"],
        ["a.tif"],
        ["a.mat"],
    ]


def test_quiet_json_and_a_bad_photo(capsys: pytest.CaptureFixture[str]) -> None:
    assert downscale("in", "none.png", "--kernel", "bicubic", "--quiet", "--json") == 1
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    assert (document["done"], document["failed"], document["total"]) == (3, 1, 4)
    entries = {entry["source"]: entry for entry in document["photos"]}
    assert "no image found" in entries["none.png"]["error"]
    good = entries["in/a.png"]
    assert (good["size_before"], good["size"]) == ([36, 40], [18, 20])
    assert good["applied"] == "bicubic" and good["kernel"]["size"] == 17
    assert all(Path(file).is_file() for file in good["files"])
    assert printed.err.splitlines() == [f"error: {entries['none.png']['error']}"]


def test_resume(capsys: pytest.CaptureFixture[str]) -> None:
    assert downscale("in/a.png", "--kernel-pool", "pool") == 0
    first = capsys.readouterr().out
    assert downscale("in", "--kernel-pool", "pool", "--resume") == 0
    printed = capsys.readouterr()
    assert printed.out.startswith(first) and len(printed.out.splitlines()) == 3
    assert "done earlier 1/3: in/a.png" in printed.err
    assert "2 done, 1 done earlier in" in printed.err


def test_into_the_photos_own_folder(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert downscale("in", "--kernel", "bicubic", "--out", "in") == 0
    printed = capsys.readouterr()
    assert "note: left out what an earlier run wrote: 3" in printed.err
    assert len(os.listdir("in")) == 7


def test_what_was_done_to_a_photo_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    write_photo(Path("odd.png"), 41, 37)
    assert downscale("odd.png", "--kernel", "bicubic") == 0
    said = capsys.readouterr().err
    assert "note: odd.png: cropped from 37 x 41 to 36 x 40 px, a multiple of 2" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["in"], "--kernel"),
        ([], "PHOTO"),
        (["in", "--kernel", "none.mat"], "no such file"),
        (["in", "--kernel", "bicubik"], "must be estimate, bicubic, a file"),
        (["in", "--kernel", "in"], "in: no kernels of scale 2 there"),
        (["in", "--kernel-pool", "in"], "in: no kernels of scale 2 there"),
        (["in", "--kernel-pool", "pool/k.mat"], "must be a folder, got pool/k.mat"),
        (["in", "--kernel-pool", "pool", "--kernel", "bicubic"], "not allowed with"),
        (["in", "--kernel", "pool/k.mat", "--scale", "4"], "is for scale 2, not 4"),
        (["in", "--kernel", "two.npy"], "must sum to 1, got 2"),
        (["in", "--kernel", "bicubic", "--scale", "3"], "choose from"),
        (["in", "--kernel", "bicubic", "--noise", "-1"], "noise must be"),
        (["in", "--kernel", "bicubic", "--seed", "-1"], "seed must be"),
        (["in", "--kernel", "bicubic", "--format", "gif"], "choose from"),
        (["in", "--kernel", "bicubic", "--pairs", "--format", "webp"], "without loss"),
        (["in", "--kernal", "bicubic"], "--kernel"),
    ],
)
def test_wrong_usage(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    np.save("two.npy", np.full((3, 3), 2 / 9))
    assert downscale(*arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ") and words in printed.err
    assert sorted(os.listdir()) == ["in", "pool", "two.npy"]


def test_an_output_folder_that_cannot_be_used(capsys: pytest.CaptureFixture[str]) -> None:
    Path("o").write_text("mine")
    assert downscale("in", "--kernel", "bicubic", "--out", "o") == 3
    assert capsys.readouterr().err.startswith("error: the output folder must be")
    write_photo(Path("theirs/HR/x.png"))
    assert downscale("in", "--kernel", "bicubic", "--pairs", "--out", "theirs") == 3
    assert "they are not replaced" in capsys.readouterr().err


def test_a_stopped_run_keeps_what_is_done() -> None:
    program = (
        "import os, signal, sys\n"
        "from kernelgan_fast import images\n"
        "real = images.save_picture\n"
        "def save_picture(pixels, path, *like, **options):\n"
        f"    if path.stem == 'b': os.kill(os.getpid(), {int(signal.SIGINT)})\n"
        "    return real(pixels, path, *like, **options)\n"
        "images.save_picture = save_picture\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from kernelgan_fast.cli.main import main\n"
        "sys.exit(main(['downscale', 'in', '--kernel', 'bicubic', '--pairs']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment()
    )
    assert done.returncode == 130, done.stderr
    assert "1 of 3 photos done and kept in kernelgan_small" in done.stderr
    assert "Traceback" not in done.stderr
    for place in ("HR", "LR", "kernels"):
        assert [Path(file).stem for file in os.listdir(Path("kernelgan_small") / place)] == ["a"]


def test_help_fits_80_columns_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; from kernelgan_fast.cli.main import main; main(['downscale', '--help'])\n"
        "heavy = {'torch', 'numpy', 'scipy', 'PIL', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment()
    )
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) < 80
