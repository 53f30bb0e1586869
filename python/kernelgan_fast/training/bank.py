"""Kernels as `estimate` finds them on LR photos of the training set, beside the true ones."""

from __future__ import annotations

import numpy as np

from kernelgan_fast.errors import ImageError
from kernelgan_fast.evaluation.degradation import degrade
from kernelgan_fast.spectral import estimate_spectral
from kernelgan_fast.training.kernel_pairs import KernelPair, draw_true
from kernelgan_fast.training.photos import PhotoStore

# Larger crops would tell the kernel better than most users' photos do.
_SIDE = 768

# The network cannot forgive an estimate that is as bad as this, and would learn to trust none.
_WORST = 0.6


def estimated_pairs(
    photos: PhotoStore, scale: int, count: int, random: np.random.Generator
) -> list[KernelPair]:
    """Estimate the kernels of `count` LR crops by the closed form.

    Crops that the estimator refuses, and estimates that say of themselves that they are bad, are
    left out; so the list may be shorter.
    """
    pairs = []
    for _ in range(count):
        true = draw_true(scale, random)
        crop = photos.crops(1, min(_SIDE, photos.least), random)[0].permute(1, 2, 0)
        low = degrade(crop.cpu().numpy(), true, scale)
        try:
            found = estimate_spectral((low / np.float32(65535)).astype(np.float32), scale=scale)
        except ImageError:
            continue
        if found.quality.expected_error < _WORST:
            pairs.append(KernelPair(true, found.kernel.array, found.quality.expected_error))
    return pairs
