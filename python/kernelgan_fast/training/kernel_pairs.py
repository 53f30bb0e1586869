"""The kernels to train with: the true one that makes the LR crops, and the one the network is told.

A network that only ever met true kernels rings with estimated ones; so it is told wrong ones too,
and how wrong they may be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernelgan_fast.evaluation import blur_laws
from kernelgan_fast.kernels.geometry import target_centre

Array = NDArray[np.float64]

# How often each law is drawn.
_LAWS = {
    "div2krk": 0.50,
    "anisotropic": 0.15,
    "gaussian": 0.10,
    "disk": 0.08,
    "motion": 0.05,
    "bicubic": 0.05,
    "lanczos": 0.03,
    "box": 0.02,
    "bilinear": 0.02,
}

# How the kernel that is told differs from the true one: not at all, by a little stretching and
# shifting, or as an estimate of the closed form differs.
_EXACT, _PERTURBED = 0.4, 0.4

# Of a perturbed kernel: logarithm of each axis' stretch, and shift in HR px.
_STRETCH, _SHIFT = 0.10, 0.15

# The expected error that users pass is itself known to about this factor (in logarithms).
_ERROR_SPREAD = 0.3


@dataclass(frozen=True, eq=False)
class KernelPair:
    """A true kernel, the kernel to tell the network, and how far apart they are said to be.

    Attributes:
        true, told: (k, k) float64, not always of one size, sum 1.
        error: relative L2 distance as the network is told it, 0 for exact kernels.
    """

    true: Array
    told: Array
    error: float


def draw_pair(scale: int, bank: Sequence[KernelPair], random: np.random.Generator) -> KernelPair:
    """Draw a pair for one step; the bank holds pairs with kernels that were estimated."""
    kind = random.random()
    if bank and kind >= _EXACT + _PERTURBED:
        pair = bank[int(random.integers(len(bank)))]
        return _uncertain(pair.true, pair.told, random)
    true = draw_true(scale, random)
    if kind < _EXACT:
        return KernelPair(true, true, 0.0)
    return _uncertain(true, perturbed(true, scale, random), random)


def draw_true(scale: int, random: np.random.Generator) -> Array:
    """Draw a kernel of one of the laws, (k, k), sum 1."""
    law = str(random.choice(list(_LAWS), p=list(_LAWS.values())))
    return blur_laws.draw(law, scale, seed=int(random.integers(2**31)), name="training").array


def perturbed(kernel: Array, scale: int, random: np.random.Generator) -> Array:
    """Stretch a kernel along its axes and shift it, as an estimate might; sum 1."""
    from scipy import ndimage

    stretch = np.exp(random.normal(0.0, _STRETCH, 2))
    offset = random.normal(0.0, _SHIFT, 2)
    margin = scale * 2
    padded = np.pad(kernel, margin)
    centre = target_centre(padded.shape[0], scale)
    moved = ndimage.affine_transform(
        padded, 1 / stretch, centre - (centre + offset) / stretch, order=3
    )
    moved = np.clip(moved, 0.0, None)
    moved[moved < 1e-3 * moved.max()] = 0.0
    told: Array = moved / moved.sum()
    return told


def distance(one: Array, other: Array) -> float:
    """Relative L2 distance of two odd-sized kernels about their centre taps."""
    size = max(one.shape[0], other.shape[0])
    a, b = (np.pad(kernel, (size - kernel.shape[0]) // 2) for kernel in (one, other))
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def _uncertain(true: Array, told: Array, random: np.random.Generator) -> KernelPair:
    error = distance(told, true) * float(np.exp(random.normal(0.0, _ERROR_SPREAD)))
    return KernelPair(true, told, min(error, 1.0))
