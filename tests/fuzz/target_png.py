"""PNG files through `read_picture` and `read_image`."""

from __future__ import annotations

import functools

import numpy as np
from fuzz.containers import png_edited as structured
from fuzz.pictures import encoded, metadata, pixels, run_picture
from image_writers import png
from PIL import PngImagePlugin

__all__ = ["run", "seeds", "structured"]


@functools.cache
def seeds() -> list[bytes]:
    """Every colour type, 8 and 16 bits, interlaced by hand of the header edits, with metadata."""
    told = metadata()
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "A comment", zip=True)
    text.add_itxt("XML:com.adobe.xmp", told.pop("xmp").decode())
    rng = np.random.default_rng(2)
    return [
        encoded(pixels(3), "PNG", pnginfo=text, dpi=(72, 72), **told),
        encoded(pixels(4), "PNG"),
        encoded(pixels(1), "PNG", transparency=7),
        encoded(pixels(2), "PNG"),
        encoded(pixels(3), "PNG", mode="P", transparency=b"\0\x80"),
        encoded(pixels(1), "PNG", mode="1"),
        *(png(rng.integers(0, 65536, (9, 11, count))) for count in (1, 2, 3, 4)),
    ]


def run(data: bytes) -> None:
    """Read it and write what was read."""
    run_picture(data, ".png")
