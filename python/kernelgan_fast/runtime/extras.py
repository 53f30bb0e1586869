"""Packages that only some users want."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from kernelgan_fast.errors import InputError


def required(module: str, extra: str) -> Any:
    """Import a package of an extra.

    Args:
        module: what to import.
        extra: the extra of kernelgan-fast that brings it.

    Raises:
        InputError: it is not installed, or cannot be loaded.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise InputError(
            f"{module} must be installed for this ({error}); pip install 'kernelgan-fast[{extra}]'"
        ) from error
