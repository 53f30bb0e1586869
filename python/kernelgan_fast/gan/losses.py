"""The losses of both networks, and the fixed kernels and masks they compare with."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_MASK_HEIGHT = 30.0
_MASK_DEVIATION = 13.0
_MASK_RING = 2
_CUBIC_TAPS = 8

LOSS_NAMES = ("gan_g", "gan_d", "ideal", "sum_to_one", "boundaries", "centre", "sparse")


def boundary_mask(size: int) -> Tensor:
    """Return the penalty of each kernel tap for lying near the border.

    Args:
        size: side K of the kernel.

    Returns:
        (K, K) float64: 30 (1 - g / max g) on the outer ring of two taps, 0 inside; g is a
        Gaussian of deviation 13 taps around the middle.

    Source: paper equation 3 (boundaries term).
    """
    places = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    profile = torch.exp(-places.square() / (2 * _MASK_DEVIATION**2))
    bump = torch.outer(profile, profile)
    mask = _MASK_HEIGHT * (1 - bump / bump.max())
    mask[_MASK_RING:-_MASK_RING, _MASK_RING:-_MASK_RING] = 0
    return mask


def ideal_kernel(size: int) -> Tensor:
    """Return the antialiased bicubic kernel for scale 2, placed where the centre term wants it.

    Args:
        size: side K of the kernel.

    Returns:
        (K, K) float64 of sum 1: 8 x 8 taps around K//2 + (2 - K%2)/2, cut where K is smaller.
    """
    places = torch.arange(_CUBIC_TAPS, dtype=torch.float64) / 2 - (_CUBIC_TAPS - 1) / 4
    taps = _cubic(places.abs())
    # 8 taps have their middle at first + 3.5; for K = 13 that is 6.5, so first = 3.
    first = math.floor(size // 2 + (2 - size % 2) / 2 - (_CUBIC_TAPS - 1) / 2)
    line = torch.zeros(size, dtype=torch.float64)
    for index, tap in enumerate(taps.tolist()):
        if 0 <= first + index < size:
            line[first + index] = tap
    line /= line.sum()
    return torch.outer(line, line)


def generator_gan_loss(d_map: Tensor) -> Tensor:
    """Mean |D(G(x)) - 1| of each problem.

    Args:
        d_map: (N, B, T, T) D's map, below 1 everywhere (a sigmoid), so that no |.| is needed.

    Returns:
        (N,).

    Source: paper equation 2.
    """
    return 1 - d_map.mean(dim=(1, 2, 3))


def discriminator_loss(d_map: Tensor) -> Tensor:
    """Half of mean |D(real) - 1| + mean |D(fake)| of each problem.

    Args:
        d_map: (N, 2, T, T) D's maps of the real and of the fake crop.

    Returns:
        (N,).

    Source: paper equation 2.
    """
    return (1 - d_map[:, 0].mean(dim=(1, 2)) + d_map[:, 1].mean(dim=(1, 2))) / 2


def generator_map_gradient(d_map: Tensor) -> Tensor:
    """Gradient of `generator_gan_loss` with respect to D's map: a constant.

    Args:
        d_map: (N, 1, T, T), for its shape, dtype and device.

    Returns:
        (N, 1, T, T).
    """
    return torch.full_like(d_map, -1 / d_map[0].numel())


def discriminator_map_gradient(d_map: Tensor) -> Tensor:
    """Gradient of `discriminator_loss` with respect to D's maps: a constant.

    Args:
        d_map: (N, 2, T, T), for its shape, dtype and device.

    Returns:
        (N, 2, T, T).
    """
    gradient = torch.full_like(d_map, 1 / d_map[0].numel())
    gradient[:, 0].neg_()
    return gradient


def _cubic(distance: Tensor) -> Tensor:
    """Keys' cubic (a = -1/2) of absolute distances, halved for scale 2."""
    near = (1.5 * distance - 2.5) * distance.square() + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    value = torch.where(distance <= 1, near, torch.where(distance < 2, far, 0 * distance))
    return value / 2
