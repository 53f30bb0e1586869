"""Kernels by region on disk: all arrays in one .npz, and what a record tells of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from kernelgan_fast.files import atomic_write

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kernelgan_fast.estimation.spectral import TileMap


def save_tiles(tiles: TileMap, path: str | os.PathLike[str]) -> None:
    """Write a map of kernels; the same map gives the same bytes.

    The arrays, rows and columns of regions first:
        kernels (R, C, k, k): each sums to 1; the whole photo's where a region shows too little;
        known (R, C) bool: where the region has a kernel of its own;
        widths (R, C, 3): major, minor width in HR pixels, angle in degrees; NaN where not known;
        expected_error (R, C): relative; NaN where not known;
        row_edges (R + 1), col_edges (C + 1): where regions begin and end, in pixels of the photo;
        whole (k, k): the kernel of the whole photo;
        scale: how many times smaller the photo is.

    Args:
        tiles: the map.
        path: the .npz file; its folder must exist.

    Raises:
        OutputError: the file could not be written; an old one is untouched.
    """
    rows, cols = tiles.grid
    row_edges, col_edges = tiles.edges
    arrays: dict[str, NDArray[np.generic]] = {
        "kernels": np.array(
            [[tiles.kernel(row, col).array for col in range(cols)] for row in range(rows)]
        ),
        "known": np.isfinite(tiles.widths[:, :, 0]),
        "widths": tiles.widths,
        "expected_error": expected_errors(tiles),
        "row_edges": row_edges,
        "col_edges": col_edges,
        "whole": tiles.whole.kernel.array,
        "scale": np.array(tiles.whole.kernel.scale),
    }

    def write(stream: BinaryIO) -> None:
        np.savez(stream, allow_pickle=False, **arrays)

    atomic_write(path, write)


def expected_errors(tiles: TileMap) -> NDArray[np.float64]:
    """By region, the relative error to expect of its kernel; NaN where it has none: (R, C)."""
    return np.array(
        [
            [np.nan if tile is None else tile.quality.expected_error for tile in line]
            for line in tiles.tiles
        ]
    )


def tile_facts(tiles: TileMap) -> dict[str, object]:
    """What a record tells of a map: the grid, and by row widths and errors, null where unknown."""
    return {
        "grid": list(tiles.grid),
        "width_major": _told(tiles.widths[:, :, 0]),
        "width_minor": _told(tiles.widths[:, :, 1]),
        "angle": _told(tiles.widths[:, :, 2]),
        "expected_error": _told(expected_errors(tiles)),
    }


def _told(values: NDArray[np.float64]) -> list[list[float | None]]:
    return [
        [round(value, 4) if np.isfinite(value) else None for value in line]
        for line in values.tolist()
    ]
