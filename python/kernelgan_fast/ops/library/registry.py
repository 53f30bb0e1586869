"""How a function of the extension becomes an op of torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from kernelgan_fast.ops.loading import load_native

native = load_native()
_library = torch.library.Library("kernelgan_fast", "DEF")


class Op:
    """An op that torch knows: schema, CPU implementation, fake, gradient.

    Whoever traces (compile, export, fake tensors) goes through ``torch.ops.kernelgan_fast``. Plain
    eager calls skip the dispatcher, which costs more than the smaller ops do; both run the same
    functions.

    Args:
        schema: in torch's language, beginning with the name.
        implementation: the op on CPU tensors.
        fake: makes the outputs without computing them.
        function: the same implementation as an autograd function, for an op with a gradient.
    """

    def __init__(
        self,
        schema: str,
        implementation: Callable[..., Any],
        fake: Callable[..., Any],
        function: type[torch.autograd.Function] | None = None,
    ) -> None:
        name = schema.split("(")[0]
        _library.define(schema)
        _library.impl(name, implementation, "CPU")
        torch.library.register_fake(f"kernelgan_fast::{name}", fake, lib=_library)
        self._eager: Callable[..., Any] = implementation
        if function is not None:
            torch.library.register_autograd(
                f"kernelgan_fast::{name}",
                function.backward,
                setup_context=function.setup_context,
                lib=_library,
            )
            self._eager = function.apply
        self._traced = getattr(torch.ops.kernelgan_fast, name).default

    def __call__(self, *arguments: Any) -> Any:
        traced = torch.compiler.is_compiling() or torch._C._len_torch_dispatch_stack()
        return (self._traced if traced else self._eager)(*arguments)
