"""Pillow's decoders for the formats that are read, with what they need on top.

They are called by themselves because `Image.open` has a limit of pixels of its own, a setting of
the whole process that is not ours to change. JPEG files with several pictures (MPO, from phones)
give their first and full one this way.
"""

from __future__ import annotations

import io
import math
import os
import struct
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from kernelgan_fast.errors import ImageError

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

_BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES, _FORMAT = 258, 259, 262, 277, 339
_STRIPS, _TILES, _TILE_WIDTH, _TILE_HEIGHT = 273, 324, 322, 323
_WHITE_IS_ZERO, _BLACK_IS_ZERO = 0, 1
_OLD_JPEG = 6
_FLOATING = 3


# An 8-bit colour photo of 266 megapixels; the largest phone sensors give 200.
MAX_BYTES = 4_000_000_000

_WHILE_DECODING = 8  # bytes per pixel: two canvases of WebP, or the coefficients of a JPEG
_FLOAT = 4  # bytes of a value of the working copy, which is RGB even of a grey photo
_DEEP_MODES = {"I": 4, "F": 4}

# Of the values of a TIFF or EXIF tag, by its type: bytes each.
_UNITS = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8)
_DIRECTORIES = (0x8769, 0x8825, 0xA005)  # tags that point to more tags: EXIF, GPS, interoperability
_MAX_TAG_BYTES = 1 << 26


class _CheckedExif(ImageFile):
    def getexif(self) -> Image.Exif:
        data = self.info.get("exif")
        if isinstance(data, bytes):
            data = data.removeprefix(b"Exif\0\0")
            check_tags(io.BytesIO(data), len(data))
        return super().getexif()


class Png(_CheckedExif, PngImageFile):
    """A PNG file."""


class Jpeg(_CheckedExif, JpegImageFile):
    """A JPEG file."""


class WebP(_CheckedExif, WebPImageFile):
    """A WebP file."""

    def _open(self) -> None:
        assert self.fp is not None
        head = self.fp.read(30).ljust(30, b"\0")
        self.fp.seek(0)
        try:
            super()._open()
        except OSError as error:
            check_memory(math.prod(webp_sides(head)), error)
            raise


class Tiff(TiffImageFile):
    """A TIFF file.

    Attributes:
        white_is_zero: whether its grey values have to be inverted once decoded. Pillow does so for
            8 bits and less only; here no depth is inverted while it is decoded.
    """

    white_is_zero = False

    def _open(self) -> None:
        assert self.fp is not None
        check_tags(self.fp, os.fstat(self.fp.fileno()).st_size)
        self.fp.seek(0)
        super()._open()

    def _setup(self) -> None:
        tags: Any = self.tag_v2
        bits, kinds = tags.get(_BITS, (1,)), tags.get(_FORMAT, (1,))
        photometric = tags.get(_PHOTOMETRIC, _WHITE_IS_ZERO)
        self.white_is_zero = (
            photometric == _WHITE_IS_ZERO
            and tags.get(_COMPRESSION) != _OLD_JPEG  # whose colours are YCbCr, whatever the tag
            and (max(bits) <= 16 or kinds == (_FLOATING,))
        )
        if self.white_is_zero:
            tags[_PHOTOMETRIC] = _BLACK_IS_ZERO
        self._refuse_needless_strips(tags)
        try:
            super()._setup()
        except SyntaxError as error:
            if "pixel mode" not in str(error):
                raise
            values = {2: "signed ", _FLOATING: "floating point "}.get(kinds[0], "")
            raise Refusal(
                f"a TIFF of {tags.get(_SAMPLES, len(bits))} channels of {bits[0]} {values}bits "
                f"with photometric interpretation {photometric} is not supported; "
                "export it as grey, RGB or RGBA of 8 or 16 bits"
            ) from error

    def load_prepare(self) -> None:
        """Make room for the pixels."""
        if self._im is None:  # otherwise Pillow applies its own limit of pixels here too
            self.im = Image.new(self.mode, self._tile_size, None).im
        super().load_prepare()

    @staticmethod
    def _refuse_needless_strips(tags: Any) -> None:
        """Refuse more strips or tiles than fit into the picture: each takes memory."""
        width, height, samples = tags.get(256, 0), tags.get(257, 0), tags.get(_SAMPLES, 1)
        if not all(isinstance(number, int) for number in (width, height, samples)):
            raise Refusal("its sides and channels must be whole numbers; export it again")
        most = height
        if _STRIPS not in tags and _TILES in tags:
            most = -(-width // tags[_TILE_WIDTH]) * -(-height // tags[_TILE_HEIGHT])
        count = len(tags.get(_STRIPS, tags.get(_TILES, ())))
        if count > max(most * samples, 1):
            raise Refusal(
                f"it claims {count:,} strips or tiles where {most * samples:,} are enough; export "
                "it again"
            )


def webp_sides(head: bytes) -> tuple[int, int]:
    """Width and height that a WebP file claims in its first 30 bytes; 0 where they do not tell."""
    kind = head[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(head[at : at + 3], "little") + 1 for at in (24, 27))
    elif kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = (int.from_bytes(head[at : at + 2], "little") & 0x3FFF for at in (26, 28))
    else:
        width, height = 0, 0
    return width, height


def decoder_for(head: bytes) -> type[ImageFile] | None:
    """Choose the decoder by the first 12 or more bytes of a file; None where there is none."""
    kinds: list[tuple[bool, type[ImageFile]]] = [
        (head.startswith(b"\x89PNG\r\n\x1a\n"), Png),
        (head.startswith(b"\xff\xd8\xff"), Jpeg),
        (head[:4] == b"RIFF" and head[8:12] == b"WEBP", WebP),
        (head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), Tiff),
        (head.startswith(b"BM"), BmpImageFile),
    ]
    return next((decoder for fits, decoder in kinds if fits), None)


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
