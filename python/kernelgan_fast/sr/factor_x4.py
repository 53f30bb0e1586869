"""The x2 kernel that, used twice, comes nearest to a x4 kernel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernelgan_fast.kernels import BlurKernel, target_centre

# Two such make up to 37x37 taps. A wider Gaussian than fits would have a x4 kernel of 80.
_SIZE = 13

# A narrower Gaussian is one tap, which has no place between pixels.
_LEAST_VARIANCE = 0.1


def x2_of_x4(kernel: BlurKernel) -> BlurKernel:
    """Take half of a x4 kernel: k4 = k2 * dilated k2, so the covariance of k4 is 5 times k2's.

    Args:
        kernel: scale 4, of any shape.

    Returns:
        Scale 2, 13 x 13: the Gaussian of a fifth of the covariance.

    Source: Bell-Kligler et al. 2019, section 4.2 (the composition).
    """
    values, axes = np.linalg.eigh(kernel.covariance / 5)
    variances = np.maximum(values, _LEAST_VARIANCE)
    inverse: NDArray[np.float64] = (axes / variances) @ axes.T
    offsets = np.indices((_SIZE, _SIZE)) - target_centre(_SIZE, 2)
    exponent = np.einsum("iyx,ij,jyx->yx", offsets, inverse, offsets)
    gaussian = np.exp(-exponent / 2)
    return BlurKernel(gaussian / gaussian.sum(), 2)
