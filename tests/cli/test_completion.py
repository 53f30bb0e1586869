"""`kernelgan-fast completion`: what bash offers, and that every shell gets a script."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from kernelgan_fast.cli.main import main

# Asks the script as bash does when Tab is pressed after the words.
ASK = """
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
asked=$(complete -p kernelgan-fast | sed 's/.*-F \\([^ ]*\\).*/\\1/')
$asked kernelgan-fast "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "tcsh"])
def test_every_shell_gets_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = script(shell, capsys)
    assert "kernelgan-fast" in text
    for word in ("estimate", "upscale", "completion"):
        assert word in text
    reader = shutil.which(shell)
    if reader is not None:
        done = subprocess.run([reader, "-n"], input=text, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_bash_offers_what_may_stand_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not here")
    (tmp_path / "script").write_text(script("bash", capsys))
    (tmp_path / "photos").mkdir()
    (tmp_path / "k.mat").touch()

    def offered(*words: str) -> list[str]:
        command = [bash, "-c", ASK, "bash", "./script", "kernelgan-fast", *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.split()

    assert offered("est") == ["estimate"]
    assert offered("estimate", "--see") == ["--seed", "--seeds"]
    assert offered("estimate", "--profile", "c") == ["corrected"]
    assert offered("estimate", "ph") == ["photos"]
    assert offered("upscale", "--method", "u") == ["unfold"]
    assert offered("upscale", "--kernel", "k") == ["k.mat"]
    assert offered("upscale", "--out", "") == ["photos"]  # folders only
    assert offered("evaluate", "s") == ["sr"]


def test_an_unknown_shell_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "fisch"]) == 2
    assert "did you mean fish?" in capsys.readouterr().err
