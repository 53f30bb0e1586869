"""Signals that end a command: half-done work is cleaned up first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED, HUNG_UP, TERMINATED = 130, 129, 143

_WORDS = {INTERRUPTED: "interrupted", HUNG_UP: "hung up", TERMINATED: "terminated"}
_CODES = {signal.SIGHUP: HUNG_UP, signal.SIGTERM: TERMINATED}

_received: list[int] = []


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP, treated as Ctrl-C is: clean up, say how to go on."""


@contextmanager
def stop_signals() -> Iterator[None]:
    """Raise `Terminated` at SIGTERM and at SIGHUP, the end of the terminal.

    Only the first one raises: a closed terminal sends several, and the clean-up must not be cut
    short. A signal that is ignored from the start, as SIGHUP by `nohup`, stays so.
    """
    _received.clear()
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return
    before = {
        number: signal.signal(number, _stop)
        for number in _CODES
        if signal.getsignal(number) != signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stopped() -> tuple[int, str]:
    """The exit code of a command that a signal has stopped, and the word for it."""
    # Kept apart from the exception, as Ray makes a plain KeyboardInterrupt of what is raised here.
    code = _CODES[signal.Signals(_received[0])] if _received else INTERRUPTED
    return code, _WORDS[code]


def _stop(number: int, frame: FrameType | None) -> None:
    _received.append(number)
    if len(_received) == 1:
        raise Terminated
