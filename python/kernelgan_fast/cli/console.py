"""The one way the commands print: safe text, and streams that may be closed, full or narrow.

Results go to stdout, messages to stderr. Whatever a name of a file holds, one call prints one line
and no control character. A stdout that can no longer be written to ends the command, a stderr does
not: its messages are dropped.
"""

from __future__ import annotations

import errno
import io
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from kernelgan_fast.errors import OutputError
from kernelgan_fast.escaping import printable


def prepare_streams() -> None:
    """Make stdout and stderr usable whatever the process was started with.

    Descriptors that are closed are opened on the null device: otherwise the next file that is
    opened gets their number, and what a library prints is written into it. Characters that the
    encoding does not have are escaped.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def print_result(text: object) -> None:
    """Print a line on stdout.

    Raises:
        BrokenPipeError: nobody reads it any more.
        OutputError: it cannot be written for another reason.
    """
    _write_result(printable(text))


def print_document(text: str) -> None:
    """Print lines on stdout, such as tables or JSON; names in them must not hold line breaks.

    Raises:
        BrokenPipeError: nobody reads them any more.
        OutputError: they cannot be written for another reason.
    """
    _write_result("\n".join(printable(line) for line in text.removesuffix("\n").split("\n")))


def flush_results() -> None:
    """Write what is still buffered for stdout, as at exit no failure could be answered.

    Raises:
        BrokenPipeError: nobody reads it any more.
        OutputError: it cannot be written for another reason.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        _refuse_results(error)


def print_message(text: object) -> None:
    """Print a line on stderr; where that is not possible, drop it."""
    write_message(sys.stderr, f"{printable(text)}\n")


def write_message(stream: TextIO, text: str) -> None:
    """Write text as it is to a stream that is not needed to go on."""
    try:
        stream.write(text)
        stream.flush()
    except OSError:
        _abandon(stream)


def note(say: Callable[[str], None], message: object) -> None:
    """Say a note of a library, which may have several lines, on one."""
    say(f"note: {' '.join(str(message).split())}")


@contextmanager
def library_notes(say: Callable[[str], None]) -> Iterator[None]:
    """Show warnings and log messages of libraries as notes, without file names and code.

    Args:
        say: shows a line.
    """

    def show(message: Warning | str, *details: Any, **more: Any) -> None:
        note(say, message)

    root, handler = logging.getLogger(), _NoteHandler(say)
    outer = [other for other in root.handlers if isinstance(other, _NoteHandler)]
    for other in outer:
        root.removeHandler(other)
    root.addHandler(handler)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = show
            yield
    finally:
        root.removeHandler(handler)
        for other in outer:
            root.addHandler(other)


class _NoteHandler(logging.Handler):
    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        note(self._say, record.getMessage())


def _write_result(text: str) -> None:
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except OSError as error:
        _refuse_results(error)


def _refuse_results(error: OSError) -> None:
    _abandon(sys.stdout)
    if error.errno == errno.EPIPE:
        raise BrokenPipeError(errno.EPIPE, "nobody reads the output") from error
    reason = error.strerror or error
    raise OutputError(f"cannot write to standard output: {reason}") from error


def _abandon(stream: TextIO) -> None:
    """Let what is still buffered go to the null device: at exit Python would complain of it."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
