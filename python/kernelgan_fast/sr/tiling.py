"""Whole photos through a method, tile by tile, so that memory is bounded by the tile."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kernelgan_fast.errors import InputError
from kernelgan_fast.sr.upscaler import Upscaler

# HR pixels of a tile with its context that take about half a gigabyte in the widest method.
_TILE_PIXELS = 3_000_000

LEAST_TILE = 32


class Span(NamedTuple):
    """One tile along one side, LR px: what is kept of it, and what is read for that."""

    first: int
    last: int
    read_first: int
    read_last: int


@dataclass(frozen=True, eq=False)
class Enlarged:
    """A photo enlarged.

    Attributes:
        pixels: (sH, sW, 3), of a uint8 photo uint8, rounded to the nearest, else float32 in [0, 1].
        tile: side of the tiles in LR px, without context; 0 where the photo went through whole.
        notes: what the user should know.
    """

    pixels: NDArray[Any]
    tile: int
    notes: tuple[str, ...] = ()


class Checked:
    """A method whose results are checked; models and weights are other people's.

    Args:
        method: the method, ready.
        source: name of the method, or of the file that it comes from, for errors.
    """

    def __init__(self, method: Upscaler, source: str) -> None:
        self._method, self._source = method, source
        self.scale, self.context, self.multiple = method.scale, method.context, method.multiple

    def __call__(self, low: Tensor) -> Tensor:
        """See `Upscaler`.

        Raises:
            InputError: the result has another shape than the scale demands, another type, or
                values that are not finite.
        """
        high = self._method(low)
        wanted = (1, 3, low.shape[-2] * self.scale, low.shape[-1] * self.scale)
        if tuple(high.shape) != wanted or not high.is_floating_point():
            raise InputError(
                f"{self._source}: the enlarged photo must be {wanted} of floating-point numbers, "
                f"got {tuple(high.shape)} of {high.dtype}; use another model or other weights"
            )
        if not bool(high.isfinite().all()):
            raise InputError(
                f"{self._source}: the enlarged photo must be finite, got NaN or infinity; use "
                "another model, other weights or precision float32"
            )
        return high


def enlarge_photo(
    upscaler: Upscaler,
    pixels: NDArray[Any],
    *,
    tile: int | None = None,
    device: torch.device | None = None,
    progress: Callable[[int, int], None] | None = None,
    source: str = "the method",
) -> Enlarged:
    """Enlarge a photo, in tiles where it is large.

    Tiles overlap by the method's context, so they show no seams. Where memory runs out the tile
    is halved, and halved again.

    Args:
        upscaler: the method, ready.
        pixels: (H, W, 3) uint8, or float32 in [0, 1]; never written to.
        tile: side in LR px of what is kept of a tile, 0 for the whole photo at once; chosen by
            the method's context if None.
        device: where to compute, the CPU if None.
        progress: called with the tiles done and their number; may raise to stop.
        source: name of the method, or of the file that it comes from, for errors.

    Raises:
        InputError: the tile is too small, memory runs out at the smallest, or the result of the
            method has another shape than its scale demands, another type or values that are not
            finite.
    """
    if tile is not None and tile != 0 and tile < LEAST_TILE:
        raise InputError(f"a tile must be at least {LEAST_TILE} px, or 0 for none, got {tile}")
    upscaler = Checked(upscaler, source)
    side = _automatic(upscaler, pixels.shape) if tile is None else tile
    asked = side
    while True:
        try:
            enlarged = _in_tiles(upscaler, pixels, side, device or torch.device("cpu"), progress)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not _out_of_memory(error):
                raise
            side = (side or max(pixels.shape[:2])) // 2
            if side < LEAST_TILE:
                raise InputError(
                    f"memory ran out with tiles of {2 * side} px; close other programs, or use "
                    "another method"
                ) from error
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            continue
        notes = () if side == asked else (f"memory ran out: tiles of {side} px instead",)
        return Enlarged(enlarged, side, notes)


def spans(length: int, tile: int, context: int, multiple: int) -> list[Span]:
    """Cut a side into tiles that begin, with their context, at multiples of `multiple`; 0: one."""
    if tile == 0:
        return [Span(0, length, 0, length)]
    tile = max(tile // multiple, 1) * multiple
    context = -(-context // multiple) * multiple
    cut = []
    for first in range(0, length, tile):
        last = min(first + tile, length)
        cut.append(Span(first, last, max(first - context, 0), min(last + context, length)))
    return cut


def _automatic(upscaler: Upscaler, shape: tuple[int, ...]) -> int:
    height, width = shape[:2]
    if height * width * upscaler.scale**2 <= _TILE_PIXELS:
        return 0
    side = math.isqrt(_TILE_PIXELS) // upscaler.scale - 2 * upscaler.context
    return max(side, 2 * upscaler.context, LEAST_TILE)


def _in_tiles(
    upscaler: Upscaler,
    pixels: NDArray[Any],
    side: int,
    device: torch.device,
    progress: Callable[[int, int], None] | None,
) -> NDArray[Any]:
    height, width = pixels.shape[:2]
    scale = upscaler.scale
    rows, columns = (
        spans(length, side, upscaler.context, upscaler.multiple) for length in (height, width)
    )
    out: NDArray[Any] = np.empty((height * scale, width * scale, 3), dtype=pixels.dtype)
    total = len(rows) * len(columns)
    for done, (row, column) in enumerate(_pairs(rows, columns), 1):
        read = pixels[row.read_first : row.read_last, column.read_first : column.read_last]
        high = upscaler(as_tensor(read).to(device))[0]
        top, left = (scale * (span.first - span.read_first) for span in (row, column))
        kept = high[
            :,
            top : top + scale * (row.last - row.first),
            left : left + scale * (column.last - column.first),
        ]
        out[scale * row.first : scale * row.last, scale * column.first : scale * column.last] = (
            _levels(kept, pixels.dtype)
        )
        if progress is not None:
            progress(done, total)
    return out


def _pairs(rows: list[Span], columns: list[Span]) -> Iterator[tuple[Span, Span]]:
    return ((row, column) for row in rows for column in columns)


def as_tensor(pixels: NDArray[Any]) -> Tensor:
    """Turn (H, W, 3) uint8, or float32 in [0, 1], into (1, 3, H, W) float32 in [0, 1]."""
    planes = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None]
    return planes.float() / 255 if pixels.dtype == np.uint8 else planes


def _levels(high: Tensor, dtype: np.dtype[Any]) -> NDArray[Any]:
    high = high.clamp(0, 1)
    if dtype == np.uint8:
        high = (high * 255).round_().byte()
    levels: NDArray[Any] = high.permute(1, 2, 0).cpu().numpy()
    return levels


def _out_of_memory(error: Exception) -> bool:
    # The CPU's allocator raises a plain RuntimeError and says so in words alone.
    return type(error) is not RuntimeError or "memory" in str(error)
