"""JPEG files through `read_picture` and `read_image`."""

from __future__ import annotations

import functools

from fuzz.containers import jpeg_edited as structured
from fuzz.pictures import encoded, metadata, pixels, run_picture

__all__ = ["run", "seeds", "structured"]


@functools.cache
def seeds() -> list[bytes]:
    """Colour, grey, CMYK, progressive, with restart markers and with metadata."""
    return [
        encoded(pixels(3), "JPEG", dpi=(300, 300), comment=b"A comment", **metadata()),
        encoded(pixels(3), "JPEG", subsampling="4:4:4", progressive=True),
        encoded(pixels(1), "JPEG"),
        encoded(pixels(3), "JPEG", mode="CMYK"),
        encoded(pixels(3, 40, 40), "JPEG", restart_marker_blocks=2),
    ]


def run(data: bytes) -> None:
    """Read it and write what was read."""
    run_picture(data, ".jpg")
