"""TIFF files through `read_picture` and `read_image`."""

from __future__ import annotations

import functools

import numpy as np
from fuzz.containers import tiff_edited as structured
from fuzz.pictures import encoded, metadata, pixels, run_picture
from image_writers import tiff

__all__ = ["run", "seeds", "structured"]


@functools.cache
def seeds() -> list[bytes]:
    """Both byte orders, 8, 16 and 32 bits, each compression, palette, CMYK, and metadata."""
    rng = np.random.default_rng(3)
    deep = rng.integers(0, 65536, (9, 11, 4)).astype(np.uint16)
    told = metadata()
    told.pop("xmp")
    return [
        encoded(pixels(3), "TIFF", dpi=(300, 300), **told),
        *(
            encoded(pixels(3), "TIFF", compression=name)
            for name in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")
        ),
        encoded(pixels(1), "TIFF", mode="1", compression="group4"),
        encoded(pixels(3), "TIFF", mode="P"),
        encoded(pixels(3), "TIFF", mode="CMYK"),
        encoded(pixels(4), "TIFF"),
        encoded(rng.random((9, 11)).astype(np.float32), "TIFF"),
        tiff(deep[:, :, :1]),
        tiff(deep[:, :, :3], order=">"),
        tiff(deep, packed=True),
        tiff(pixels(3), planar=2),
    ]


def run(data: bytes) -> None:
    """Read it and write what was read."""
    run_picture(data, ".tif")
