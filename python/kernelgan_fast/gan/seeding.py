"""Initial weights: a torch generator per problem and network, whoever else is in the batch."""

from __future__ import annotations

import numpy as np
import torch

GENERATOR, DISCRIMINATOR = 0, 1


def generator_for(seed: int, purpose: int) -> torch.Generator:
    """Return a CPU random generator that depends on the seed and the purpose alone.

    Args:
        seed: the problem's seed, any whole number that fits 64 bits.
        purpose: GENERATOR or DISCRIMINATOR, so that the two networks draw apart.

    Returns:
        A seeded torch generator.
    """
    # torch keeps 32 bits of a CPU seed: neighbouring and long seeds are mixed down to them.
    words = [seed & 0xFFFFFFFF, (seed >> 32) & 0xFFFFFFFF, purpose]
    mixed = int(np.random.SeedSequence(words).generate_state(1)[0])
    return torch.Generator().manual_seed(mixed)
