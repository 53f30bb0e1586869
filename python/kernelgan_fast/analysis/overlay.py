"""Burnt-in text, time stamps and logos: edges that are sharper than the photo's own.

An overlay was drawn after the photo was made small, so its edges are one pixel wide while the
photo's own were blurred by the kernel. Its blocks say nothing about the kernel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# An edge is strong if four neighbours span this many grey levels, and sharp if this part of it
# lies between two of them.
_STRONG, _SHARP = 60.0, 0.8

# Cells of this side are suspect if they have so many sharp pixels, and so large a share of them.
_CELL, _FEWEST_SHARP, _SHARP_SHARE = 16, 3, 0.12

# Of an overlay: share of sharp pixels within it, beside it, and of the photo that it may cover.
# 66 photos without an overlay do not meet all three (docs/in_the_wild.md).
_WITHIN, _BESIDE, _LARGEST, _SMALLEST = 0.25, 0.005, 0.3, 0.003


def find_overlay(grey: NDArray[np.float32]) -> NDArray[np.bool_] | None:
    """Find text and other drawings on a photo.

    Args:
        grey: (H, W) in grey levels of 0 to 255.

    Returns:
        (H, W), true where an overlay is or may be near; None if there is none.
    """
    if min(grey.shape) < 3 * _CELL:
        return None
    strong, sharp = _edges(grey)
    edges, sharp_edges = _by_cell(strong), _by_cell(sharp)
    suspect = (sharp_edges >= _FEWEST_SHARP) & (sharp_edges >= _SHARP_SHARE * edges)
    if not _SMALLEST <= suspect.mean() <= _LARGEST:
        return None
    near = _grown(suspect)
    within = sharp_edges[suspect].sum() / edges[suspect].sum()
    beside = sharp_edges[~near].sum() / max(edges[~near].sum(), 1)
    if within < _WITHIN or beside > _BESIDE:
        return None
    mask = np.zeros(grey.shape, bool)
    cells = near.repeat(_CELL, axis=0).repeat(_CELL, axis=1)
    mask[: cells.shape[0], : cells.shape[1]] = cells
    # Incomplete cells at the far borders follow their neighbours.
    mask[cells.shape[0] :] = mask[cells.shape[0] - 1]
    mask[:, cells.shape[1] :] = mask[:, cells.shape[1] - 1, None]
    return mask


def _edges(grey: NDArray[np.float32]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    strong, sharp = np.zeros(grey.shape, bool), np.zeros(grey.shape, bool)
    for plane, strong_here, sharp_here in ((grey, strong, sharp), (grey.T, strong.T, sharp.T)):
        four = [plane[k : len(plane) - 3 + k] for k in range(4)]
        largest = np.maximum(np.maximum(four[0], four[1]), np.maximum(four[2], four[3]))
        smallest = np.minimum(np.minimum(four[0], four[1]), np.minimum(four[2], four[3]))
        span = largest - smallest
        here = span >= _STRONG
        strong_here[1:-2] |= here
        sharp_here[1:-2] |= here & (np.abs(four[2] - four[1]) >= _SHARP * span)
    return strong, sharp


def _by_cell(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    rows, cols = (side // _CELL for side in mask.shape)
    whole = mask[: rows * _CELL, : cols * _CELL]
    counts: NDArray[np.int64] = whole.reshape(rows, _CELL, cols, _CELL).sum((1, 3), np.int64)
    return counts


def _grown(cells: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Cells and their eight neighbours."""
    padded = np.pad(cells, 1)
    rows, cols = cells.shape
    grown = np.zeros_like(cells)
    for down in range(3):
        for right in range(3):
            grown |= padded[down : down + rows, right : right + cols]
    return grown
