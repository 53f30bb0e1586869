"""Reference implementations of the random ops in plain torch: Philox4x32-10, corners, noise.

Every number is a function of (seed, stream, step, place), so no draw depends on another problem of
the batch, on the number of threads, or on how a run is cut into chunks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

PURPOSE_CORNER, PURPOSE_NOISE = 0, 1

_MASK = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10


def philox(
    counter: Sequence[Tensor | int], key: Sequence[Tensor | int]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Turn counters into random words with Philox4x32-10.

    Args:
        counter: four words, int64 tensors or ints in [0, 2^32) that broadcast to one shape.
        key: two such words.

    Returns:
        Four int64 tensors of words in [0, 2^32).

    Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011, section 3.3.
    """
    words = [torch.as_tensor(word, dtype=torch.int64) for word in (*counter, *key)]
    a, b, c, d, *keys = torch.broadcast_tensors(*words)
    for turn in range(_ROUNDS):
        key_0, key_1 = ((k + turn * w) & _MASK for k, w in zip(keys, _WEYL, strict=True))
        # int64 products wrap modulo 2^64, which keeps every bit of the unsigned 64-bit product.
        left, right = a * _MULTIPLIERS[0], c * _MULTIPLIERS[1]
        a, b, c, d = (
            ((right >> 32) & _MASK) ^ b ^ key_0,
            right & _MASK,
            ((left >> 32) & _MASK) ^ d ^ key_1,
            left & _MASK,
        )
    return a, b, c, d


def gaussian_noise(
    seeds: Tensor, stream: int, first: int, steps: int, shape: Sequence[int]
) -> Tensor:
    """Draw standard normal noise, a block for every step and problem.

    Args:
        seeds: (N,) int64.
        stream: whole number that keeps uses of one seed apart.
        first, steps: steps first .. first + steps - 1 are drawn.
        shape: shape of one block.

    Returns:
        (steps, N, *shape) float32.

    Source: Box and Muller, 1958.
    """
    length = math.prod(shape)
    device = seeds.device
    block = torch.arange(-(-length // 4), device=device)
    step = torch.arange(first, first + steps, device=device)[:, None, None]
    words = philox((block, step, stream, PURPOSE_NOISE), _key(seeds[:, None]))
    uniforms = [(word.double() + 0.5) * 2.0**-32 for word in words]
    values = []
    for radius_word, angle_word in (uniforms[:2], uniforms[2:]):
        radius, angle = torch.sqrt(-2 * torch.log(radius_word)), 2 * math.pi * angle_word
        values += [radius * torch.cos(angle), radius * torch.sin(angle)]
    noise = torch.stack(values, dim=-1).flatten(2)[..., :length]
    return noise.float().reshape(steps, len(seeds), *shape)


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
    """Cut crops at random even corners, each problem from its image and its distribution.

    Args:
        images: N tensors (C, H, W), uint8, or floating in [0, 1].
        cdfs: N tensors (rows, cols) float64, running sum in C order of the probabilities of the
            corners (2 row, 2 col); the last is 1.
        seeds: (N,) int64.
        stream: whole number that keeps uses of one seed apart.
        first, steps: steps first .. first + steps - 1 are drawn.
        size: side of a crop.
        noise: standard deviation of the Gaussian noise added, in [-1, 1] units; 0 adds none.

    Returns:
        crops: (steps, N, C, size, size) float32 in [-1, 1], plus noise.
        corners: (steps, N, 2) int64 top-left (row, col).

    Source: paper section 4.1 (crops are drawn where gradients are large).
    """
    step = torch.arange(first, first + steps, device=seeds.device)[:, None]
    words = philox((0, step, stream, PURPOSE_CORNER), _key(seeds))
    uniform = ((words[0] << 21) ^ (words[1] >> 11)).double() * 2.0**-53
    channels = images[0].shape[0] if images else 3
    crops = uniform.new_empty((steps, len(images), channels, size, size), dtype=torch.float32)
    corners = step.new_empty((steps, len(images), 2))
    for index, (image, cdf) in enumerate(zip(images, cdfs, strict=True)):
        place = torch.searchsorted(cdf.flatten(), uniform[:, index].contiguous(), right=True)
        place = place.clamp(max=cdf.numel() - 1)
        corners[:, index] = 2 * torch.stack((place // cdf.shape[1], place % cdf.shape[1]), dim=1)
        half = 127.5 if image.dtype == torch.uint8 else 0.5
        for crop, (row, col) in zip(crops[:, index], corners[:, index].tolist(), strict=True):
            crop.copy_(image[:, row : row + size, col : col + size].float() / half - 1)
    if noise:
        crops += noise * gaussian_noise(seeds, stream, first, steps, crops.shape[2:])
    return crops, corners


def _key(seeds: Tensor) -> tuple[Tensor, Tensor]:
    return seeds & _MASK, (seeds >> 32) & _MASK
