"""Kernels to train with: the true one that makes an LR crop, and the one the network is given.

A network that only knows true kernels rings with estimated ones. So it is given wrong ones too, and
how wrong they may be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernelgan_fast.degradation import blur_models, shapes
from kernelgan_fast.kernels.geometry import recentre, target_centre

Array = NDArray[np.float64]

# How often each blur model is drawn at scales 2 and 4.
_BLUR_MODELS = {
    "div2krk": 0.45,
    "anisotropic": 0.17,
    "gaussian": 0.10,
    "disk": 0.09,
    "motion": 0.06,
    "bicubic": 0.05,
    "lanczos": 0.03,
    "box": 0.03,
    "bilinear": 0.02,
}

# How the given kernel differs from the true one: not at all, by some stretching and shifting, or
# as an estimate differs.
_EXACT, _PERTURBED = 0.4, 0.35

# Of a perturbed kernel: logarithm of the stretch of each axis and of both, shift in HR px. Some are
# clearly too wide or too narrow: a kernel that is 15 % too wide costs 5 dB if it is trusted.
_STRETCH, _COMMON_STRETCH, _SHIFT = 0.07, 0.09, 0.12
_MISFIT, _MISFIT_STRETCH = 0.2, (0.7, 1.35)

# The expected error that users pass is itself known to about this factor (in logarithms).
_ERROR_SPREAD = 0.3

# At scale 1, kernels blur by this much; px.
_DEBLUR_SIZE = 17
_DEBLUR_WIDTHS, _DEBLUR_RADII, _DEBLUR_REACH = (0.3, 2.5), (0.75, 3.5), (1.0, 5.0)


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
    """Draw a pair for one crop; the bank holds pairs with kernels that were estimated."""
    kind = random.random()
    if bank and kind >= _EXACT + _PERTURBED:
        pair = bank[int(random.integers(len(bank)))]
        return KernelPair(pair.true, pair.told, _uncertain(pair.error, random))
    true = draw_true(scale, random)
    if kind < _EXACT:
        return KernelPair(true, true, 0.0)
    told = perturbed(true, scale, random)
    return KernelPair(true, told, _uncertain(distance(told, true), random))


def draw_true(scale: int, random: np.random.Generator) -> Array:
    """Draw a kernel of one of the blur models, (k, k), sum 1."""
    if scale == 1:
        return _draw_blur(random)
    blur_model = str(random.choice(list(_BLUR_MODELS), p=list(_BLUR_MODELS.values())))
    if scale in blur_models.SCALES:
        seed = int(random.integers(2**31))
        return blur_models.draw(blur_model, scale, seed=seed, name="training").array
    family = blur_models.find_blur_model("anisotropic" if blur_model == "div2krk" else blur_model)
    drawn = {key: float(random.uniform(*span)) for key, span in family.ranges(scale).items()}
    return family.build(drawn, scale, random)


def _draw_blur(random: np.random.Generator) -> Array:
    """Draw a blur at the original size."""
    kind = random.random()
    if kind < 0.7:
        least, most = np.log(_DEBLUR_WIDTHS)
        first, second = np.exp(random.uniform(least, most, 2))
        covariance = shapes.covariance_matrix(first, second, random.uniform(-90, 90))
        return shapes.gaussian(covariance, _DEBLUR_SIZE, 1)
    if kind < 0.85:
        return shapes.disk(random.uniform(*_DEBLUR_RADII), _DEBLUR_SIZE, 1)
    path = shapes.camera_path(random, random.uniform(*_DEBLUR_REACH))
    return recentre(shapes.path_kernel(path, _DEBLUR_SIZE, 1), 1)


def perturbed(kernel: Array, scale: int, random: np.random.Generator) -> Array:
    """Stretch a kernel along its axes and shift it, as an estimate might; sum 1."""
    from scipy import ndimage

    stretch = np.exp(random.normal(0.0, _STRETCH, 2) + random.normal(0.0, _COMMON_STRETCH))
    if random.random() < _MISFIT:
        stretch = np.full(2, random.uniform(*_MISFIT_STRETCH))
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


def _uncertain(error: float, random: np.random.Generator) -> float:
    return min(error * float(np.exp(random.normal(0.0, _ERROR_SPREAD))), 1.0)
