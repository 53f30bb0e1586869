"""Signals in mid-run: finished photos stay, nothing else does, the rest can follow."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from patience import PATIENCE, wait_until
from quick import environment, write_photo

# The first photo trains at once, the others until they are stopped; the file "endless" is made when
# the first of these begins.
PROGRAM = """
import pathlib, sys
import pytest, quick
from kernelgan_fast.gan import trainer
real_train, calls = trainer.train, []
def train(problems, config, **options):
    calls.append(1)
    endless = len(calls) > 1 and "--resume" not in sys.argv
    if endless:
        pathlib.Path("endless").touch()
    return real_train(problems, quick.ENDLESS if endless else config, **options)
trainer.train = train
quick.add_profiles(pytest.MonkeyPatch())
from kernelgan_fast.cli.main import main
sys.exit(main())
"""


def command(*options: str) -> list[str]:
    estimate = ["estimate", "in", "--profile", "quick", "--jobs", "1", "--formats", "npy"]
    return [sys.executable, "-c", PROGRAM, *estimate, *options]


def handle_signals() -> None:
    """Ignore no signal, though pytest may: SIGINT in the background, SIGHUP under nohup."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [
        (signal.SIGINT, 130, "interrupted"),
        (signal.SIGTERM, 143, "terminated"),
        (signal.SIGHUP, 129, "hung up"),
    ],
)
def test_a_stopped_run_resumes(tmp_path: Path, number: int, code: int, word: str) -> None:
    for seed, name in enumerate("abc"):
        write_photo(tmp_path / "in" / f"{name}.png", seed=seed)
    process = subprocess.Popen(
        command(),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=handle_signals,
        env=environment(),
    )
    assert process.stdout is not None
    first = process.stdout.readline()  # printed once the first photo's files are there
    wait_until(lambda: (tmp_path / "endless").exists() or process.poll() is not None)
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == code, err
    assert first.startswith("a.png") or first.startswith("in/a.png")
    assert out == "" and "Traceback" not in err
    assert word in err and "1 of 3 photos done and kept in kernelgan_out" in err
    assert "--resume" in err
    folder = tmp_path / "kernelgan_out"
    assert sorted(os.listdir(folder)) == ["a.json", "a_kernel_x2.npy"]

    again = subprocess.run(
        command("--resume"), cwd=tmp_path, capture_output=True, text=True, env=environment()
    )
    assert again.returncode == 0, again.stderr
    assert "2 done, 1 done earlier" in again.stderr
    assert len(again.stdout.splitlines()) == 3
    assert len(os.listdir(folder)) == 6
