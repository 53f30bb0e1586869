"""Discrete cosine transforms of 8 x 8 blocks, which noise and compression are measured in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SIDE = 8

# Radius of each coefficient in units of half a cycle per block.
ROWS, COLS = np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij")
RADIUS: NDArray[np.float64] = np.hypot(ROWS, COLS)


def levels(pixels: NDArray[np.generic]) -> NDArray[np.float32]:
    """Give pixels in grey levels of 0 to 255.

    Args:
        pixels: uint8, or floating point in [0, 1], of any shape.

    Returns:
        float32 of the same shape.
    """
    if pixels.dtype == np.uint8:
        return pixels.astype(np.float32)
    return pixels.astype(np.float32) * np.float32(255)


def luma(pixels: NDArray[np.generic]) -> NDArray[np.float32]:
    """Give the luma of JPEG (BT.601, full range) in grey levels of 0 to 255.

    Args:
        pixels: (H, W, 3), uint8, or floating point in [0, 1].

    Returns:
        (H, W) float32.
    """
    return _weighted(pixels, (0.299, 0.587, 0.114))


def mean_level(pixels: NDArray[np.generic]) -> NDArray[np.float32]:
    """Give the mean of the channels in grey levels of 0 to 255; see `luma`."""
    return _weighted(pixels, (1 / 3, 1 / 3, 1 / 3))


def _weighted(
    pixels: NDArray[np.generic], weights: tuple[float, float, float]
) -> NDArray[np.float32]:
    total = np.zeros(pixels.shape[:2], np.float32)
    for channel, weight in enumerate(weights):
        total += np.float32(weight) * levels(pixels[:, :, channel])
    return total


def tiled(plane: NDArray[np.float32], top: int = 0, left: int = 0) -> NDArray[np.float32]:
    """Cut a plane into adjacent 8 x 8 blocks.

    Args:
        plane: (H, W).
        top, left: first row and column of the grid, 0 to 7.

    Returns:
        (N, 8, 8), row by row; incomplete blocks are left out.
    """
    plane = plane[top:, left:]
    rows, cols = (side // SIDE for side in plane.shape)
    plane = plane[: rows * SIDE, : cols * SIDE]
    return plane.reshape(rows, SIDE, cols, SIDE).swapaxes(1, 2).reshape(-1, SIDE, SIDE)


def transform(blocks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute the orthonormal DCT-II of blocks.

    Args:
        blocks: (N, 8, 8).

    Returns:
        (N, 8, 8) coefficients. White noise of variance v has variance v in each.
    """
    basis = _basis()
    coefficients: NDArray[np.float32] = np.einsum(
        "ui,nij,vj->nuv", basis, blocks, basis, optimize=True
    )
    return coefficients


def _basis() -> NDArray[np.float32]:
    places = np.arange(SIDE)
    basis = np.cos(np.pi * places[:, None] * (places + 0.5) / SIDE) * np.sqrt(2 / SIDE)
    basis[0] /= np.sqrt(2)
    rounded: NDArray[np.float32] = basis.astype(np.float32)
    return rounded
