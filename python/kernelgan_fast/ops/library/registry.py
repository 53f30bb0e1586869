"""How an op of the extension becomes an op of torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from kernelgan_fast.ops.loading import load_native

native = load_native()
ops: Any = torch.ops.kernelgan_fast
_library = torch.library.Library("kernelgan_fast", "DEF")


def define(
    schema: str,
    implementation: Callable[..., Any],
    fake: Callable[..., Any],
    backward: tuple[Callable[..., Any], Callable[..., None]] | None = None,
) -> None:
    """Registers one op; ``backward`` is (formula, setup_context) of ``torch.library``."""
    _library.define(schema)
    name = schema.split("(")[0]
    _library.impl(name, implementation, "CPU")
    torch.library.register_fake(f"kernelgan_fast::{name}", fake, lib=_library)
    if backward is not None:
        formula, setup = backward
        torch.library.register_autograd(
            f"kernelgan_fast::{name}", formula, setup_context=setup, lib=_library
        )
