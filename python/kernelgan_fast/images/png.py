"""PNG files of 8 and 16 bits a channel; the same pixels give the same bytes."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from kernelgan_fast.images.metadata import Metadata
from kernelgan_fast.images.photo import Pixels

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by the number of channels
_UP = 2
_METRES_AN_INCH = 0.0254
_ROWS = 256
_LEVEL = 4  # of packing: half the time of the usual 6 for 2 % more bytes


def write_png(stream: BinaryIO, channels: Pixels, metadata: Metadata) -> None:
    """Write a PNG.

    Args:
        stream: to write to.
        channels: (H, W, 1 to 4) uint8 or uint16: grey, grey and alpha, RGB, RGBA.
        metadata: to keep.
    """
    if channels.dtype == np.uint8:
        _write_eight_bits(stream, channels, metadata)
    else:
        _write_sixteen_bits(stream, channels, metadata)


def _write_eight_bits(stream: BinaryIO, channels: Pixels, metadata: Metadata) -> None:
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    options: dict[str, Any] = {
        "compress_level": _LEVEL,
        "icc_profile": metadata.icc,
        "exif": metadata.exif,
    }
    if metadata.dpi:
        options["dpi"] = metadata.dpi
    if metadata.xmp:
        options["pnginfo"] = info = PngInfo()
        info.add(b"iTXt", _xmp(metadata.xmp))
    image = channels[:, :, 0] if channels.shape[2] == 1 else channels
    Image.fromarray(image).save(stream, format="PNG", **options)


def _write_sixteen_bits(stream: BinaryIO, channels: Pixels, metadata: Metadata) -> None:
    """Write what Pillow cannot: 16-bit colour."""
    height, width, count = channels.shape
    stream.write(_SIGNATURE)
    colour_type = _COLOUR_TYPES[count]
    _chunk(stream, b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0))
    if metadata.icc:
        _chunk(stream, b"iCCP", b"ICC Profile\0\0" + zlib.compress(metadata.icc))
    if metadata.dpi:
        across, down = (round(value / _METRES_AN_INCH) for value in metadata.dpi)
        _chunk(stream, b"pHYs", struct.pack(">IIB", across, down, 1))
    if metadata.xmp:
        _chunk(stream, b"iTXt", _xmp(metadata.xmp))
    if metadata.exif:
        _chunk(stream, b"eXIf", metadata.exif.removeprefix(b"Exif\0\0"))
    for data in _packed(channels):
        _chunk(stream, b"IDAT", data)
    _chunk(stream, b"IEND", b"")


def _packed(channels: Pixels) -> Iterator[bytes]:
    """The rows, each stored as its change from the last, and packed."""
    height, width, count = channels.shape
    packer = zlib.compressobj(_LEVEL)
    above = np.zeros((1, 2 * count * width), np.uint8)
    for top in range(0, height, _ROWS):
        block = channels[top : top + _ROWS].astype(">u2")
        rows = block.view(np.uint8).reshape(len(block), -1)
        changes = rows - np.concatenate([above, rows[:-1]])  # modulo 256, as meant
        above = rows[-1:]
        filtered = np.concatenate([np.full((len(rows), 1), _UP, np.uint8), changes], axis=1)
        if data := packer.compress(filtered.tobytes()):
            yield data
    yield packer.flush()


def _chunk(stream: BinaryIO, kind: bytes, data: bytes) -> None:
    checksum = struct.pack(">I", zlib.crc32(kind + data))
    stream.write(struct.pack(">I", len(data)) + kind + data + checksum)


def _xmp(packet: bytes) -> bytes:
    # Keyword, not packed, no language, no translated keyword.
    return b"XML:com.adobe.xmp\0\0\0\0\0" + packet
