"""Closed, full and broken streams: files are made or kept whole, and no traceback is shown."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from patience import PATIENCE
from quick import environment, write_photo
from small_results import gaussian, photo, record, write

from kernelgan_fast.images import read_image

COMMAND = [sys.executable, "-m", "kernelgan_fast"]
UPSCALE = ["upscale", "in", "--kernel", "bicubic", "--method", "bicubic", "--out", "out"]
NEEDS_FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


@pytest.fixture(autouse=True)
def _folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def run(
    redirection: str, *arguments: str, unbuffered: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run the command under a shell's redirection such as `>&-`."""
    shell = ["sh", "-c", f'exec "$@" {redirection}', "sh", *COMMAND, *arguments]
    return subprocess.run(
        shell,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env={**environment(), "PYTHONUNBUFFERED": unbuffered},
    )


@pytest.mark.parametrize("redirection", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_change_no_file(redirection: str) -> None:
    # The first files that are opened would get the numbers of the closed streams.
    write(Path("results"), "a", record(photo(Path("a.png"))), gaussian())
    done = run(redirection, "report", "results", "--out", "page.html")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ("" if ">&-" in redirection.split() else "page.html\n")
    assert "Traceback" not in done.stderr
    page = Path("page.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>") and page.rstrip().endswith("</html>")


def test_a_command_over_photos_without_any_stream() -> None:
    write_photo(Path("in/a.png"), 60, 64)
    assert run("<&- >&- 2>&-", *UPSCALE).returncode == 0
    assert read_image("out/a_x2.png").pixels.shape == (120, 128, 3)


@NEEDS_FULL
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [[], ["--version"], ["--help"], ["upscale", "--help"]])
def test_a_full_stdout_is_told(arguments: list[str], unbuffered: str) -> None:
    done = run(">/dev/full", *arguments, unbuffered=unbuffered)
    assert done.returncode == 3
    assert done.stderr == "error: cannot write to standard output: No space left on device\n"


@NEEDS_FULL
def test_a_full_stdout_ends_a_run_and_what_is_done_is_kept() -> None:
    for name in "ab":
        write_photo(Path(f"in/{name}.png"), 60, 64)
    done = run(">/dev/full", *UPSCALE)
    assert done.returncode == 1
    assert "error: cannot write to standard output: No space left on device\n" in done.stderr
    assert "1 of 2 photos done and kept in out; the same command with --resume" in done.stderr
    assert sorted(os.listdir("out")) == ["a_x2.png", "upscale.json"]


@NEEDS_FULL
def test_a_full_stderr_stops_nothing() -> None:
    write_photo(Path("in/a.png"), 60, 64)
    done = run("2>/dev/full", *UPSCALE)
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.startswith("in/a.png  64 x 60 to 128 x 120 px by bicubic")
    assert run("2>/dev/full", "upscale").returncode == 2


def test_a_pipe_that_is_closed_ends_a_run_and_what_is_done_is_kept() -> None:
    for name in "ab":
        write_photo(Path(f"in/{name}.png"), 60, 64)
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as stdout:
        done = subprocess.run(
            [*COMMAND, *UPSCALE], stdout=stdout, stderr=subprocess.PIPE, env=environment()
        )
    assert done.returncode == 1 and b"Traceback" not in done.stderr
    assert sorted(os.listdir("out")) == ["a_x2.png", "upscale.json"]


@NEEDS_FULL
@pytest.mark.parametrize("target", ["/dev/full", "link", "fifo"])
def test_devices_are_not_written_to(target: str) -> None:
    write(Path("results"), "a", record(photo(Path("a.png"))), gaussian())
    Path("link").symlink_to("/dev/null")
    os.mkfifo("fifo")
    before = os.stat(target)
    done = run("", "report", "results", "--out", target)
    kind = "a pipe" if target == "fifo" else "a device"
    assert done.returncode == 3
    assert f"error: cannot write {target}: it is {kind}: give the name of a file\n" in done.stderr
    assert os.stat(target).st_ino == before.st_ino
