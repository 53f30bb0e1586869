"""What a parser may do with bytes: give a sound result, or refuse them in words."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernelgan_fast.errors import KernelGanError


class RejectedInput(Exception):
    """A parser refused an input in words, as it may."""


class WrongOutcome(AssertionError):
    """A parser did what it may not do."""


@contextmanager
def may_refuse(*names: str, for_memory: bool = False) -> Iterator[None]:
    """Turn the package's own errors whose message has one of the names into `RejectedInput`.

    Args:
        names: of the file.
        for_memory: whether memory that ran out is a reason; else what a file claims must be
            checked before memory is taken for it.

    Raises:
        RejectedInput: the input was refused as it may be.
        WrongOutcome: the message names no file, or the reason was memory.
    """
    try:
        yield
    except KernelGanError as error:
        if not any(name in str(error) for name in names):
            raise WrongOutcome(f"the error does not name the file: {_told(error)}") from error
        if not for_memory and _memory_ran_out(error):
            raise WrongOutcome(f"refused only after memory ran out: {_told(error)}") from error
        raise RejectedInput(_told(error)) from error


def check(holds: bool, what: str) -> None:
    """Fail unless something holds that must.

    Raises:
        WrongOutcome: it does not.
    """
    if not holds:
        raise WrongOutcome(what)


def check_pixels(pixels: NDArray[Any], shape: tuple[int, ...] | None = None) -> None:
    """Check an array of uint8, or of finite float32 in [0, 1], of the shape where one is given."""
    check(pixels.dtype in (np.uint8, np.float32), f"pixels of {pixels.dtype}")
    check(pixels.size > 0, f"no pixels: {pixels.shape}")
    check(shape is None or pixels.shape == shape, f"pixels of shape {pixels.shape}, not {shape}")
    if pixels.dtype == np.float32:
        low, high = float(pixels.min()), float(pixels.max())
        check(0 <= low <= high <= 1, f"pixels from {low} to {high}")


def choice(data: bytes, count: int) -> int:
    """Choose one of `count` by the bytes, for targets with more than one way to use them."""
    return hashlib.sha256(data).digest()[0] % count


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _memory_ran_out(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, MemoryError) or "llocate memory" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False
