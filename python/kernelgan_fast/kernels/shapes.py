"""The filters that programs resample with, as continuous functions: their one home.

Each is the filter along one axis, as a function of the distance in pixels of the small image, up
to a factor; a kernel is the outer product of its samples with themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def bicubic(distance: Array) -> Array:
    """Keys' cubic with a = -1/2, 0 from 2 on.

    Source: Keys, "Cubic convolution interpolation for digital image processing", IEEE Transactions
        on Acoustics, Speech, and Signal Processing 29, 1981.
    """
    x = np.abs(distance)
    inner = (1.5 * x - 2.5) * x * x + 1
    outer = ((-0.5 * x + 2.5) * x - 4) * x + 2
    value: Array = np.where(x < 1, inner, np.where(x < 2, outer, 0.0))
    return value


def bilinear(distance: Array) -> Array:
    """A triangle, 0 from 1 on."""
    value: Array = np.maximum(1 - np.abs(distance), 0.0)
    return value


def lanczos(distance: Array) -> Array:
    """A sinc windowed by a sinc three times as wide, 0 from 3 on."""
    return np.where(np.abs(distance) < 3, np.sinc(distance) * np.sinc(distance / 3), 0.0)


def box(distance: Array) -> Array:
    """The mean over a pixel, 0 from 1/2 on."""
    return np.where(np.abs(distance) < 0.5, 1.0, 0.0)


RESAMPLERS: Mapping[str, Callable[[Array], Array]] = MappingProxyType(
    {"bicubic": bicubic, "bilinear": bilinear, "lanczos": lanczos, "box": box}
)
