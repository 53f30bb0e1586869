"""The exception tree: every error this package raises on purpose is a `KernelGanError`.

Each class is also the built-in error a caller would expect (a bad argument is a `ValueError`, a
failed write an `OSError`), and each message says what must hold, what was got and what to do.
"""

from __future__ import annotations

from collections.abc import Mapping

# What PyTorch, Pillow, ONNX Runtime, Python and the loader of libraries say where memory ran out.
_MEMORY = (
    "out of memory",
    "not enough memory",
    "allocate memory",
    "bad allocation",
    "failed to map segment",
    "start new thread",
)


class KernelGanError(Exception):
    """The root: catch this to catch everything the package raises on purpose."""


class InputError(KernelGanError, ValueError):
    """An argument, an array or a kernel file cannot be used."""


class ImageError(InputError):
    """A photo cannot be used: unreadable, too small, constant, not finite, animated, too large."""


class ConfigError(InputError):
    """A training profile does not exist or holds a value out of range."""


class OutputError(KernelGanError, OSError):
    """A result could not be written; nothing half written is left behind."""


class TrainingDiverged(KernelGanError, ArithmeticError):
    """A loss or the kernel stopped being a finite number.

    Attributes:
        iteration: the iteration at which it was noticed, counted from 0.
        losses: the last losses by name.
    """

    def __init__(
        self, message: str, *, iteration: int = 0, losses: Mapping[str, float] | None = None
    ) -> None:
        super().__init__(message)
        self.iteration = iteration
        self.losses: dict[str, float] = dict(losses or {})


class WorkerLost(KernelGanError, RuntimeError):
    """A process that trained a share of a batch was ended from outside."""


class NativeUnavailable(KernelGanError, ImportError):
    """The compiled extension cannot be loaded; the text holds every cause found."""


class DeviceUnavailable(KernelGanError, RuntimeError):
    """The device that was asked for is not there, or was not built in."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, whoever raised it.

    Libraries in C++ raise a plain `RuntimeError` or `OSError` and say so in words alone.
    """
    if isinstance(error, MemoryError):
        return True
    text = str(error).lower()
    kinds = (ImportError, OSError, RuntimeError)
    return isinstance(error, kinds) and any(words in text for words in _MEMORY)
