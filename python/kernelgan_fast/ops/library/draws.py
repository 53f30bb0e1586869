"""The ops that draw from counters: crops and noise."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from kernelgan_fast.ops.library.registry import Op, native, on_cuda


def _fake_sample_crops(
    images: Sequence[Tensor],
    cdfs: Sequence[Tensor],
    seeds: Tensor,
    stream: int,
    first: int,
    steps: int,
    size: int,
    noise: float,
) -> tuple[Tensor, Tensor]:
    count, channels = len(images), images[0].shape[0] if images else 3
    crops = seeds.new_empty((steps, count, channels, size, size), dtype=torch.float32)
    return crops, seeds.new_empty((steps, count, 2))


def _draw_crops(
    images: Sequence[Tensor],
    cdfs: Sequence[Tensor],
    seeds: Tensor,
    stream: int,
    first: int,
    steps: int,
    size: int,
    noise: float,
) -> tuple[Tensor, Tensor]:
    drawn = _fake_sample_crops(images, cdfs, seeds, stream, first, steps, size, noise)
    native.sample_crops(
        [image.contiguous() for image in images],
        [cdf.contiguous() for cdf in cdfs],
        seeds.contiguous(),
        stream,
        first,
        noise,
        *drawn,
        *on_cuda(seeds),
    )
    return drawn


_sample_crops = Op(
    "sample_crops(Tensor[] images, Tensor[] cdfs, Tensor seeds, int stream, int first, int steps,"
    " int size, float noise) -> (Tensor, Tensor)",
    _draw_crops,
    _fake_sample_crops,
)


def sample_crops(
    images: Sequence[Tensor],
    cdfs: Sequence[Tensor],
    seeds: Tensor,
    stream: int,
    first: int,
    steps: int,
    size: int,
    noise: float,
) -> tuple[Tensor, Tensor]:
    """See :func:`kernelgan_fast.ops.reference.sample_crops`."""
    crops, corners = _sample_crops(images, cdfs, seeds, stream, first, steps, size, noise)
    return crops, corners


def _fake_gaussian_noise(
    seeds: Tensor, stream: int, first: int, steps: int, shape: Sequence[int]
) -> Tensor:
    return seeds.new_empty((steps, seeds.shape[0], *shape), dtype=torch.float32)


def _draw_noise(seeds: Tensor, stream: int, first: int, steps: int, shape: Sequence[int]) -> Tensor:
    out = _fake_gaussian_noise(seeds, stream, first, steps, shape)
    native.gaussian_noise(seeds.contiguous(), stream, first, out, *on_cuda(seeds))
    return out


_gaussian_noise = Op(
    "gaussian_noise(Tensor seeds, int stream, int first, int steps, int[] shape) -> Tensor",
    _draw_noise,
    _fake_gaussian_noise,
)


def gaussian_noise(
    seeds: Tensor, stream: int, first: int, steps: int, shape: Sequence[int]
) -> Tensor:
    """See :func:`kernelgan_fast.ops.reference.gaussian_noise`."""
    out: Tensor = _gaussian_noise(seeds, stream, first, steps, shape)
    return out
