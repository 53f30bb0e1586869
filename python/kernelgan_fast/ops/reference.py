"""Reference implementations of the native ops in plain torch, for any dtype and device.

They are differentiable by autograd.

They are written to be read and to be right; speed lives in the native ops of the same names.
Kernels here are correlation kernels: `downscaled[i, j] = sum(kernel * crop[2i:, 2j:])`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from kernelgan_fast.ops.layout import (
    discriminator_lengths,
    discriminator_shapes,
    generator_shapes,
)
from kernelgan_fast.ops.reference_random import gaussian_noise, sample_crops

__all__ = [
    "discriminate",
    "downscale",
    "downscale_crops",
    "extract_kernel",
    "gaussian_noise",
    "kernel_regularizers",
    "sample_crops",
]

BATCH_NORM_EPS = 1e-5
NORMALIZE_EPS = 1e-12


def extract_kernel(weights: Tensor, sizes: Sequence[int], features: int) -> Tensor:
    """Compose the deep linear generator to the one kernel that it is.

    Args:
        weights: (N, P) layers one after another, each (out, in, k, k) in C order; one channel
            goes in, one comes out, `features` between.
        sizes: side k of each layer's filters, first layer first.
        features: channels between the layers.

    Returns:
        (N, K, K) correlation kernels, K = 1 + sum(k - 1).

    Source: paper section 4.1 (the kernel is the convolution of all filters of G).
    """
    count = weights.shape[0]
    shapes = generator_shapes(sizes, features)
    if not count:
        return weights.reshape(0, *[1 + sum(size - 1 for size in sizes)] * 2)
    layers = weights.split([math.prod(shape) for shape in shapes], dim=1)
    composed = weights.new_ones((1, count, 1, 1))
    # From the output end every product has one row: 1.1 M multiply-adds, not 10.9 M.
    for layer, (out, into, size, _) in zip(reversed(layers), reversed(shapes), strict=True):
        filters = layer.reshape(count * out, into, size, size)
        composed = functional.conv_transpose2d(composed, filters, groups=count)
    return composed[0]


def kernel_regularizers(
    kernel: Tensor, mask: Tensor, weights: Tensor, sparse_power: float
) -> tuple[Tensor, Tensor]:
    """Penalise kernels that do not sum to one, reach the border, lie off centre or are dense.

    Args:
        kernel: (N, K, K).
        mask: (K, K) boundary penalty of each tap.
        weights: (N, 4) weights of the terms; a term of weight 0 adds neither value nor gradient.
        sparse_power: exponent p of the sparsity term; the gradient of |k|^p at k = 0 is taken as 0.

    Returns:
        loss: (N,) weighted sum, differentiable with respect to `kernel` only.
        terms: (N, 4) unweighted |1 - sum k|, mean |k m|, mean squared distance of the centre of
            mass from K//2 + (2 - K%2)/2, mean |k|^p; without gradient.

    Source: paper equation 3, with means for sums.
    """
    mask, weights = mask.detach(), weights.detach()
    with torch.no_grad():
        terms = torch.stack([_regularizer(kernel, mask, sparse_power, i) for i in range(4)], dim=1)
    loss = kernel.new_zeros(kernel.shape[0])
    for index in range(4):
        weight = weights[:, index]
        on = weight != 0
        # An idle term may be infinite (0/0 centre of a zero kernel), so it sees a harmless kernel.
        safe = torch.where(on[:, None, None], kernel, torch.ones_like(kernel))
        term = _regularizer(safe, mask, sparse_power, index)
        loss = loss + torch.where(on, weight * term, torch.zeros_like(term))
    return loss, terms


def downscale_crops(crops: Tensor, kernel: Tensor) -> Tensor:
    """Correlate each problem's crop with its kernel at every second position.

    Args:
        crops: (N, C, S, S); constant for the gradient.
        kernel: (N, K, K); every channel goes through the same kernel.

    Returns:
        (N, C, T, T), T = (S - K)//2 + 1.

    Source: paper section 4.1 (G as one linear layer, stride 2).
    """
    if not len(kernel):
        side = (crops.shape[-1] - kernel.shape[-1]) // 2 + 1
        return kernel.reshape(0, crops.shape[1], side, side)
    by_channel = crops.detach().transpose(0, 1)
    small = functional.conv2d(by_channel, kernel[:, None], stride=2, groups=kernel.shape[0])
    return small.transpose(0, 1)


def discriminate(
    crops: Tensor, weights: Tensor, u: Tensor, features: int, size: int, blocks: int
) -> tuple[Tensor, Tensor]:
    """Say for every patch of every crop how much it looks like one from the photo.

    Args:
        crops: (N, B, C, S, S) B passes, each one crop with batch statistics of its own.
        weights: (N, P) per convolution 0..blocks+1 the filters (out, in, k, k) and the bias (out,),
            then per block the batch norm's gamma and beta (features,).
        u: (N, U) left singular vector estimates of the convolutions, one after another; without
            gradient. Each pass takes one power iteration and hands its u to the next pass.
        features: channels between the convolutions.
        size: side of the first convolution's filters; the others are 1 x 1.
        blocks: number of [convolution, batch norm, ReLU] blocks.

    Returns:
        map: (N, B, T, T) in (0, 1), T = S - size + 1.
        u_next: (N, U) after the last pass.

    Source: paper section 4.2; Miyato et al., "Spectral Normalization", ICLR 2018, algorithm 1.
    """
    count, passes, channels, side, _ = crops.shape
    shapes = discriminator_shapes(channels, features, size, blocks)
    parts = weights.split(discriminator_lengths(shapes, features), dim=1)
    filters = [
        parts[2 * index].reshape(count, shape[0], math.prod(shape[1:]))
        for index, shape in enumerate(shapes)
    ]
    last_bias = parts[2 * blocks + 3]
    gains, shifts = parts[2 * blocks + 4 :: 2], parts[2 * blocks + 5 :: 2]
    vectors = [part.detach() for part in u.split([shape[0] for shape in shapes], dim=1)]
    maps = []
    for index in range(passes):
        vectors, scaled = _spectral_normalize(filters, vectors)
        # Convolution biases in front of a batch norm cancel, so only the last one is added.
        columns = functional.unfold(crops[:, index], size)
        hidden = scaled[0] @ columns
        for block in range(blocks):
            hidden = scaled[block + 1] @ hidden
            hidden = hidden - hidden.mean(dim=2, keepdim=True)
            variance = hidden.square().mean(dim=2, keepdim=True)
            hidden = hidden / torch.sqrt(variance + BATCH_NORM_EPS)
            hidden = torch.relu(gains[block][:, :, None] * hidden + shifts[block][:, :, None])
        maps.append(torch.sigmoid(scaled[-1] @ hidden + last_bias[:, :, None]))
    width = side - size + 1
    return torch.cat(maps, dim=1).reshape(count, passes, width, width), torch.cat(vectors, dim=1)


def downscale(images: Tensor, kernel: Tensor, scale: int) -> Tensor:
    """Correlate whole images with a kernel and keep every `scale`-th sample, from 0 on.

    Args:
        images: (N, C, H, W).
        kernel: (1 or N, k, k), k odd; its centre tap is k//2.
        scale: whole number of at least 1.

    Returns:
        (N, C, ceil(H/scale), ceil(W/scale)). The border is mirrored half-sample (dcba|abcd|dcba).

    Source: paper equation 1.
    """
    count = images.shape[0]
    if not count:
        return images[:, :, ::scale, ::scale] * kernel.sum()
    reach = kernel.shape[-1] // 2
    for dim in (2, 3):
        length = images.shape[dim]
        index = torch.arange(-reach, length + reach, device=images.device) % (2 * length)
        images = images.index_select(dim, torch.minimum(index, 2 * length - 1 - index))
    filters = kernel.expand(count, -1, -1)[:, None]
    small = functional.conv2d(images.transpose(0, 1), filters, stride=scale, groups=count)
    return small.transpose(0, 1)


def _regularizer(kernel: Tensor, mask: Tensor, power: float, index: int) -> Tensor:
    """One unweighted term, (N,), in the order sum to one, boundaries, centre, sparse."""
    if index == 0:
        return (1 - kernel.sum(dim=(1, 2))).abs()
    if index == 1:
        return (kernel * mask).abs().mean(dim=(1, 2))
    if index == 2:
        size = kernel.shape[-1]
        target = size // 2 + 0.5 * (2 - size % 2)
        places = torch.arange(size, dtype=kernel.dtype, device=kernel.device)
        total = kernel.sum(dim=(1, 2))
        down = (kernel.sum(dim=2) * places).sum(dim=1) / total - target
        across = (kernel.sum(dim=1) * places).sum(dim=1) / total - target
        return (down.square() + across.square()) / 2
    magnitude = torch.where(kernel == 0, torch.ones_like(kernel), kernel.abs())
    return torch.where(kernel == 0, torch.zeros_like(kernel), magnitude**power).mean(dim=(1, 2))


def _spectral_normalize(
    filters: Sequence[Tensor], vectors: Sequence[Tensor]
) -> tuple[list[Tensor], list[Tensor]]:
    """One power iteration per matrix (N, out, in): the new u vectors, and W divided by uᵀWv."""
    fresh, scaled = [], []
    for matrix, left in zip(filters, vectors, strict=True):
        with torch.no_grad():
            right = functional.normalize(left[:, None] @ matrix, dim=2, eps=NORMALIZE_EPS)[:, 0]
            left = functional.normalize(matrix @ right[:, :, None], dim=1, eps=NORMALIZE_EPS)
            left = left[:, :, 0]
        sigma = left[:, None] @ (matrix @ right[:, :, None])
        fresh.append(left)
        scaled.append(matrix / sigma)
    return fresh, scaled
