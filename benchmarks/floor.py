"""The least that training can take: its arithmetic over a card's rate, its bytes over bandwidth."""

from __future__ import annotations

import math
from typing import Any

from kernelgan_fast.gan.config import TrainConfig
from kernelgan_fast.ops.layout import discriminator_lengths, discriminator_shapes, generator_shapes

# float32 units of a multiprocessor, by compute capability. Source: CUDA C++ programming guide,
# arithmetic instructions.
LANES = {70: 64, 75: 64, 80: 64, 86: 128, 89: 128, 90: 128, 100: 128, 120: 128}


def operations(config: TrainConfig) -> int:
    """Floating-point operations of one iteration of one problem, 2 to a multiply-add.

    The discriminator's forward pass, its gradient to a crop (generator's step) and to the weights
    (discriminator's step, twice); the generator composed, its kernel applied twice, and back; the
    ideal kernel applied.
    """
    side = config.discriminator_crop
    places = (side - config.discriminator_size + 1) ** 2
    features, blocks = config.features, config.discriminator_blocks
    first = places * 3 * config.discriminator_size**2 * features
    inner = places * (blocks * features**2 + features)
    forward = first + inner
    generator_step = forward + forward
    discriminator_step = 2 * (forward + forward + inner)
    apply = 3 * side**2 * config.kernel_size**2
    return 2 * (generator_step + discriminator_step + 3 * composition(config) + 4 * apply)


def composition(config: TrainConfig) -> int:
    """Multiply-adds of composing the generator's layers from the output end."""
    size, total = 1, 0
    for out, into, side, _ in reversed(generator_shapes(config.generator_sizes, config.features)):
        total += out * into * size**2 * side**2
        size += side - 1
    return total


def bytes_moved(config: TrainConfig) -> int:
    """Bytes that one iteration of one problem must move where many do not fit the cache.

    Adam reads weight, gradient and two moments and writes three of them; the gradient was written
    before. The crops are written once and read once by either step.
    """
    layers = generator_shapes(config.generator_sizes, config.features)
    shapes = discriminator_shapes(
        3, config.features, config.discriminator_size, config.discriminator_blocks
    )
    weights = sum(map(math.prod, layers)) + sum(discriminator_lengths(shapes, config.features))
    crops = 3 * (3 * config.crop**2 + 3 * 2 * config.discriminator_crop**2)
    return 4 * (8 * weights + crops)


def floor(config: TrainConfig, flops: float, bandwidth: float) -> dict[str, Any]:
    """Seconds a photo when a card is full.

    Args:
        config: sizes and iterations.
        flops: float32 operations a second.
        bandwidth: bytes a second.

    Returns:
        seconds_a_photo: the larger of the two; photos_a_second; either time and its parts.
    """
    arithmetic = config.iterations * operations(config) / flops
    memory = config.iterations * bytes_moved(config) / bandwidth
    return {
        "operations_an_iteration": operations(config),
        "bytes_per_iteration": bytes_moved(config),
        "seconds_of_arithmetic_a_photo": arithmetic,
        "seconds_of_memory_a_photo": memory,
        "seconds_a_photo": max(arithmetic, memory),
        "photos_a_second": 1 / max(arithmetic, memory),
    }


def peak(multiprocessors: int, capability: tuple[int, int], megahertz: float) -> float | None:
    """Float32 operations a second of a card; None of an unknown architecture."""
    lanes = LANES.get(10 * capability[0] + capability[1])
    return None if lanes is None else 2.0 * multiprocessors * lanes * megahertz * 1e6
