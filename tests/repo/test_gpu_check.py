"""scripts/gpu_check: its words, its usage, and what it says where there is no GPU."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from patience import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
BASH = shutil.which("bash")

pytestmark = pytest.mark.skipif(BASH is None, reason="needs bash")


def gpu_check(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it with this Python, which is shown no GPU."""
    assert BASH is not None
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "PYTHON": sys.executable}
    return subprocess.run(
        [BASH, str(ROOT / "scripts" / "gpu_check"), *arguments],
        capture_output=True,
        text=True,
        env=environment,
        timeout=PATIENCE,
    )


def test_help_names_every_step() -> None:
    done = gpu_check("--help")
    assert done.returncode == 0 and done.stderr == ""
    for step in ("ops", "sanitize", "graph", "bench", "stages", "train"):
        assert f"\n  {step} " in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["oops"], "no such step: oops"),
        (["ops", "--fast"], "no such step: --fast"),
        (["--out"], "usage"),
    ],
)
def test_wrong_usage(arguments: list[str], words: str) -> None:
    done = gpu_check(*arguments)
    assert done.returncode == 2
    assert words in done.stderr and "usage: scripts/gpu_check" in done.stderr


def test_without_a_gpu_it_says_so_and_builds_nothing() -> None:
    folder = ROOT / ".gpu_check"
    there = folder.exists()
    done = gpu_check("ops")
    assert done.returncode == 3
    assert "no GPU" in done.stderr and "nvidia-smi" in done.stderr
    assert done.stdout == ""
    assert folder.exists() == there


def test_it_can_be_run() -> None:
    assert os.access(ROOT / "scripts" / "gpu_check", os.X_OK)
