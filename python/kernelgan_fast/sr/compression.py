"""The strength of a JPEG compression as one number, for training and for files."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

# Steps of this many grey levels (about quality 25) and more count as 1.
_LARGEST_STEP = 32.0

# Frequencies (u, v) of the 8 x 8 block with u + v at most this carry what a viewer sees first.
_LOW_FREQUENCIES = 4


def compression_level(luma_quantisation_table: Sequence[int] | ArrayLike) -> float:
    """Summarise the luma quantisation table of a JPEG file.

    Args:
        luma_quantisation_table: 64 steps, row by row, as Pillow's `Image.quantization[0]`.

    Returns:
        In (0, 1]: root mean square of the steps of the low frequencies over 32, at most 1.
        Quality 95, 90, 75, 50 and 30 of libjpeg are about 0.05, 0.10, 0.25, 0.48 and 0.81. A photo
        that was never compressed has level 0.
    """
    steps = np.asarray(luma_quantisation_table, dtype=np.float64).reshape(8, 8)
    row, column = np.indices(steps.shape)
    low = steps[row + column <= _LOW_FREQUENCIES]
    return min(1.0, float(np.sqrt(np.mean(low**2))) / _LARGEST_STEP)
