"""Finding the compiled extension, and saying everything that went wrong where it is not there."""

from __future__ import annotations

import importlib
from types import ModuleType

from kernelgan_fast.errors import NativeUnavailable


def load_native() -> ModuleType:
    """The compiled module ``kernelgan_fast._native``.

    Raises:
        NativeUnavailable: it cannot be imported; the text holds the cause and what to do.
    """
    try:
        return importlib.import_module("kernelgan_fast._native")
    except ImportError as error:
        raise NativeUnavailable(
            "the compiled extension kernelgan_fast._native must be importable, got "
            f"{type(error).__name__}: {error}; install the package (pip install .) with the Python "
            "that runs it"
        ) from error
