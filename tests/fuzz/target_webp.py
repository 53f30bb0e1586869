"""WebP files through `read_picture` and `read_image`."""

from __future__ import annotations

import functools

from fuzz.containers import webp_edited as structured
from fuzz.pictures import encoded, metadata, pixels, run_picture

__all__ = ["run", "seeds", "structured"]


@functools.cache
def seeds() -> list[bytes]:
    """With and without loss, with alpha and with metadata."""
    return [
        encoded(pixels(3), "WEBP", **metadata()),
        encoded(pixels(4), "WEBP"),
        encoded(pixels(4), "WEBP", lossless=True),
        encoded(pixels(3), "WEBP", lossless=True, exact=True),
    ]


def run(data: bytes) -> None:
    """Read it and write what was read."""
    run_picture(data, ".webp")
