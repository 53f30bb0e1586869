"""Convolutions on blocks of pixels: what a model runs in place of those with one channel.

A plane cut into b x b blocks is a stack of b² smaller planes, and on such stacks H, its adjoint and
a filter are convolutions of many channels, several times as quick as on the plane.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Blocked:
    """Where the taps of a kernel go.

    Attributes:
        index: (out, in, m, m): which tap of the kernel, row by row, is there; k² for none.
        before, after: blocks that it reaches above and below, so m = before + 1 + after.
    """

    index: NDArray[np.int64]
    before: int
    after: int

    @property
    def size(self) -> int:
        """m."""
        return self.before + 1 + self.after

    @property
    def adjoint(self) -> Blocked:
        """Of the transposed operation."""
        turned = self.index.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1]
        return Blocked(np.ascontiguousarray(turned), self.after, self.before)


def correlation(size: int, scale: int, block: int) -> Blocked:
    """Sort the taps of a downscaling by blocks.

    Args:
        size: k, odd; tap k//2 lies on the first of each s x s HR pixels.
        scale: s; 1 for a filter.
        block: HR px of a block's side, a multiple of s; it makes (block/s)² LR pixels.
    """
    made, centre = block // scale, size // 2
    before = -(-centre // block)
    after = ((made - 1) * scale + size - 1 - centre) // block
    along = np.full((made, block, before + 1 + after), -1)
    for pixel in range(made):
        for tap in range(size):
            place = pixel * scale + tap - centre
            along[pixel, place % block, place // block + before] = tap
    rows, columns = along[:, None, :, None, :, None], along[None, :, None, :, None, :]
    length = before + 1 + after
    index = _both(rows, columns, size).reshape(made * made, block * block, length, length)
    return Blocked(index, before, after)


def windows(size: int, scale: int, made: int) -> NDArray[np.int64]:
    """Sort the taps of a downscaling for a convolution that makes made x made LR pixels at once.

    Its stride is made · scale, and the LR pixels are its channels. With one channel in it is the
    quickest form on a CPU; it has no adjoint of this kind.

    Args:
        size: k; a window begins at tap 0 of its first LR pixel.
        scale: s.
        made: LR px of a side.

    Returns:
        (made², 1, w, w), w = k + (made - 1) s: which tap of the kernel, row by row, is there; k²
        for none.
    """
    taps = np.arange(size + (made - 1) * scale) - scale * np.arange(made)[:, None]
    along = np.where((taps >= 0) & (taps < size), taps, -1)
    return _both(along[:, None, :, None], along[None, :, None, :], size).reshape(
        made * made, 1, taps.shape[1], taps.shape[1]
    )


def _both(rows: NDArray[Any], columns: NDArray[Any], size: int) -> NDArray[np.int64]:
    """The taps of rows and columns, -1 for none, as one number; k² for none."""
    index: NDArray[np.int64] = np.where(
        (rows < 0) | (columns < 0), size * size, rows * size + columns
    )
    return index


def placed(kernel: NDArray[Any], index: NDArray[np.int64]) -> NDArray[Any]:
    """The taps of a kernel in their places; of the shape of `index`."""
    taps: NDArray[Any] = np.append(kernel, kernel.dtype.type(0))[index]
    return taps
