"""BMP files through `read_picture` and `read_image`."""

from __future__ import annotations

import functools

from fuzz.mutation import edited
from fuzz.pictures import encoded, pixels, run_picture
from numpy.random import Generator

# The file header, the largest of the information headers, and a palette's beginning.
_HEADERS = 160


@functools.cache
def seeds() -> list[bytes]:
    """Colour, grey, palette, one bit, and the shortest and the longest header."""
    colour = encoded(pixels(3), "BMP")
    return [
        colour,
        encoded(pixels(1), "BMP"),
        encoded(pixels(3), "BMP", mode="P"),
        encoded(pixels(1), "BMP", mode="1"),
        encoded(pixels(4), "BMP"),
        _core_header(colour),
    ]


def structured(data: bytes, rng: Generator) -> bytes:
    """Change the headers alone."""
    return edited(data[:_HEADERS], rng) + data[_HEADERS:]


def run(data: bytes) -> None:
    """Read it and write what was read."""
    run_picture(data, ".bmp")


def _core_header(colour: bytes) -> bytes:
    """The same picture with the 12 bytes of OS/2's header."""
    width, height = colour[18:20], colour[22:24]
    head = (12).to_bytes(4, "little") + width + height + b"\1\0" + colour[28:30]
    start = int.from_bytes(colour[10:14], "little")
    return colour[:10] + (14 + 12).to_bytes(4, "little") + head + colour[start:]
