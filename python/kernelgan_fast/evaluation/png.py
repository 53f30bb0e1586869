"""Photos out: PNG files of 8 and 16 bits a channel."""

from __future__ import annotations

import os
import struct
import zlib
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from kernelgan_fast.errors import InputError
from kernelgan_fast.files import atomic_write

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RGB, _UP = 2, 2


def save_png(pixels: NDArray[Any], path: str | os.PathLike[str]) -> None:
    """Write a photo; the same pixels give the same bytes.

    Args:
        pixels: (H, W, 3) uint8 or uint16.
        path: the file; its folder must exist. An old file there is replaced.

    Raises:
        InputError: another type or shape.
        OutputError: the file could not be written; an old one is untouched.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype not in (np.uint8, np.uint16):
        raise InputError(
            "a photo to save must be (H, W, 3) uint8 or uint16, "
            f"got {pixels.shape} {pixels.dtype}; convert it first"
        )
    chunks = (_sixteen_bits if pixels.dtype == np.uint16 else _eight_bits)(pixels)
    atomic_write(path, chunks)


def _eight_bits(pixels: NDArray[Any]) -> Any:
    from PIL import Image

    def write(stream: BinaryIO) -> None:
        Image.fromarray(pixels).save(stream, format="PNG")

    return write


def _sixteen_bits(pixels: NDArray[Any]) -> Any:
    """Write what Pillow cannot: 16-bit colour. Each row is stored as its change from the last."""
    height, width = pixels.shape[:2]
    rows = pixels.astype(">u2").view(np.uint8).reshape(height, 6 * width)
    changes = rows - np.concatenate([np.zeros_like(rows[:1]), rows[:-1]])  # modulo 256, as meant
    filtered = np.concatenate([np.full((height, 1), _UP, np.uint8), changes], axis=1)
    header = struct.pack(">IIBBBBB", width, height, 16, _RGB, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(filtered.tobytes())), (b"IEND", b""))

    def write(stream: BinaryIO) -> None:
        stream.write(_SIGNATURE)
        for kind, data in chunks:
            checksum = struct.pack(">I", zlib.crc32(kind + data))
            stream.write(struct.pack(">I", len(data)) + kind + data + checksum)

    return write
