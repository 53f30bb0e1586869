"""The op on whole images."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from kernelgan_fast.ops.library.registry import define, native, ops


def _downscale(images: Tensor, kernel: Tensor, scale: int) -> Tensor:
    images, kernel = images.contiguous(), kernel.contiguous()
    out = _downscale_fake(images, kernel, scale)
    native.downscale_forward(images, kernel, scale, out)
    return out


def _downscale_fake(images: Tensor, kernel: Tensor, scale: int) -> Tensor:
    count, channels, height, width = images.shape
    scale = max(1, scale)  # the extension refuses less, in words
    return images.new_empty((count, channels, -(-height // scale), -(-width // scale)))


def _downscale_setup(ctx: Any, inputs: Any, output: Any) -> None:
    images, kernel, ctx.scale = inputs
    ctx.save_for_backward(images, kernel)


def _downscale_formula(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
    images, kernel = ctx.saved_tensors
    to_images, to_kernel, _ = ctx.needs_input_grad
    return (
        ops.downscale_backward_images(grad_out, images, kernel, ctx.scale) if to_images else None,
        ops.downscale_backward_kernel(grad_out, images, kernel, ctx.scale) if to_kernel else None,
        None,
    )


def _downscale_backward_images(
    grad_out: Tensor, images: Tensor, kernel: Tensor, scale: int
) -> Tensor:
    grad_images = images.new_empty(images.shape)
    native.downscale_backward_images(grad_out.contiguous(), kernel.contiguous(), scale, grad_images)
    return grad_images


def _downscale_backward_kernel(
    grad_out: Tensor, images: Tensor, kernel: Tensor, scale: int
) -> Tensor:
    grad_kernel = kernel.new_empty(kernel.shape)
    native.downscale_backward_kernel(grad_out.contiguous(), images.contiguous(), scale, grad_kernel)
    return grad_kernel


define(
    "downscale(Tensor images, Tensor kernel, int scale) -> Tensor",
    _downscale,
    _downscale_fake,
    (_downscale_formula, _downscale_setup),
)
define(
    "downscale_backward_images(Tensor grad_out, Tensor images, Tensor kernel, int scale) -> Tensor",
    _downscale_backward_images,
    lambda grad_out, images, kernel, scale: images.new_empty(images.shape),
)
define(
    "downscale_backward_kernel(Tensor grad_out, Tensor images, Tensor kernel, int scale) -> Tensor",
    _downscale_backward_kernel,
    lambda grad_out, images, kernel, scale: kernel.new_empty(kernel.shape),
)


def downscale(images: Tensor, kernel: Tensor, scale: int) -> Tensor:
    """See :func:`kernelgan_fast.ops.reference.downscale`."""
    out: Tensor = ops.downscale(images, kernel, scale)
    return out
