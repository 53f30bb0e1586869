"""The discriminator's op."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kernelgan_fast.ops.library.registry import Gradient, Op, native, on_cuda, shape_of


def _fake_discriminate(
    crops: Tensor, weights: Tensor, u: Tensor, features: int, size: int, blocks: int
) -> tuple[Tensor, Tensor, Tensor]:
    count, passes, channels, side, _ = shape_of(crops, "crops", "(N, B, C, S, S)")
    out_side = max(0, side - size + 1)
    saved = native.discriminate_saved(channels, side, features, size, blocks, passes)
    return (
        crops.new_empty((count, passes, out_side, out_side)),
        u.new_empty(u.shape),
        crops.new_empty((count, saved)),
    )


def _workspace(crops: Tensor, features: int, size: int, blocks: int, *needs: bool) -> Tensor | None:
    """Memory for a GPU to work in; the forward pass needs no gradient, of crops or of weights."""
    if not crops.is_cuda:
        return None
    count, passes, channels, side, _ = crops.shape
    length = native.discriminate_workspace(
        channels,
        side,
        features,
        size,
        blocks,
        passes,
        *needs,
        crops.dtype == torch.float64,
        crops.get_device(),
    )
    return crops.new_empty((count, length)) if length else None


def _forward_discriminate(
    crops: Tensor, weights: Tensor, u: Tensor, features: int, size: int, blocks: int
) -> tuple[Tensor, Tensor, Tensor]:
    crops, weights, u = crops.contiguous(), weights.contiguous(), u.contiguous()
    outputs = _fake_discriminate(crops, weights, u, features, size, blocks)
    last = on_cuda(crops, _workspace(crops, features, size, blocks, False, False))
    native.discriminate_forward(crops, weights, u, features, size, blocks, *outputs, *last)
    return outputs


class _DiscriminateGradient(Gradient):
    @staticmethod
    def keep(ctx: Any, inputs: Any, output: Any) -> None:
        crops, weights, _, *ctx.geometry = inputs
        out, u_next, saved = output
        ctx.save_for_backward(crops, weights, out, saved)
        ctx.mark_non_differentiable(u_next, saved)
        ctx.set_materialize_grads(False)

    @staticmethod
    def formula(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        if grads[0] is None:
            return (None,) * 6
        needed = ctx.needs_input_grad[:2]
        found = _discriminate_backward(grads[0], *ctx.saved_tensors, *ctx.geometry, *needed)
        to_inputs = [grad if need else None for grad, need in zip(found, needed, strict=True)]
        return (*to_inputs, None, None, None, None)


def _fake_discriminate_backward(
    grad_map: Tensor, crops: Tensor, weights: Tensor, *rest: Any
) -> tuple[Tensor, Tensor]:
    needs_crops, needs_weights = rest[-2:]
    return (
        crops.new_empty(crops.shape if needs_crops else (0,)),
        weights.new_empty(weights.shape if needs_weights else (0,)),
    )


def _backward_discriminate(
    grad_map: Tensor,
    crops: Tensor,
    weights: Tensor,
    out: Tensor,
    saved: Tensor,
    features: int,
    size: int,
    blocks: int,
    needs_crops: bool,
    needs_weights: bool,
) -> tuple[Tensor, Tensor]:
    crops, weights = crops.contiguous(), weights.contiguous()
    grads = _fake_discriminate_backward(grad_map, crops, weights, needs_crops, needs_weights)
    native.discriminate_backward(
        grad_map.contiguous(),
        crops,
        weights,
        out,
        saved,
        features,
        size,
        blocks,
        grads[0] if needs_crops else None,
        grads[1] if needs_weights else None,
        *on_cuda(crops, _workspace(crops, features, size, blocks, needs_crops, needs_weights)),
    )
    return grads


_discriminate = Op(
    "discriminate(Tensor crops, Tensor weights, Tensor u, int features, int size, int blocks)"
    " -> (Tensor, Tensor, Tensor)",
    _forward_discriminate,
    _fake_discriminate,
    _DiscriminateGradient,
)
_discriminate_backward = Op(
    "discriminate_backward(Tensor grad_map, Tensor crops, Tensor weights, Tensor out, Tensor saved,"
    " int features, int size, int blocks, bool needs_crops, bool needs_weights)"
    " -> (Tensor, Tensor)",
    _backward_discriminate,
    _fake_discriminate_backward,
)


def discriminate(
    crops: Tensor, weights: Tensor, u: Tensor, features: int, size: int, blocks: int
) -> tuple[Tensor, Tensor]:
    """See :func:`kernelgan_fast.ops.reference.discriminate`."""
    out, u_next, _ = _discriminate(crops, weights, u, features, size, blocks)
    return out, u_next
