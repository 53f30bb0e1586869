"""The command as a whole: help, versions, wrong words, exit codes, no traceback."""

from __future__ import annotations

import argparse
import logging
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

import kernelgan_fast
from kernelgan_fast.cli import estimate
from kernelgan_fast.cli.main import build_parser, main
from kernelgan_fast.errors import KernelGanError, NativeUnavailable, TrainingDiverged


def test_without_arguments_it_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "kernelgan-fast estimate photo.png" in capsys.readouterr().out


def every_command(parser: argparse.ArgumentParser) -> Iterator[list[str]]:
    """The words of each command, those that only lead to others among them."""
    yield []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                yield from ([name, *rest] for rest in every_command(command))


@pytest.mark.parametrize(
    "arguments", [[], *([*words, "--help"] for words in every_command(build_parser()[0]))], ids=str
)
def test_help_fits_80_columns(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert out and max(map(len, out.splitlines())) < 80


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    main(["estimate", "--help"])
    out = capsys.readouterr().out
    options = "scale profile iterations seed seeds real out formats resume quiet json jobs device"
    for option in (*options.split(), "debug"):
        assert f"--{option} " in out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"kernelgan-fast {kernelgan_fast.__version__}\n"


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from kernelgan_fast.cli.main import main; main(['estimate', '--help'])\n"
        "heavy = {'torch', 'numpy', 'scipy', 'PIL'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_module_runs_too() -> None:
    command = [sys.executable, "-m", "kernelgan_fast", "--version"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("kernelgan-fast ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["estimat", "a.png"], "did you mean estimate?"),
        ([__file__], f"did you mean kernelgan-fast estimate {__file__}?"),
        (["estimate", "a.png", "--sead", "3"], "did you mean --seed?"),
        (["estimate", "a.png", "--itterations=3"], "did you mean --iterations?"),
        (["info", "--jsn"], "did you mean --json?"),
        (["estimate"], "PHOTO"),
        (["estimate", "a.png", "--scale", "5"], "choose from"),
        (["estimate", "a.png", "--scale", "3", "--method", "kernelgan"], "scale 2 and 4, got 3"),
        (["estimate", "a.png", "--seed", "x"], "invalid int value"),
        (["estimate", "a.png", "--profile", "papr"], "did you mean 'paper'?"),
        (["estimate", "a.png", "--iterations", "-1"], "iterations must be"),
        (["estimate", "a.png", "--jobs", "0"], "at least 1, got 0"),
        (["estimate", "a.png", "--seeds", "0"], "seeds must be 1 to 100"),
        (["estimate", "a.png", "--formats", "npy,matt"], "did you mean mat?"),
        (["estimate", "a.png", "--device", "gpu"], "device must be auto, cpu or cuda"),
    ],
)
def test_wrong_usage(
    arguments: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ") and words in printed.err
    assert not any(tmp_path.iterdir())


def run_that_raises(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def run(args: Any) -> int:
        raise error

    monkeypatch.setattr(estimate, "run", run)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (NativeUnavailable("no extension"), 3, "error: no extension"),
        (TrainingDiverged("not finite"), 1, "error: not finite"),
        (KernelGanError("odd"), 1, "error: odd"),
        (RuntimeError("oops"), 1, "error: this should not have happened: RuntimeError: oops"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError("8 GB"), 1, "error: memory ran out (8 GB)"),
        (OSError(36, "File name too long", "b.npy"), 3, "error: b.npy: File name too long"),
    ],
    ids=str,
)
def test_exceptions_become_messages(
    error: BaseException,
    code: int,
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_that_raises(monkeypatch, error)
    assert main(["estimate", "a.png"]) == code
    err = capsys.readouterr().err
    assert err.startswith(words) and "Traceback" not in err


def test_debug_shows_where(monkeypatch: pytest.MonkeyPatch) -> None:
    run_that_raises(monkeypatch, RuntimeError("oops"))
    with pytest.raises(RuntimeError, match="oops"):
        main(["estimate", "a.png", "--debug"])


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("argument", ["info", "--help"])
def test_a_closed_pipe_is_no_error(argument: str, unbuffered: str) -> None:
    code = f"import sys; from kernelgan_fast.cli.main import main; sys.exit(main([{argument!r}]))"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode in (0, 1)


def test_what_libraries_say_is_shown_as_notes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(args: Any) -> int:
        warnings.warn("overflow\n  encountered", RuntimeWarning, stacklevel=1)
        warnings.warn("an \x1b[31mold name", UserWarning, stacklevel=1)
        logging.getLogger("library").warning("said %s", "so")
        return 0

    monkeypatch.setattr(estimate, "run", run)
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        assert main(["estimate", "a.png"]) == 0
        assert main(["estimate", "a.png", "--quiet"]) == 0
    said = capsys.readouterr().err
    assert said == "note: overflow encountered\nnote: an \\x1b[31mold name\nnote: said so\n"
