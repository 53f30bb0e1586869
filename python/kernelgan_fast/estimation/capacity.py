"""How many problems a GPU takes at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kernelgan_fast.gan.config import TrainConfig
from kernelgan_fast.ops.layout import (
    discriminator_lengths,
    discriminator_shapes,
    generator_shapes,
)

if TYPE_CHECKING:
    from kernelgan_fast.gan.crops import CropPlan

# More at once keep photos waiting for each other; what a card gains by them is not yet measured.
MOST_PROBLEMS = 256
# Of one batch's photos: they are in the host's memory too, and the next batch's beside them.
MOST_PHOTO_BYTES = 4 << 30
_USED_SHARE = 0.8


@dataclass
class MemoryBudget:
    """How much one batch may hold; whoever runs out of memory makes it smaller.

    Attributes:
        problems: how many.
        bytes: of the GPU's memory.
    """

    problems: int
    bytes: int

    @classmethod
    def with_free(cls, free: int) -> MemoryBudget:
        """The room on a GPU.

        Args:
            free: bytes of its memory that nobody uses.
        """
        return cls(MOST_PROBLEMS, int(_USED_SHARE * free))

    def admits(self, problems: int, photo_bytes: int, config: TrainConfig) -> bool:
        """Whether a batch fits.

        Args:
            problems: of the batch.
            photo_bytes: of all its photos.
            config: the recipe.
        """
        needed = problems * bytes_per_problem(config) + photo_bytes
        fits = needed <= self.bytes and photo_bytes <= MOST_PHOTO_BYTES
        return problems <= self.problems and fits


def bytes_per_problem(config: TrainConfig) -> int:
    """Estimate from above what training one problem takes of a GPU's memory, without its photo.

    Args:
        config: sizes of the networks and crops.

    Returns:
        Bytes of weights, gradients, Adam's moments, crops drawn ahead, and what the passes keep.
    """
    features, blocks = config.features, config.discriminator_blocks
    layers = generator_shapes(config.generator_sizes, features)
    convolutions = discriminator_shapes(3, features, config.discriminator_size, blocks)
    generator = sum(math.prod(shape) for shape in layers)
    discriminator = sum(discriminator_lengths(convolutions, features))
    # Value, gradient, two moments, and one more while a gradient is made.
    weights = 5 * (generator + discriminator)
    side = config.discriminator_crop
    draw = 3 * (config.crop**2 + 3 * side**2)
    # A segment of ten at most, drawn, copied into the graph's inputs, and in the making.
    drawn = 3 * 10 * draw
    patches = (side - config.discriminator_size + 1) ** 2
    # Two passes; each layer's input, its gradient, and scratch of the same size.
    activations = 2 * 3 * (blocks + 2) * features * patches
    return 4 * (weights + drawn + activations)


def bytes_per_photo(plan: CropPlan | None) -> int:
    """Return what a photo takes of a GPU's memory: pixels and where its crops come from."""
    if plan is None:
        return 0
    parts = (plan.image, plan.generator_cdf, plan.discriminator_cdf)
    return sum(part.numel() * part.element_size() for part in parts)


def photos_at_once(photos: int, seeds: int, gpus: int, room: int = MOST_PROBLEMS) -> int:
    """Cut photos into batches of one size, as few as there can be, the same number for each GPU.

    Args:
        photos: of the whole run.
        seeds: problems a photo.
        gpus: cards that share the work.
        room: problems that a card takes.

    Returns:
        Photos a batch, at least 1.
    """
    rounds = max(1, -(-photos * seeds // (gpus * max(room, seeds))))
    return max(1, min(-(-photos // (rounds * gpus)), room // seeds))
