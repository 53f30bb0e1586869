"""How much memory a photo may ask for, judged before it is decoded.

A file of a few megabytes may unpack to many gigabytes, in its pixels or in its metadata.
"""

from __future__ import annotations

import struct
from typing import IO, TYPE_CHECKING

import numpy as np

from kernelgan_fast.errors import ImageError

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

# An 8-bit colour photo of 266 megapixels; the largest phone sensors give 200.
MAX_BYTES = 4_000_000_000

_WHILE_DECODING = 8  # bytes per pixel: two canvases of WebP, or the coefficients of a JPEG
_FLOAT = 4  # bytes of a value of the working copy, which is RGB even of a grey photo
_DEEP_MODES = {"I": 4, "F": 4}

# Of the values of a TIFF or EXIF tag, by its type: bytes each.
_UNITS = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8)
_DIRECTORIES = (0x8769, 0x8825, 0xA005)  # tags that point to more tags: EXIF, GPS, interoperability
_MAX_TAG_BYTES = 1 << 26


class Refusal(ValueError):
    """A reason not to read a file, in words that do not name it."""


def check_size(image: ImageFile, name: str, max_bytes: int, *, deep: bool) -> None:
    """Refuse a photo that would take too much memory.

    Counted are the decoded pixels (pixels x channels x bytes of a value) and the working copy
    (RGB and alpha as float32).

    Args:
        image: the file, opened but not decoded yet.
        name: of the photo, for the error.
        max_bytes: the limit.
        deep: whether the file has 16 bits a channel.

    Raises:
        ImageError: it is over the limit.
    """
    bands = image.getbands()
    value = _DEEP_MODES.get(image.mode, 2 if deep or image.mode.startswith("I;16") else 1)
    has_alpha = bands[-1] in "Aa" or "transparency" in image.info
    a_pixel = len(bands) * value + (3 + has_alpha) * _FLOAT
    check_sides(image.size, name, max_bytes, a_pixel=a_pixel)


def check_sides(
    sides: tuple[int, int], name: str, max_bytes: int, *, a_pixel: int = 3 * _FLOAT
) -> None:
    """Refuse a photo that would take too much memory.

    Args:
        sides: width and height that the file claims.
        name: of the photo, for the error.
        max_bytes: the limit.
        a_pixel: bytes per pixel; the least that any photo takes if not given.

    Raises:
        ImageError: it is over the limit.
    """
    width, height = sides
    needed = width * height * a_pixel
    if needed > max_bytes:
        raise ImageError(
            f"{name}: a photo may take {size_in_words(max_bytes)} of memory, this one claims "
            f"{width:,} x {height:,} pixels, which take {size_in_words(needed)}; "
            "crop it or make it smaller (in Python, max_bytes raises the limit)"
        )


def check_memory(pixels: int, error: Exception) -> None:
    """Tell whether a decoder failed for lack of memory, where its error does not say so.

    Args:
        pixels: of the photo.
        error: what the decoder raised.

    Raises:
        MemoryError: there is not as much memory left as decoders take besides their result.
    """
    try:
        np.empty(_WHILE_DECODING * pixels, np.uint8)
    except MemoryError:
        raise MemoryError(str(error)) from error


def check_tags(stream: IO[bytes], size: int) -> None:
    """Refuse TIFF or EXIF tags that claim far more data than there is.

    Thousands of tags may each claim the same bytes, which are then read as often.

    Args:
        stream: at the start of a TIFF file or of EXIF data without their "Exif" mark.
        size: bytes in it.

    Raises:
        Refusal: the tags claim more than 64 MiB and more than there is.
        struct.error: the tags are cut short.
    """
    head = stream.read(16)
    order = "<" if head.startswith(b"II") else ">"
    big = head[2:4] in (b"+\0", b"\0+")
    pointer, entry = ("Q", "HHQQ") if big else ("I", "HHII")
    (first,) = struct.unpack_from(order + pointer, head, 8 if big else 4)
    waiting, seen, claimed = [first], set(), 0
    while waiting:
        offset = waiting.pop()
        if offset in seen or offset > size:
            continue
        seen.add(offset)
        stream.seek(offset)
        (count,) = struct.unpack(order + ("Q" if big else "H"), stream.read(8 if big else 2))
        length = struct.calcsize(order + entry)
        entries = stream.read(min(count * length, size))
        whole = entries[: len(entries) // length * length]
        for tag, kind, values, value in struct.iter_unpack(order + entry, whole):
            claimed += values * (_UNITS[kind] if kind < len(_UNITS) else 0)
            if tag in _DIRECTORIES:
                waiting.append(value)
    if claimed > max(size, _MAX_TAG_BYTES):
        raise Refusal(
            f"its tags claim {size_in_words(claimed)} of data where there are "
            f"{size_in_words(size)}; export it again without metadata"
        )


def size_in_words(count: int) -> str:
    """A number of bytes in GB, MB or bytes."""
    for unit, name in ((1e9, "GB"), (1e6, "MB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count:,} bytes"
