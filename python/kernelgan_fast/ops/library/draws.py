"""The ops that draw from counters: crops and noise."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from kernelgan_fast.errors import InputError
from kernelgan_fast.ops.library.registry import Op, native, on_cuda, shape_of

_STEPS = 2**32  # a step is one word of Philox's counter


def _check_sizes(first: int, steps: int, *sizes: int) -> None:
    """Refuse sizes that no tensor can have, before the outputs are made.

    Raises:
        InputError: a step is not in 0..2^32 - 1, or a size is negative.
    """
    if not 0 <= first <= _STEPS or not 0 <= steps <= _STEPS - first:
        raise InputError(f"steps must lie in 0..2^32, got {steps} from {first} on.")
    if min(sizes, default=0) < 0:
        raise InputError(f"sizes must be >= 0, got {sizes}.")


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
    count = len(images)
    channels = shape_of(images[0], "images", "(C, H, W)")[0] if images else 3
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
    _check_sizes(first, steps, size)
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
    count = shape_of(seeds, "seeds", "(N)")[0]
    return seeds.new_empty((steps, count, *shape), dtype=torch.float32)


def _draw_noise(seeds: Tensor, stream: int, first: int, steps: int, shape: Sequence[int]) -> Tensor:
    _check_sizes(first, steps, *shape)
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
