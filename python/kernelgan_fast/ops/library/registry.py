"""How a function of the extension becomes an op of torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from kernelgan_fast.errors import InputError
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


def shape_of(tensor: Tensor, name: str, axes: str) -> torch.Size:
    """The shape of an argument, from which outputs are made.

    Args:
        tensor: the argument.
        name: of the argument.
        axes: as the extension names them, such as "(N, C, H, W)".

    Raises:
        InputError: the tensor has another number of axes.
    """
    if tensor.dim() != axes.count(",") + 1:
        raise InputError(f"{name} must be {axes}, got {tuple(tensor.shape)}.")
    return tensor.shape


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
        name, _, rest = schema.partition("(")
        self._names = [argument.split()[-1] for argument in rest.split(")")[0].split(", ")]
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
        if traced:
            return self._traced(*arguments)
        try:
            return self._eager(*arguments)
        except RuntimeError as error:
            _refuse_sparse(self._names, arguments, error)
            raise


def _refuse_sparse(names: Sequence[str], arguments: Sequence[Any], error: RuntimeError) -> None:
    """Name the argument that is not a dense tensor, where torch failed with such a one."""
    for name, value in zip(names, arguments, strict=False):
        for tensor in value if isinstance(value, (list, tuple)) else (value,):
            if isinstance(tensor, Tensor) and (
                tensor.layout is not torch.strided or tensor.is_nested
            ):
                kind = "nested" if tensor.is_nested else tensor.layout
                raise InputError(
                    f"{name} must be a dense tensor, got a {kind} one; convert it to a dense one."
                ) from error


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
