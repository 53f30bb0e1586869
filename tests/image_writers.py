"""What the tests of photos share: files that Pillow cannot write, and the notes a photo may get."""

from __future__ import annotations

import struct
import zlib
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]
GREY = "grey photo: one channel serves as all three"
ALPHA = "alpha channel ignored"


def png(array: Array) -> bytes:
    """A 16-bit PNG, which Pillow cannot write in colour."""
    height, width, channels = array.shape
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + row.tobytes() for row in array.astype(">u2"))
    header = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n"
    for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        content += struct.pack(">I", len(data)) + kind + data + checksum
    return content


def tiff(array: Array, *, order: Any = "<", packed: bool = False, **changes: int) -> bytes:
    """A TIFF of any depth; `changes` sets the tags photometric, orientation, planar, format."""
    array = array.astype(array.dtype.newbyteorder(order))
    height, width, channels = array.shape
    bits = array.dtype.itemsize * 8
    data = zlib.compress(array.tobytes()) if packed else array.tobytes()
    tags = {
        256: width,
        257: height,
        258: bits,
        259: 8 if packed else 1,
        262: changes.get("photometric", 2 if channels > 2 else 1),
        273: 8,
        274: changes.get("orientation", 1),
        277: channels,
        278: height,
        279: len(data),
        284: changes.get("planar", 1),
        339: changes.get("format", 1),
    }
    if channels in (2, 4):
        tags[338] = 2
    start = 8 + len(data) + len(data) % 2
    directory = struct.pack(order + "H", len(tags))
    extra = b""
    after = start + 2 + 12 * len(tags) + 4
    for tag, value in sorted(tags.items()):
        if tag in (258, 339) and channels == 2:  # two values stand in the entry itself
            directory += struct.pack(order + "HHIHH", tag, 3, 2, value, value)
        elif tag in (258, 339) and channels > 2:
            directory += struct.pack(order + "HHII", tag, 3, channels, after + len(extra))
            extra += struct.pack(order + "H", value) * channels
        elif tag in (273, 279):
            directory += struct.pack(order + "HHII", tag, 4, 1, value)
        else:
            directory += struct.pack(order + "HHIHH", tag, 3, 1, value, 0)
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, start)
    padded = data + b"\0" * (len(data) % 2)
    return head + padded + directory + b"\0\0\0\0" + extra
