"""The operations of training and of applying kernels, each twice.

``native`` is fused C++ and needs the compiled extension, ``reference`` is plain torch. Both have
the same functions with the same arguments, so either can be handed to the trainer; both load on
first use.
"""

from __future__ import annotations

import importlib
from types import ModuleType

_MODULES = {
    "native": "kernelgan_fast.ops.library",
    "reference": "kernelgan_fast.ops.reference",
}

__all__ = ["native", "reference"]


def __getattr__(name: str) -> ModuleType:
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
