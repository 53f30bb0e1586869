"""Image containers taken apart, changed in a part, and put together with lengths and checksums.

Without this most damaged files would be refused at their first checksum, and what lies behind it
would never be reached.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

from fuzz.mutation import edited, integer, packed
from numpy.random import Generator

Part = tuple[bytes, bytes]

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_KINDS = (
    *(b"IHDR", b"PLTE", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"eXIf", b"pHYs", b"tIME"),
    *(b"tEXt", b"zTXt", b"iTXt", b"acTL", b"fcTL", b"fdAT", b"cICP", b"sBIT", b"bKGD", b"IDAT"),
)
_TIFF_TAGS = (
    *(254, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 282, 283, 284, 296, 305, 317),
    *(320, 322, 323, 324, 325, 330, 338, 339, 347, 529, 530, 532, 700, 33723, 34377, 34665, 34675),
    *(34853, 37500, 37724, 42112, 42113, 33550, 34735),
)


def png_edited(data: bytes, rng: Generator) -> bytes:
    """Change a PNG's chunks; every chunk gets its length and checksum."""
    chunks = []
    place = len(_PNG_SIGNATURE)
    while place + 12 <= len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        kind, body = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        chunks.append((kind, body))
        place += 12 + length
    if not chunks:
        return edited(data, rng)
    chunks = _parts_edited(chunks, rng, _png_chunk_edited, _PNG_KINDS)
    return _PNG_SIGNATURE + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def _png_chunk_edited(kind: bytes, body: bytes, rng: Generator) -> bytes:
    if kind == b"IHDR" and len(body) == 13 and rng.random() < 0.8:
        # Combinations that decoders take: other depths, colour types and sides.
        width, height, depth, colour = struct.unpack(">IIBB", body[:10])
        if rng.random() < 0.5:
            depth, colour = (1, 2, 4, 8, 16)[rng.integers(5)], (0, 2, 3, 4, 6)[rng.integers(5)]
        else:
            width, height = int(rng.integers(1, 40)), int(rng.integers(1, 40))
        interlace = int(rng.integers(2)) if rng.random() < 0.3 else body[12]
        return struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    if kind == b"eXIf":
        return tiff_edited(body, rng)
    start = {b"IDAT": 0, b"fdAT": 4}.get(kind)
    if kind in (b"iCCP", b"zTXt"):
        start = body.find(b"\0") + 2
    if start is not None and rng.random() < 0.8:
        return body[:start] + repacked(body[start:], rng, edited)
    return edited(body, rng)


def repacked(data: bytes, rng: Generator, edit: Callable[[bytes, Generator], bytes]) -> bytes:
    """Unpack zlib data, change what was in it, and pack it again."""
    try:
        content = zlib.decompressobj().decompress(data, 1 << 20)
    except zlib.error:
        return edited(data, rng)
    return zlib.compress(edit(content, rng), 1)


def webp_edited(data: bytes, rng: Generator) -> bytes:
    """Change the chunks of a WebP file; every chunk, and the file, gets its length."""
    chunks = []
    place = 12
    while place + 8 <= len(data):
        (length,) = struct.unpack("<I", data[place + 4 : place + 8])
        chunks.append((data[place : place + 4], data[place + 8 : place + 8 + length]))
        place += 8 + length + length % 2
    if not chunks:
        return edited(data, rng)
    kinds = (b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"EXIF", b"XMP ", b"ICCP")
    chunks = _parts_edited(chunks, rng, _metadata_edited, kinds)
    body = b"WEBP" + b"".join(
        kind + struct.pack("<I", len(part)) + part + bytes(len(part) % 2) for kind, part in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def jpeg_edited(data: bytes, rng: Generator) -> bytes:
    """Change a JPEG's segments up to the picture's data; every segment gets its length."""
    segments = []
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF and data[place + 1] != 0xDA:
        (length,) = struct.unpack(">H", data[place + 2 : place + 4])
        segments.append((data[place : place + 2], data[place + 4 : place + 2 + length]))
        place += 2 + max(length, 2)
    if not segments:
        return edited(data, rng)
    rest = data[place:]
    if rng.random() < 0.2:
        rest = edited(rest, rng)
    else:
        kinds = tuple(b"\xff" + bytes([code]) for code in (*range(0xC0, 0xF0), 0xFE))
        segments = _parts_edited(segments, rng, _metadata_edited, kinds)
    head = b"".join(
        kind + packed(len(body) + 2, 2, ">") + body for kind, body in segments if len(kind) == 2
    )
    return data[:2] + head + rest


def _metadata_edited(kind: bytes, body: bytes, rng: Generator) -> bytes:
    if body.startswith(b"Exif\0\0"):
        return body[:6] + tiff_edited(body[6:], rng)
    return tiff_edited(body, rng) if kind == b"EXIF" else edited(body, rng)


def tiff_edited(data: bytes, rng: Generator) -> bytes:
    """Change an entry of a TIFF's first directory, or of any other that is found by its pointer."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 8 or rng.random() < 0.1:
        return edited(data, rng)
    (start,) = struct.unpack(order + "I", data[4:8])
    directory = data[start : start + 2]
    if len(directory) < 2:
        return edited(data, rng)
    (count,) = struct.unpack(order + "H", directory)
    places = [start + 2 + 12 * index for index in range(min(count, 100))]
    places = [place for place in places if place + 12 <= len(data)]
    if not places:
        return edited(data, rng)
    place = places[rng.integers(len(places))]
    tag, kind, number, value = struct.unpack(order + "HHII", data[place : place + 12])
    if tag in (34665, 34853, 330) and value + 14 <= len(data) and rng.random() < 0.7:
        place = value + 2  # the first entry of an inner directory
        tag, kind, number, value = struct.unpack(order + "HHII", data[place : place + 12])
    how = rng.integers(6)
    if how == 0:
        tag = _TIFF_TAGS[rng.integers(len(_TIFF_TAGS))]
    elif how == 1:
        kind = int(rng.integers(0, 19))
    elif how == 2:
        number = integer(rng) if rng.random() < 0.5 else int(rng.integers(0, 9))
    elif how == 3:
        return _tiff_values_edited(data, place, order, rng)
    else:
        value = integer(rng) if rng.random() < 0.5 else int(rng.integers(0, 10))
        if kind == 3 and order == ">":
            value <<= 16
    fields = (packed(tag, 2, order), packed(kind, 2, order), packed(number, 4, order))
    return data[:place] + b"".join(fields) + packed(value, 4, order) + data[place + 12 :]


def _tiff_values_edited(data: bytes, place: int, order: str, rng: Generator) -> bytes:
    """Change what an entry points to."""
    (target,) = struct.unpack(order + "I", data[place + 8 : place + 12])
    if target >= len(data):
        return edited(data, rng)
    end = min(target + 64, len(data))
    return data[:target] + edited(data[target:end], rng) + data[end:]


def _parts_edited(
    parts: list[Part],
    rng: Generator,
    edit: Callable[[bytes, bytes, Generator], bytes],
    kinds: tuple[bytes, ...],
) -> list[Part]:
    parts = list(parts)
    at = int(rng.integers(len(parts)))
    kind, body = parts[at]
    how = rng.integers(10)
    if how == 0:
        del parts[at]
    elif how == 1:
        parts.insert(int(rng.integers(len(parts) + 1)), parts[at])
    elif how == 2:
        other = int(rng.integers(len(parts)))
        parts[at], parts[other] = parts[other], parts[at]
    elif how == 3:
        parts[at] = (kinds[rng.integers(len(kinds))], body)
    elif how == 4:
        new = (kinds[rng.integers(len(kinds))], rng.bytes(int(rng.integers(0, 33))))
        parts.insert(at, new)
    else:
        parts[at] = (kind, edit(kind, body, rng))
    return parts
