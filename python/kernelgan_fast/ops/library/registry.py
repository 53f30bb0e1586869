"""How a function of the extension becomes an op of torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from kernelgan_fast.ops.loading import load_native

native = load_native()
_library = torch.library.Library("kernelgan_fast", "DEF")


def on_cuda(tensor: Tensor, *workspace: Tensor | None) -> tuple[Any, ...]:
    """The last arguments of a native call on a GPU: its workspace, if any, and torch's stream.

    Without them it works on the CPU, where none of this is asked for.
    """
    if not tensor.is_cuda:
        return ()
    return (*workspace, torch.cuda.current_stream(tensor.device).cuda_stream)


class Gradient:
    """How an op is differentiated: what its forward pass keeps, and the formula; subclassed."""

    @staticmethod
    def keep(ctx: Any, inputs: Any, output: Any) -> None:
        """Save on ``ctx`` what ``formula`` needs."""
        raise NotImplementedError

    @staticmethod
    def formula(ctx: Any, *grads: Any) -> tuple[Tensor | None, ...]:
        """Gradients of the inputs from those of the outputs."""
        raise NotImplementedError


class Op:
    """An op that torch knows: schema, implementation, fake, gradient.

    Whoever traces (compile, export, fake tensors) goes through ``torch.ops.kernelgan_fast``. Plain
    eager calls skip the dispatcher, which costs more than the smaller ops do; both run the same
    functions.

    Args:
        schema: in torch's language, beginning with the name.
        implementation: the op on tensors of the CPU or of a CUDA device.
        fake: makes the outputs without computing them.
        gradient: of an op that has one.
    """

    def __init__(
        self,
        schema: str,
        implementation: Callable[..., Any],
        fake: Callable[..., Any],
        gradient: type[Gradient] | None = None,
    ) -> None:
        name = schema.split("(")[0]
        _library.define(schema)
        for device in ("CPU", "CUDA"):
            _library.impl(name, implementation, device)
        torch.library.register_fake(f"kernelgan_fast::{name}", fake, lib=_library)
        self._eager = implementation
        if gradient is not None:
            torch.library.register_autograd(
                f"kernelgan_fast::{name}",
                gradient.formula,
                setup_context=gradient.keep,
                lib=_library,
            )
            self._eager = _differentiable(implementation, gradient)
        self._traced = getattr(torch.ops.kernelgan_fast, name).default

    def __call__(self, *arguments: Any) -> Any:
        traced = torch.compiler.is_compiling() or torch._C._len_torch_dispatch_stack()
        return (self._traced if traced else self._eager)(*arguments)


def _differentiable(
    implementation: Callable[..., Any], gradient: type[Gradient]
) -> Callable[..., Any]:
    """The implementation as an autograd function.

    ``forward`` takes ctx: with a separate ``setup_context`` torch inspects the signature of forward
    at every call, which takes longer than the smaller ops.
    """

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *inputs: Any) -> Any:
            output = implementation(*inputs)
            gradient.keep(ctx, inputs, output)
            return output

        @staticmethod
        def backward(ctx: Any, *grads: Any) -> tuple[Tensor | None, ...]:
            return gradient.formula(ctx, *grads)

    apply: Callable[..., Any] = Function.apply
    return apply
