"""The op on whole images."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from kernelgan_fast.ops.library.registry import Gradient, Op, native, on_cuda, shape_of


def _fake_downscale(images: Tensor, kernel: Tensor, scale: int) -> Tensor:
    count, channels, height, width = shape_of(images, "images", "(N, C, H, W)")
    scale = max(1, scale)  # the extension refuses less, in words
    return images.new_empty((count, channels, -(-height // scale), -(-width // scale)))


def _forward_downscale(images: Tensor, kernel: Tensor, scale: int) -> Tensor:
    images, kernel = images.contiguous(), kernel.contiguous()
    out = _fake_downscale(images, kernel, scale)
    native.downscale_forward(images, kernel, scale, out, *on_cuda(images))
    return out


class _DownscaleGradient(Gradient):
    @staticmethod
    def keep(ctx: Any, inputs: Any, output: Any) -> None:
        images, kernel, ctx.scale = inputs
        ctx.save_for_backward(images, kernel)

    @staticmethod
    def formula(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        inputs = (grads[0], *ctx.saved_tensors, ctx.scale)
        to_images, to_kernel, _ = ctx.needs_input_grad
        return (
            _downscale_backward_images(*inputs) if to_images else None,
            _downscale_backward_kernel(*inputs) if to_kernel else None,
            None,
        )


def _backward_images(grad_out: Tensor, images: Tensor, kernel: Tensor, scale: int) -> Tensor:
    grad_images = images.new_empty(images.shape)
    grad_out, kernel = grad_out.contiguous(), kernel.contiguous()
    native.downscale_backward_images(grad_out, kernel, scale, grad_images, *on_cuda(images))
    return grad_images


def _backward_kernel(grad_out: Tensor, images: Tensor, kernel: Tensor, scale: int) -> Tensor:
    grad_kernel = kernel.new_empty(kernel.shape)
    grad_out, images = grad_out.contiguous(), images.contiguous()
    workspace = None
    if images.is_cuda:
        bands = native.downscale_bands(*images.shape[:3], scale, len(kernel))
        workspace = kernel.new_empty((len(kernel), bands, *kernel.shape[1:]))
    last = on_cuda(images, workspace)
    native.downscale_backward_kernel(grad_out, images, scale, grad_kernel, *last)
    return grad_kernel


_downscale = Op(
    "downscale(Tensor images, Tensor kernel, int scale) -> Tensor",
    _forward_downscale,
    _fake_downscale,
    _DownscaleGradient,
)
_downscale_backward_images = Op(
    "downscale_backward_images(Tensor grad_out, Tensor images, Tensor kernel, int scale) -> Tensor",
    _backward_images,
    lambda grad_out, images, kernel, scale: images.new_empty(images.shape),
)
_downscale_backward_kernel = Op(
    "downscale_backward_kernel(Tensor grad_out, Tensor images, Tensor kernel, int scale) -> Tensor",
    _backward_kernel,
    lambda grad_out, images, kernel, scale: kernel.new_empty(kernel.shape),
)


def downscale(images: Tensor, kernel: Tensor, scale: int) -> Tensor:
    """See :func:`kernelgan_fast.ops.reference.downscale`."""
    out: Tensor = _downscale(images, kernel, scale)
    return out
