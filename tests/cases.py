"""The one table of op cases: it drives correctness, gradients, registration and timing.

A case makes the arguments of an op for a dtype; which of them get gradients is named beside it.
Sizes are odd, prime, one and zero on purpose, and some tensors are strided views.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from kernelgan_fast.ops.layout import discriminator_lengths, discriminator_shapes, generator_shapes


@dataclass(frozen=True)
class Case:
    """Arguments of one call: ``make(random, dtype)`` returns them by name."""

    id: str
    make: Callable[[torch.Generator, torch.dtype], dict[str, Any]]
    differentiable: tuple[str, ...] = ()
    published: bool = False  # the sizes of the published program: these are the ones that are timed


def _normal(random: torch.Generator, dtype: torch.dtype, *shape: int) -> Tensor:
    return torch.randn(shape, generator=random, dtype=torch.float64).to(dtype)


def _strided(tensor: Tensor) -> Tensor:
    """The same values in memory that is not contiguous."""
    spread = tensor.new_zeros((*tensor.shape, 2))
    spread[..., 0] = tensor
    return spread[..., 0]


def _extract(count: int, sizes: tuple[int, ...], features: int, strided: bool = False) -> Case:
    def make(random: torch.Generator, dtype: torch.dtype) -> dict[str, Any]:
        length = sum(out * into * k * k_ for out, into, k, k_ in generator_shapes(sizes, features))
        weights = _normal(random, dtype, count, length) / features**0.5
        return {
            "weights": _strided(weights) if strided else weights,
            "sizes": sizes,
            "features": features,
        }

    name = f"n{count}-{'x'.join(map(str, sizes))}-f{features}" + ("-strided" if strided else "")
    published = sizes == (7, 5, 3, 1, 1, 1) and features == 64 and count == 1
    return Case(name, make, ("weights",), published)


def _regularizers(count: int, side: int, power: float, idle: bool = False) -> Case:
    def make(random: torch.Generator, dtype: torch.dtype) -> dict[str, Any]:
        kernel = _normal(random, dtype, count, side, side).abs() / side**2
        weights = torch.tensor([0.5, 0.5, 0.0 if idle else 1.0, 0.0 if idle else 5.0], dtype=dtype)
        return {
            "kernel": kernel - kernel.mean() / 4,
            "mask": _normal(random, dtype, side, side).abs(),
            "weights": weights.repeat(count, 1),
            "sparse_power": power,
        }

    name = f"n{count}-k{side}-p{power}" + ("-idle" if idle else "")
    return Case(name, make, ("kernel",), side == 13 and count == 1 and not idle)


def _crops(count: int, channels: int, side: int, kernel: int, strided: bool = False) -> Case:
    def make(random: torch.Generator, dtype: torch.dtype) -> dict[str, Any]:
        crops = _normal(random, dtype, count, channels, side, side)
        taps = _normal(random, dtype, count, kernel, kernel) / kernel
        return {"crops": _strided(crops) if strided else crops, "kernel": taps}

    name = f"n{count}-c{channels}-s{side}-k{kernel}" + ("-strided" if strided else "")
    return Case(name, make, ("kernel",), (count, channels, side, kernel) == (1, 3, 64, 13))


def _discriminate(
    count: int, passes: int, channels: int, side: int, features: int, size: int, blocks: int,
    strided: bool = False,
) -> Case:  # fmt: skip
    def make(random: torch.Generator, dtype: torch.dtype) -> dict[str, Any]:
        shapes = discriminator_shapes(channels, features, size, blocks)
        length = sum(discriminator_lengths(shapes, features))
        u = _normal(random, dtype, count, (blocks + 1) * features + 1)
        crops = _normal(random, dtype, count, passes, channels, side, side)
        return {
            "crops": _strided(crops) if strided else crops,
            "weights": _normal(random, dtype, count, length) / 4,
            "u": u / u.abs().max().clamp_min(1) if count else u,
            "features": features,
            "size": size,
            "blocks": blocks,
        }

    name = f"n{count}-b{passes}-c{channels}-s{side}-f{features}-k{size}-d{blocks}"
    published = (count, channels, side, features, size, blocks) == (1, 3, 26, 64, 7, 5)
    return Case(name + ("-strided" if strided else ""), make, ("crops", "weights"), published)


def _downscale(
    count: int, kernels: int, channels: int, height: int, width: int, kernel: int, scale: int
) -> Case:
    def make(random: torch.Generator, dtype: torch.dtype) -> dict[str, Any]:
        return {
            "images": _normal(random, dtype, count, channels, height, width),
            "kernel": _normal(random, dtype, kernels, kernel, kernel) / kernel,
            "scale": scale,
        }

    name = f"n{count}-kernels{kernels}-c{channels}-{height}x{width}-k{kernel}-s{scale}"
    return Case(name, make, ("images", "kernel"), height == 540)


def _sample(
    shapes: tuple[tuple[int, int, int], ...], steps: int, size: int, noise: float, dtype8: bool
) -> Case:
    def make(random: torch.Generator, dtype: torch.dtype) -> dict[str, Any]:
        images, cdfs = [], []
        for channels, height, width in shapes:
            image = torch.rand((channels, height, width), generator=random)
            images.append((image * 255).round().to(torch.uint8) if dtype8 else image)
            grid = torch.rand(
                ((height - size) // 2 + 1, (width - size) // 2 + 1),
                generator=random,
                dtype=torch.float64,
            )
            running = grid.flatten().cumsum(0) / grid.sum()
            running[-1] = 1
            cdfs.append(running.reshape(grid.shape))
        return {
            "images": images,
            "cdfs": cdfs,
            "seeds": torch.arange(len(shapes)) + (5 << 33),
            "stream": 1,
            "first": 7,
            "steps": steps,
            "size": size,
            "noise": noise,
        }

    name = f"n{len(shapes)}-t{steps}-s{size}-noise{noise}" + ("-uint8" if dtype8 else "")
    return Case(name, make, (), size == 26 and steps == 8)


def _noise(seeds: tuple[int, ...], steps: int, shape: tuple[int, ...]) -> Case:
    def make(random: torch.Generator, dtype: torch.dtype) -> dict[str, Any]:
        numbers = torch.tensor(seeds, dtype=torch.int64)
        return {"seeds": numbers, "stream": 2, "first": 3, "steps": steps, "shape": shape}

    name = f"n{len(seeds)}-t{steps}-" + "x".join(map(str, shape))
    return Case(name, make, (), shape == (3, 26, 26))


CASES: dict[str, list[Case]] = {
    "extract_kernel": [
        _extract(0, (7, 5, 3, 1, 1, 1), 8),
        _extract(1, (7, 5, 3, 1, 1, 1), 64),
        _extract(5, (3, 3, 1), 5),
        _extract(2, (13,), 1),
        _extract(2, (1, 4, 2), 7),
        _extract(3, (5, 3, 1), 11, strided=True),
    ],
    "kernel_regularizers": [
        _regularizers(0, 13, 0.2),
        _regularizers(1, 13, 0.2),
        _regularizers(5, 7, 0.5),
        _regularizers(2, 4, 1.0),
        _regularizers(3, 13, 0.2, idle=True),
    ],
    "downscale_crops": [
        _crops(0, 3, 64, 13),
        _crops(1, 3, 64, 13),
        _crops(5, 3, 31, 7),
        _crops(2, 1, 13, 13),
        _crops(2, 2, 24, 4),
        _crops(3, 3, 37, 5, strided=True),
    ],
    "discriminate": [
        _discriminate(0, 1, 3, 26, 8, 7, 5),
        _discriminate(1, 1, 3, 26, 64, 7, 5),
        _discriminate(1, 2, 3, 26, 64, 7, 5),
        _discriminate(5, 2, 3, 11, 5, 3, 2),
        _discriminate(2, 3, 1, 9, 17, 2, 1),
        _discriminate(3, 2, 3, 13, 16, 5, 3, strided=True),
    ],
    "downscale": [
        _downscale(0, 1, 3, 16, 16, 5, 2),
        _downscale(1, 1, 3, 37, 53, 13, 2),
        _downscale(5, 5, 1, 23, 19, 7, 3),
        _downscale(2, 1, 2, 11, 101, 5, 1),
        _downscale(2, 2, 3, 5, 4, 25, 4),
        _downscale(1, 1, 3, 540, 960, 13, 2),
    ],
    "sample_crops": [
        _sample((), 2, 8, 0.0, dtype8=False),
        _sample(((3, 40, 53),), 8, 26, 2 / 255, dtype8=True),
        _sample(((3, 17, 31), (3, 40, 23), (3, 11, 11)), 3, 11, 0.1, dtype8=False),
    ],
    "gaussian_noise": [
        _noise((), 2, (3,)),
        _noise((1,), 4, (3, 26, 26)),
        _noise((0, 2**40 + 3, 2**62), 3, (5, 7)),
    ],
}

ALL = [
    (op, case) for op, cases in CASES.items() for case in cases
]  # fmt: skip
