"""The command line run in this process, and what must hold of its words and exit code."""

from __future__ import annotations

import io
import os
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
from fuzz.outcomes import WrongOutcome, check
from fuzz.pictures import encoded

from kernelgan_fast.cli.main import main

_CODES = (0, 1, 2, 3)
_UNEXPECTED = "should not have happened"
# Line ends and tabs aside, no control character of a file may reach a terminal.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

# A named pipe in the folder of the worker: who opens it for reading waits for ever.
PIPE = "pipe"


def photo(path: Path, side: int = 24, seed: int = 0) -> Path:
    """Write a small photo."""
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3)).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(pixels, "PNG"))
    return path


def make_pipe() -> None:
    """Make `PIPE`, where it is not there yet."""
    if not os.path.exists(PIPE):
        os.mkfifo(PIPE)


def fresh(template: Path, folder: Path) -> None:
    """Make a folder a copy of another."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(template, folder)


def run_command(arguments: Sequence[str], names: Sequence[str], prepare: Callable[[], None]) -> int:
    """Run a command; its exit code.

    Args:
        arguments: of the command line.
        names: of files, one of which must be told where the command fails.
        prepare: makes the files that it needs; called before every run.

    Raises:
        WrongOutcome: the exit code or the words are not as they must be.
        Exception: what the command says should not have happened.
    """
    prepare()
    code, words = _words(arguments)
    if _UNEXPECTED in words:
        prepare()
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            main([*arguments, "--debug"])
        raise WrongOutcome(words)
    check(code in _CODES, f"exit code {code}: {words}")
    check("Traceback" not in words and "RuntimeWarning" not in words, words)
    check(_CONTROL.search(words) is None, f"control characters in {words!r}")
    check(code == 0 or any(name in words for name in names), f"no file is named: {words}")
    return code


def _words(arguments: Sequence[str]) -> tuple[int, str]:
    streams = [
        io.TextIOWrapper(io.BytesIO(), "utf-8", errors, write_through=True)
        for errors in ("strict", "backslashreplace")  # as Python opens stdout and stderr
    ]
    before = sys.stdout, sys.stderr
    try:
        sys.stdout, sys.stderr = streams
        code = main(arguments)
    finally:
        sys.stdout, sys.stderr = before
    buffers = [stream.detach() for stream in streams]
    return code, "".join(buffer.getvalue().decode() for buffer in buffers)
