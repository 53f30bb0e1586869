"""The discriminator's op."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from kernelgan_fast.ops.library.registry import define, native, ops


def _discriminate(
    crops: Tensor, weights: Tensor, u: Tensor, features: int, size: int, blocks: int
) -> tuple[Tensor, Tensor, Tensor]:
    crops, weights = crops.contiguous(), weights.contiguous()
    out, u_next, saved = _discriminate_fake(crops, weights, u, features, size, blocks)
    native.discriminate_forward(
        crops, weights, u.contiguous(), features, size, blocks, out, u_next, saved
    )
    return out, u_next, saved


def _discriminate_fake(
    crops: Tensor, weights: Tensor, u: Tensor, features: int, size: int, blocks: int
) -> tuple[Tensor, Tensor, Tensor]:
    count, passes, channels, side, _ = crops.shape
    out_side = max(0, side - size + 1)
    saved = native.discriminate_saved(channels, side, features, size, blocks, passes)
    return (
        crops.new_empty((count, passes, out_side, out_side)),
        u.new_empty(u.shape),
        crops.new_empty((count, saved)),
    )


def _discriminate_setup(ctx: Any, inputs: Any, output: Any) -> None:
    crops, weights, _, *geometry = inputs
    out, u_next, saved = output
    ctx.save_for_backward(crops, weights, out, saved)
    ctx.geometry = geometry
    ctx.mark_non_differentiable(u_next, saved)
    ctx.set_materialize_grads(False)


def _discriminate_formula(ctx: Any, grad_map: Tensor | None, *_: Any) -> tuple[Tensor | None, ...]:
    needs_crops, needs_weights = ctx.needs_input_grad[:2]
    if grad_map is None:
        return (None,) * 6
    grad_crops, grad_weights = ops.discriminate_backward(
        grad_map, *ctx.saved_tensors, *ctx.geometry, needs_crops, needs_weights
    )
    return (
        grad_crops if needs_crops else None,
        grad_weights if needs_weights else None,
        None,
        None,
        None,
        None,
    )


def _discriminate_backward(
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
    grads = _discriminate_backward_fake(
        grad_map, crops, weights, out, saved, features, size, blocks, needs_crops, needs_weights
    )
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
    )
    return grads


def _discriminate_backward_fake(
    grad_map: Tensor, crops: Tensor, weights: Tensor, *rest: Any
) -> tuple[Tensor, Tensor]:
    needs_crops, needs_weights = rest[-2:]
    return (
        crops.new_empty(crops.shape if needs_crops else (0,)),
        weights.new_empty(weights.shape if needs_weights else (0,)),
    )


define(
    "discriminate(Tensor crops, Tensor weights, Tensor u, int features, int size, int blocks)"
    " -> (Tensor, Tensor, Tensor)",
    _discriminate,
    _discriminate_fake,
    (_discriminate_formula, _discriminate_setup),
)
define(
    "discriminate_backward(Tensor grad_map, Tensor crops, Tensor weights, Tensor out, Tensor saved,"
    " int features, int size, int blocks, bool needs_crops, bool needs_weights)"
    " -> (Tensor, Tensor)",
    _discriminate_backward,
    _discriminate_backward_fake,
)


def discriminate(
    crops: Tensor, weights: Tensor, u: Tensor, features: int, size: int, blocks: int
) -> tuple[Tensor, Tensor]:
    """See :func:`kernelgan_fast.ops.reference.discriminate`."""
    out, u_next, _ = ops.discriminate(crops, weights, u, features, size, blocks)
    return out, u_next
