"""`estimate`: files out, lines on stdout, messages on stderr, exit codes."""

from __future__ import annotations

import json
import logging
import os
import re
import resource
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from PIL import Image
from quick import ENDLESS, QUICK, add_profiles, environment, pixels, write_photo

from kernelgan_fast.cli.main import main
from kernelgan_fast.errors import NativeUnavailable, OutputError
from kernelgan_fast.estimation import recurrence
from kernelgan_fast.gan import trainer
from kernelgan_fast.kernels import store


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The quick recipe by name, in an empty folder."""
    add_profiles(monkeypatch)
    monkeypatch.chdir(tmp_path)


def estimate(*arguments: str) -> int:
    return main(["estimate", *arguments, "--profile", "quick", "--jobs", "2"])


def test_one_photo(capsys: pytest.CaptureFixture[str]) -> None:
    write_photo(Path("a.png"))
    assert estimate("a.png") == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("a.png  widths ")
    assert printed.out.endswith("  kernelgan_out/a_kernel_x2.npy\n")
    assert len(printed.out.splitlines()) == 1
    lines = printed.err.splitlines()
    assert (
        lines[0]
        == "1 photo, KernelGAN, profile quick, 20 iterations, 2 threads, into kernelgan_out"
    )
    assert "done 1/1: a.png" in lines
    assert re.fullmatch(r"1 done in \d+:\d\d", lines[-1])
    kernel = np.load("kernelgan_out/a_kernel_x2.npy")
    assert kernel.shape == (13, 13)
    assert np.array_equal(scipy.io.loadmat("kernelgan_out/a_kernel_x2.mat")["Kernel"], kernel)
    assert json.loads(Path("kernelgan_out/a_kernel_x2.json").read_text())["scale"] == 2
    with Image.open("kernelgan_out/a_kernel_x2.png") as picture:
        assert min(picture.size) >= 400
    assert json.loads(Path("kernelgan_out/a.json").read_text())["request"]["seeds"] == [0]


def test_scale_4_seeds_and_formats(capsys: pytest.CaptureFixture[str]) -> None:
    write_photo(Path("a.png"), 70, 80)
    code = estimate(
        "a.png", "--scale", "4", "--seeds", "2", "--seed", "7", "--real", "--out", "o",
        "--formats", "npy, png", "--iterations", "21", "--device", "cpu",
    )  # fmt: skip
    assert code == 0
    out = capsys.readouterr().out
    assert "spread" in out and out.endswith("o/a_kernel_x4.npy\n")
    assert np.load("o/a_kernel_x4.npy").shape == (25, 25)
    assert {path.suffix for path in Path("o").glob("*_kernel_*")} == {".npy", ".png"}
    record = json.loads(Path("o/a.json").read_text())
    assert record["request"]["seeds"] == [7, 8] and record["request"]["real"] is True
    assert record["request"]["config"]["iterations"] == 21


def test_tiles_are_written_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    write_photo(Path("a.png"), 200, 300)
    assert main(["estimate", "a.png", "--tiles", "1x2", "--jobs", "1"]) == 0
    printed = capsys.readouterr()
    assert "  1 x 2 tiles of " in printed.out and printed.out.endswith("a_kernel_x2.npy\n")
    assert "spectral estimate, 1 x 2 tiles, 1 thread" in printed.err
    with np.load("kernelgan_out/a_tiles_x2.npz") as stored:
        assert stored["kernels"].shape == (1, 2, 13, 13)
    assert Path("kernelgan_out/a_tiles_x2.png").is_file()
    assert main(["estimate", "a.png", "--tiles", "--json", "--quiet", "--formats", "npy"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)["photos"]
    assert entry["tiles"]["grid"] == [1, 1]
    assert main(["estimate", "a.png", "--tiles", "--resume", "--formats", "npy"]) == 0
    assert " tiles of " not in capsys.readouterr().out  # there is one: the photo


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--tiles", "a.png"], "got 'a.png'; without a number put it after the photos"),
        (["a.png", "--tiles", "0x3"], "rows and columns of 1 to 64"),
        (["a.png", "--tiles", "--profile", "paper"], "tiles are estimated by the method spectral"),
    ],
    ids=["before the photo", "no rows", "trained"],
)
def test_wrong_tiles(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    write_photo(Path("a.png"))
    assert main(["estimate", *words]) == 2
    assert told in capsys.readouterr().err
    assert not Path("kernelgan_out").exists()


def test_the_method_recurrence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recurrence, "_QUERIES", 300)
    monkeypatch.setattr(recurrence, "_PARENTS", 1000)
    write_photo(Path("a.png"))
    words = ["estimate", "a.png", "--method", "recurrence", "--iterations", "2", "--jobs", "1"]
    assert main(words) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("a.png  widths ") and len(printed.out.splitlines()) == 1
    assert "recurring patches, at most 2 iterations, 1 thread" in printed.err
    assert "100%  0/1 photo" in printed.err and "iteration 2/2" in printed.err
    assert main([*words, "--device", "cuda"]) == 2
    assert "on the CPU, got 'cuda'" in capsys.readouterr().err


def test_quiet_prints_results_and_errors_only(capsys: pytest.CaptureFixture[str]) -> None:
    write_photo(Path("a.png"))
    assert estimate("a.png", "missing.png", "--quiet") == 1
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 1
    assert len(printed.err.splitlines()) == 1 and printed.err.startswith("error: missing.png")


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    write_photo(Path("a.png"))
    Path("b.png").touch()
    assert estimate("a.png", "b.png", "--json") == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["done"], document["failed"], document["skipped"]) == (1, 1, 0)
    assert document["interrupted"] is False and document["total"] == 2
    entries = {entry["source"]: entry for entry in document["photos"]}
    assert entries["b.png"]["status"] == "failed" and "empty" in entries["b.png"]["error"]
    assert entries["a.png"]["kernels"]["x2"]["size"] == 13
    assert all(Path(file).is_file() for file in entries["a.png"]["files"])


def test_resume_says_what_was_done_earlier(capsys: pytest.CaptureFixture[str]) -> None:
    write_photo(Path("in/a.png"))
    assert estimate("in") == 0
    first = capsys.readouterr().out
    write_photo(Path("in/b.png"), seed=1)
    assert estimate("in", "--resume") == 0
    printed = capsys.readouterr()
    assert printed.out.startswith(first) and len(printed.out.splitlines()) == 2
    assert "done earlier 1/2: in/a.png" in printed.err
    assert "1 done, 1 done earlier in" in printed.err


def save_animation(path: Path) -> None:
    frames = [Image.fromarray(pixels(seed=seed)) for seed in (0, 1)]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def save_bomb(path: Path) -> None:
    Image.new("1", (20_000, 20_000)).save(path)


BAD: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "missing": ("x.png", lambda path: None, "no"),
    "a folder without photos": ("x", lambda path: path.mkdir(), "no image"),
    "empty file": ("x.png", lambda path: path.touch(), "empty"),
    "not an image": ("x.png", lambda path: path.write_text("text"), "not a PNG"),
    "cut short": (
        "x.png",
        lambda path: path.write_bytes(write_photo(path).read_bytes()[:3000]),
        "cut short",
    ),
    "animation": ("x.webp", save_animation, "animation"),
    "too small": ("x.png", lambda path: write_photo(path, 83), "84"),
    "constant": (
        "x.png",
        lambda path: Image.new("RGB", (99, 99), (9, 9, 9)).save(path),
        "contrast",
    ),
    "not finite": (
        "x.tif",
        lambda path: Image.fromarray(np.full((99, 99), np.nan, np.float32)).save(path),
        "NaN",
    ),
    "too large": ("x.png", save_bomb, "pixels"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_photo_is_told_and_the_other_done(
    kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name, make, words = BAD[kind]
    write_photo(Path("good.png"))
    make(Path(name))
    assert estimate("good.png", name) == 1
    printed = capsys.readouterr()
    errors = [line for line in printed.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and name in errors[0] and words in errors[0]
    assert "Traceback" not in printed.err and "Warning" not in printed.err
    assert printed.out.startswith("good.png  widths")
    assert all(path.name.startswith("good") for path in Path("kernelgan_out").iterdir())


def test_cmyk_palette_and_alpha_are_converted_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    image = Image.fromarray(pixels())
    image.convert("CMYK").save("cmyk.jpg")
    image.convert("P").save("palette.png")
    image.convert("RGBA").save("alpha.png")
    assert estimate("cmyk.jpg", "palette.png", "alpha.png", "--formats", "npy") == 0
    err = capsys.readouterr().err
    for words in ("cmyk.jpg: CMYK", "palette.png: palette", "alpha.png: alpha"):
        assert f"note: {words}" in err


def test_only_bad_photos_leave_no_folder() -> None:
    assert estimate("missing.png", "--out", "o") == 1
    assert not Path("o").exists()


def test_an_output_folder_that_is_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    write_photo(Path("a.png"))
    Path("o").write_text("mine")
    assert estimate("a.png", "--out", "o") == 3
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.startswith("error: the output folder must be")
    assert Path("o").read_text() == "mine"


def test_cuda_is_never_replaced_by_the_cpu(capsys: pytest.CaptureFixture[str]) -> None:
    write_photo(Path("a.png"))
    for words in (["--device", "cuda:999"], ["--devices", "cuda:998,cuda:999"]):
        assert estimate("a.png", *words) == 3
        assert "got 'cuda:99" in capsys.readouterr().err
    assert not Path("kernelgan_out").exists()


def test_a_missing_extension(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(*args: Any, **options: Any) -> None:
        raise NativeUnavailable("the compiled extension must be importable")

    monkeypatch.setattr(trainer, "train", train)
    write_photo(Path("a.png"))
    assert estimate("a.png") == 3
    assert "error: the compiled extension" in capsys.readouterr().err
    assert not Path("kernelgan_out").exists()


@pytest.mark.parametrize(("fails_at", "code", "kept"), [("a", 3, 0), ("b", 1, 1)])
def test_a_disk_that_fills_up_ends_the_run(
    fails_at: str,
    code: int,
    kept: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real_save = store.save

    def save(kernel: Any, path: Path) -> None:
        if path.name == f"{fails_at}_kernel_x2.mat":
            raise OutputError(f"cannot write {path}: the disk is full")
        real_save(kernel, path)

    monkeypatch.setattr(store, "save", save)
    for seed, name in enumerate("abc"):
        write_photo(Path("in") / f"{name}.png", seed=seed)
    assert estimate("in") == code
    err = capsys.readouterr().err
    assert "the disk is full" in err and f"{kept} of 3 photos done" in err and "--resume" in err
    found = os.listdir("kernelgan_out") if kept else []
    assert len(found) == 5 * kept and all(name.startswith("a") for name in found)
    assert Path("kernelgan_out").exists() == bool(kept)


def test_a_file_that_cannot_grow_is_not_left_behind() -> None:
    write_photo(Path("a.png"))
    code = (
        "import sys, pytest, quick; quick.add_profiles(pytest.MonkeyPatch())\n"
        "from kernelgan_fast.cli.main import main\n"
        "sys.exit(main(['estimate', 'a.png', '--profile', 'quick']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)),
        env={**environment(), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 3, done.stderr
    assert "error: cannot write" in done.stderr and "Traceback" not in done.stderr
    assert not Path("kernelgan_out").exists()


def test_warnings_of_libraries_become_notes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real_train = trainer.train

    def train(*args: Any, **options: Any) -> list[trainer.TrainedKernel]:
        warnings.warn("something is old", UserWarning, stacklevel=1)
        logging.getLogger("library").warning("something is %s", "odd")
        return real_train(*args, **options)

    monkeypatch.setattr(trainer, "train", train)
    write_photo(Path("a.png"))
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        assert estimate("a.png") == 0
    err = capsys.readouterr().err
    assert "note: something is old\n" in err and "note: something is odd\n" in err
    assert "UserWarning" not in err


def test_the_recipes_are_what_these_tests_think() -> None:
    assert QUICK.iterations < 100 < ENDLESS.iterations
