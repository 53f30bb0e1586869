"""The generator's ops: its kernel, the penalties on it, its crops downscaled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from kernelgan_fast.ops.library.registry import Gradient, Op, native, on_cuda, shape_of


def _fake_extract_kernel(
    weights: Tensor, sizes: Sequence[int], features: int
) -> tuple[Tensor, Tensor]:
    saved = native.extract_kernel_saved(sizes, features)  # refuses what no generator has
    count, side = shape_of(weights, "weights", "(N, P)")[0], 1 + sum(sizes) - len(sizes)
    return weights.new_empty((count, side, side)), weights.new_empty((count, saved))


def _forward_extract_kernel(
    weights: Tensor, sizes: Sequence[int], features: int
) -> tuple[Tensor, Tensor]:
    weights = weights.contiguous()
    kernel, saved = _fake_extract_kernel(weights, sizes, features)
    native.extract_kernel_forward(weights, sizes, features, kernel, saved, *on_cuda(weights))
    return kernel, saved


class _ExtractKernelGradient(Gradient):
    @staticmethod
    def keep(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(inputs[0], output[1])
        ctx.geometry = inputs[1:]
        ctx.mark_non_differentiable(output[1])
        ctx.set_materialize_grads(False)

    @staticmethod
    def formula(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        if grads[0] is None:
            return None, None, None
        weights, saved = ctx.saved_tensors
        return _extract_kernel_backward(grads[0], weights, saved, *ctx.geometry), None, None


def _backward_extract_kernel(
    grad_kernel: Tensor, weights: Tensor, saved: Tensor, sizes: Sequence[int], features: int
) -> Tensor:
    weights = weights.contiguous()
    grad_weights = torch.empty_like(weights)
    grad_kernel = grad_kernel.contiguous()
    workspace = torch.empty_like(saved) if saved.is_cuda else None
    last = on_cuda(weights, workspace)
    native.extract_kernel_backward(
        grad_kernel, weights, saved, sizes, features, grad_weights, *last
    )
    return grad_weights


_extract_kernel = Op(
    "extract_kernel(Tensor weights, int[] sizes, int features) -> (Tensor, Tensor)",
    _forward_extract_kernel,
    _fake_extract_kernel,
    _ExtractKernelGradient,
)
_extract_kernel_backward = Op(
    "extract_kernel_backward(Tensor grad_kernel, Tensor weights, Tensor saved, int[] sizes,"
    " int features) -> Tensor",
    _backward_extract_kernel,
    lambda grad_kernel, weights, *_: torch.empty_like(weights),
)


def extract_kernel(weights: Tensor, sizes: Sequence[int], features: int) -> Tensor:
    """See :func:`kernelgan_fast.ops.reference.extract_kernel`."""
    kernel: Tensor = _extract_kernel(weights, sizes, features)[0]
    return kernel


def _fake_kernel_regularizers(
    kernel: Tensor, mask: Tensor, weights: Tensor, sparse_power: float
) -> tuple[Tensor, Tensor, Tensor]:
    count = shape_of(kernel, "kernel", "(N, K, K)")[0]
    return kernel.new_empty(count), kernel.new_empty((count, 4)), kernel.new_empty(kernel.shape)


def _forward_kernel_regularizers(
    kernel: Tensor, mask: Tensor, weights: Tensor, sparse_power: float
) -> tuple[Tensor, Tensor, Tensor]:
    kernel, mask, weights = kernel.contiguous(), mask.contiguous(), weights.contiguous()
    outputs = _fake_kernel_regularizers(kernel, mask, weights, sparse_power)
    native.kernel_regularizers_forward(
        kernel, mask, weights, sparse_power, *outputs, *on_cuda(kernel)
    )
    return outputs


class _KernelRegularizersGradient(Gradient):
    @staticmethod
    def keep(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(output[2])
        ctx.mark_non_differentiable(output[1], output[2])
        ctx.set_materialize_grads(False)

    @staticmethod
    def formula(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        if grads[0] is None:
            return None, None, None, None
        (grad,) = ctx.saved_tensors
        return grads[0][:, None, None] * grad, None, None, None


_kernel_regularizers = Op(
    "kernel_regularizers(Tensor kernel, Tensor mask, Tensor weights, float sparse_power)"
    " -> (Tensor, Tensor, Tensor)",
    _forward_kernel_regularizers,
    _fake_kernel_regularizers,
    _KernelRegularizersGradient,
)


def kernel_regularizers(
    kernel: Tensor, mask: Tensor, weights: Tensor, sparse_power: float
) -> tuple[Tensor, Tensor]:
    """See :func:`kernelgan_fast.ops.reference.kernel_regularizers`."""
    loss, terms, _ = _kernel_regularizers(kernel, mask, weights, sparse_power)
    return loss, terms


def _fake_downscale_crops(crops: Tensor, kernel: Tensor) -> Tensor:
    count, channels, side, _ = shape_of(crops, "crops", "(N, C, S, S)")
    kernel_side = shape_of(kernel, "kernel", "(N, K, K)")[-1]
    out_side = max(0, (side - kernel_side) // 2 + 1)
    return crops.new_empty((count, channels, out_side, out_side))


def _fake_downscale_crops_backward(grad_out: Tensor, crops: Tensor, kernel_side: int) -> Tensor:
    return crops.new_empty((crops.shape[0], kernel_side, kernel_side))


def _forward_downscale_crops(crops: Tensor, kernel: Tensor) -> Tensor:
    crops, kernel = crops.contiguous(), kernel.contiguous()
    out = _fake_downscale_crops(crops, kernel)
    native.downscale_crops_forward(crops, kernel, out, *on_cuda(crops))
    return out


class _DownscaleCropsGradient(Gradient):
    @staticmethod
    def keep(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(inputs[0])
        ctx.kernel_side = inputs[1].shape[-1]

    @staticmethod
    def formula(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (crops,) = ctx.saved_tensors
        if not ctx.needs_input_grad[1]:
            return None, None
        return None, _downscale_crops_backward(grads[0], crops, ctx.kernel_side)


def _backward_downscale_crops(grad_out: Tensor, crops: Tensor, kernel_side: int) -> Tensor:
    grad_kernel = _fake_downscale_crops_backward(grad_out, crops, kernel_side)
    grad_out, crops = grad_out.contiguous(), crops.contiguous()
    native.downscale_crops_backward(grad_out, crops, grad_kernel, *on_cuda(crops))
    return grad_kernel


_downscale_crops = Op(
    "downscale_crops(Tensor crops, Tensor kernel) -> Tensor",
    _forward_downscale_crops,
    _fake_downscale_crops,
    _DownscaleCropsGradient,
)
_downscale_crops_backward = Op(
    "downscale_crops_backward(Tensor grad_out, Tensor crops, int kernel_side) -> Tensor",
    _backward_downscale_crops,
    _fake_downscale_crops_backward,
)


def downscale_crops(crops: Tensor, kernel: Tensor) -> Tensor:
    """See :func:`kernelgan_fast.ops.reference.downscale_crops`; crops get no gradient."""
    out: Tensor = _downscale_crops(crops, kernel)
    return out
