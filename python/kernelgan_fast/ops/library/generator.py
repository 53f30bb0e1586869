"""The generator's ops: its kernel, the penalties on it, its crops downscaled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from kernelgan_fast.ops.library.registry import define, native, ops


def _kernel_side(sizes: Sequence[int]) -> int:
    return 1 + sum(sizes) - len(sizes)


def _extract_kernel(weights: Tensor, sizes: list[int], features: int) -> tuple[Tensor, Tensor]:
    weights = weights.contiguous()
    kernel, saved = _extract_kernel_fake(weights, sizes, features)
    native.extract_kernel_forward(weights, sizes, features, kernel, saved)
    return kernel, saved


def _extract_kernel_fake(weights: Tensor, sizes: list[int], features: int) -> tuple[Tensor, Tensor]:
    count, side = weights.shape[0], _kernel_side(sizes)
    kernel = weights.new_empty((count, side, side))
    return kernel, weights.new_empty((count, native.extract_kernel_saved(sizes, features)))


def _extract_kernel_setup(ctx: Any, inputs: Any, output: Any) -> None:
    ctx.save_for_backward(inputs[0], output[1])
    ctx.geometry = inputs[1:]
    ctx.set_materialize_grads(False)


def _extract_kernel_formula(
    ctx: Any, grad_kernel: Tensor | None, _: Any
) -> tuple[Tensor | None, ...]:
    if grad_kernel is None:
        return None, None, None
    weights, saved = ctx.saved_tensors
    return ops.extract_kernel_backward(grad_kernel, weights, saved, *ctx.geometry), None, None


def _extract_kernel_backward(
    grad_kernel: Tensor, weights: Tensor, saved: Tensor, sizes: list[int], features: int
) -> Tensor:
    weights = weights.contiguous()
    grad_weights = torch.empty_like(weights)
    native.extract_kernel_backward(
        grad_kernel.contiguous(), weights, saved, sizes, features, grad_weights
    )
    return grad_weights


define(
    "extract_kernel(Tensor weights, int[] sizes, int features) -> (Tensor, Tensor)",
    _extract_kernel,
    _extract_kernel_fake,
    (_extract_kernel_formula, _extract_kernel_setup),
)
define(
    "extract_kernel_backward(Tensor grad_kernel, Tensor weights, Tensor saved, int[] sizes,"
    " int features) -> Tensor",
    _extract_kernel_backward,
    lambda grad_kernel, weights, *_: torch.empty_like(weights),
)


def extract_kernel(weights: Tensor, sizes: Sequence[int], features: int) -> Tensor:
    """See :func:`kernelgan_fast.ops.reference.extract_kernel`."""
    kernel: Tensor = ops.extract_kernel(weights, sizes, features)[0]
    return kernel


def _kernel_regularizers(
    kernel: Tensor, mask: Tensor, weights: Tensor, sparse_power: float
) -> tuple[Tensor, Tensor, Tensor]:
    kernel = kernel.contiguous()
    loss, terms, grad = _kernel_regularizers_fake(kernel, mask, weights, sparse_power)
    native.kernel_regularizers_forward(
        kernel, mask.contiguous(), weights.contiguous(), sparse_power, loss, terms, grad
    )
    return loss, terms, grad


def _kernel_regularizers_fake(
    kernel: Tensor, mask: Tensor, weights: Tensor, sparse_power: float
) -> tuple[Tensor, Tensor, Tensor]:
    count = kernel.shape[0]
    return kernel.new_empty(count), kernel.new_empty((count, 4)), torch.empty_like(kernel)


def _kernel_regularizers_setup(ctx: Any, inputs: Any, output: Any) -> None:
    ctx.save_for_backward(output[2])
    ctx.mark_non_differentiable(output[1], output[2])
    ctx.set_materialize_grads(False)


def _kernel_regularizers_formula(
    ctx: Any, grad_loss: Tensor | None, *_: Any
) -> tuple[Tensor | None, ...]:
    if grad_loss is None:
        return None, None, None, None
    (grad,) = ctx.saved_tensors
    return grad_loss[:, None, None] * grad, None, None, None


define(
    "kernel_regularizers(Tensor kernel, Tensor mask, Tensor weights, float sparse_power)"
    " -> (Tensor, Tensor, Tensor)",
    _kernel_regularizers,
    _kernel_regularizers_fake,
    (_kernel_regularizers_formula, _kernel_regularizers_setup),
)


def kernel_regularizers(
    kernel: Tensor, mask: Tensor, weights: Tensor, sparse_power: float
) -> tuple[Tensor, Tensor]:
    """See :func:`kernelgan_fast.ops.reference.kernel_regularizers`."""
    loss, terms, _ = ops.kernel_regularizers(kernel, mask, weights, sparse_power)
    return loss, terms


def _downscale_crops(crops: Tensor, kernel: Tensor) -> Tensor:
    crops, kernel = crops.contiguous(), kernel.contiguous()
    out = _downscale_crops_fake(crops, kernel)
    native.downscale_crops_forward(crops, kernel, out)
    return out


def _downscale_crops_fake(crops: Tensor, kernel: Tensor) -> Tensor:
    count, channels, side, _ = crops.shape
    out_side = max(0, (side - kernel.shape[-1]) // 2 + 1)
    return crops.new_empty((count, channels, out_side, out_side))


def _downscale_crops_setup(ctx: Any, inputs: Any, output: Any) -> None:
    ctx.save_for_backward(inputs[0])
    ctx.kernel_side = inputs[1].shape[-1]


def _downscale_crops_formula(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
    (crops,) = ctx.saved_tensors
    if not ctx.needs_input_grad[1]:
        return None, None
    return None, ops.downscale_crops_backward(grad_out, crops, ctx.kernel_side)


def _downscale_crops_backward(grad_out: Tensor, crops: Tensor, kernel_side: int) -> Tensor:
    grad_kernel = _downscale_crops_backward_fake(grad_out, crops, kernel_side)
    native.downscale_crops_backward(grad_out.contiguous(), crops.contiguous(), grad_kernel)
    return grad_kernel


def _downscale_crops_backward_fake(grad_out: Tensor, crops: Tensor, kernel_side: int) -> Tensor:
    return crops.new_empty((crops.shape[0], kernel_side, kernel_side))


define(
    "downscale_crops(Tensor crops, Tensor kernel) -> Tensor",
    _downscale_crops,
    _downscale_crops_fake,
    (_downscale_crops_formula, _downscale_crops_setup),
)
define(
    "downscale_crops_backward(Tensor grad_out, Tensor crops, int kernel_side) -> Tensor",
    _downscale_crops_backward,
    _downscale_crops_backward_fake,
)


def downscale_crops(crops: Tensor, kernel: Tensor) -> Tensor:
    """See :func:`kernelgan_fast.ops.reference.downscale_crops`; crops get no gradient."""
    out: Tensor = ops.downscale_crops(crops, kernel)
    return out
