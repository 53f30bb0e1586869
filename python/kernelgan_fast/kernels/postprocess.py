"""From the kernel the generator has learned to the one that is handed out.

Source: Bell-Kligler et al. 2019, section 4.2 (the x4 kernel); the cut and the shift are the steps
the published results were made with.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kernelgan_fast.errors import InputError
from kernelgan_fast.kernels.blur_kernel import BlurKernel
from kernelgan_fast.kernels.geometry import recentre


def postprocess(
    raw: ArrayLike,
    *,
    scale: int = 2,
    kept_values: int = 40,
    cut_fraction: float = 0.75,
    provenance: Mapping[str, Any] | None = None,
) -> BlurKernel:
    """Cut the noise floor of a learned kernel, normalise and centre it; the size stays.

    The floor is `cut_fraction` times the largest value after the `kept_values` largest; it is
    subtracted and what falls below 0 is cut. A kernel with no more values than that has no
    floor, and a floor below 0 counts as 0.

    Args:
        raw: (k, k), the composed generator, k odd.
        scale: how many times smaller the LR image is.
        kept_values: how many values stand above the one that sets the floor, at least 1.
        cut_fraction: the floor as a part of that value, in [0, 1).
        provenance: where the kernel comes from, for the record.

    Returns:
        The kernel, at least 0, sum 1, centred by the half-pixel rule.

    Raises:
        InputError: a setting is out of range, or the array is not square and odd, not finite or
            nowhere positive.
    """
    if kept_values < 1 or not 0 <= cut_fraction < 1:
        raise InputError(
            "kept_values must be at least 1 and cut_fraction in [0, 1), "
            f"got {kept_values} and {cut_fraction}"
        )
    array = np.asarray(raw, dtype=np.float64)
    if not np.isfinite(array).all():
        raise InputError("the learned kernel must be finite, got NaN or infinity; train again")
    floor = 0.0
    if array.size > kept_values:
        floor = max(0.0, cut_fraction * float(np.sort(array, axis=None)[-1 - kept_values]))
    return BlurKernel(recentre(array - floor, scale), scale, provenance=provenance or {})


def kernel_x4(kernel: BlurKernel) -> BlurKernel:
    """Derive the x4 kernel from the x2 kernel: two x2 steps in one.

    Args:
        kernel: scale 2, (k, k).

    Returns:
        Scale 4, (2k - 1, 2k - 1) for odd k (13 gives 25): the full composition less k // 2 a
        side, sum 1. It is centred again after the crop, unless `kernel` has negative values:
        these are kept, and so is the centre, to what the crop took.

    Raises:
        InputError: the kernel is not for scale 2.

    Source: section 4.2.
    """
    if kernel.scale != 2:
        raise InputError(f"a x4 kernel is made of a x2 kernel, got scale {kernel.scale}")
    half = kernel.size // 2
    full = compose_x4(kernel.array)
    array = full[half : full.shape[0] - half, half : full.shape[1] - half]
    array = recentre(array, 4) if array.min() >= 0 else array / array.sum()
    return BlurKernel(array, 4, provenance={**kernel.provenance, "derived": "two x2 steps in one"})


def compose_x4(kernel: ArrayLike) -> NDArray[np.float64]:
    """Compose two equal stride-2 correlations to one of stride 4: k * dilate2(k), uncropped.

    With centre tap c = k // 2, L1[i] = Σ_a k[a]·I[2i + a - c] and L2[j] = Σ_b k[b]·L1[2j + b - c]
    give L2[j] = Σ_a Σ_b k[a]·k[b]·I[4j + a + 2b - 3c]. Tap a + 2b of the result counts from 3c,
    its middle, and the centre of mass moves from c + ½ to 3c + 1½: both conventions hold by
    themselves.

    Args:
        kernel: (k, k).

    Returns:
        (3k - 2, 3k - 2) float64.
    """
    array = np.asarray(kernel, dtype=np.float64)
    size = array.shape[0]
    full = np.zeros((3 * size - 2, 3 * size - 2))
    for row in range(size):
        for col in range(size):
            tap = array[row, col]
            full[2 * row : 2 * row + size, 2 * col : 2 * col + size] += tap * array
    return full
