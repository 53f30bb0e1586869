"""A parser with every fault that the harness must see; the first byte says which."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Callable

import numpy as np
from fuzz.outcomes import check, may_refuse

from kernelgan_fast.errors import InputError


def seeds() -> list[bytes]:
    """An input that is accepted."""
    return [b"\0"]


def run(data: bytes) -> None:
    """Do what the first byte says."""
    with may_refuse("file.bin"):
        FAULTS.get(data[:1], _accept)()


def _accept() -> None:
    check(True, "")


def _refuse() -> None:
    raise InputError("file.bin: not a file; give another")


def _refuse_unnamed() -> None:
    raise InputError("not a file; give another")


def _refuse_for_memory() -> None:
    try:
        raise MemoryError
    except MemoryError as error:
        raise InputError("file.bin: too large") from error


def _raise() -> None:
    raise KeyError("scale")


def _warn() -> None:
    warnings.warn("overflow encountered", RuntimeWarning, stacklevel=1)


def _unsound() -> None:
    check(False, "the kernel is not finite")


def _crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def _exit() -> None:
    os._exit(7)


def _loop() -> None:
    while True:
        pass


def _wait() -> None:
    signal.pause()  # for a signal that nobody sends


def _allocate() -> None:
    np.ones(600 << 17)  # 600 MiB


def _claim() -> None:
    np.empty(1 << 40)


FAULTS: dict[bytes, Callable[[], None]] = {
    b"a": _accept,
    b"b": _refuse,
    b"c": _refuse_unnamed,
    b"d": _refuse_for_memory,
    b"e": _raise,
    b"f": _warn,
    b"g": _unsound,
    b"h": _crash,
    b"i": _exit,
    b"j": _allocate,
    b"k": _claim,
    b"l": _loop,
    b"m": _wait,
}
