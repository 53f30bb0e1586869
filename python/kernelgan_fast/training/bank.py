"""Kernels as `estimate` finds them on LR photos of the training set, beside the true ones."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from kernelgan_fast.degradation.degrade import degrade
from kernelgan_fast.errors import ImageError
from kernelgan_fast.estimation.spectral import estimate_spectral
from kernelgan_fast.files import atomic_write
from kernelgan_fast.training.kernel_pairs import KernelPair, distance, draw_true
from kernelgan_fast.training.photos import PhotoStore

# Larger crops would show the kernel better than the photos of most users do.
_SIDE = 768

# Of the LR crops: how many are noisy and compressed, and how much.
_NOISY, _MOST_NOISE = 0.3, 12.0
_COMPRESSED, _QUALITIES = 0.3, (50, 95)

# The network cannot compensate an estimate that is as bad as this, and would learn to trust none.
_WORST = 0.7

_log = logging.getLogger(__name__)


def estimated_pairs(
    photos: PhotoStore, scale: int, count: int, random: np.random.Generator
) -> list[KernelPair]:
    """Estimate the kernels of `count` LR crops, clean, noisy and compressed ones.

    Crops that the estimator refuses, and estimates that are bad by what it expects or in fact, are
    left out; so the list may be shorter. The error of a pair is the one that the estimator expects.
    """
    pairs = []
    for _ in range(count):
        true = draw_true(scale, random)
        crop = photos.crops(1, min(_SIDE, photos.least), random)[0].permute(1, 2, 0)
        noise = float(random.uniform(0, _MOST_NOISE)) if random.random() < _NOISY else 0.0
        jpeg = int(random.integers(*_QUALITIES)) if random.random() < _COMPRESSED else None
        pixels = np.rint(crop.cpu().numpy() * 255).astype(np.uint8)
        low = degrade(pixels, true, scale, noise=noise, jpeg=jpeg, random=random)
        try:
            found = estimate_spectral(low, scale=scale)
        except ImageError:
            continue
        expected, kernel = found.quality.expected_error, found.kernel.array
        if max(expected, distance(kernel, true)) < _WORST:
            pairs.append(KernelPair(true, kernel, expected))
    return pairs


def stored_pairs(
    path: Path | None, photos: PhotoStore, scale: int, count: int, random: np.random.Generator
) -> list[KernelPair]:
    """The same, read from a file if it is there and written to it if not.

    Args:
        path: File of the bank, `.npz`; None to estimate every time.
        photos: Where the crops come from.
        scale: 2 or 4.
        count: LR crops to estimate kernels on.
        random: Source of what is drawn.
    """
    if path is not None and path.exists():
        with np.load(path) as stored:
            return [
                KernelPair(stored[f"true_{index}"], stored[f"told_{index}"], float(error))
                for index, error in enumerate(stored["errors"])
            ]
    pairs = estimated_pairs(photos, scale, count, random)
    if path is not None:
        arrays = {"errors": np.array([pair.error for pair in pairs])}
        for index, pair in enumerate(pairs):
            arrays |= {f"true_{index}": pair.true, f"told_{index}": pair.told}
        atomic_write(path, lambda stream: np.savez_compressed(stream, **arrays))  # type: ignore[arg-type]
        _log.info("x%d: %d estimated kernels written to %s", scale, len(pairs), path)
    return pairs
