"""Small CC0 photos, and what cameras and programs do to them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

DATA = Path(__file__).resolve().parent / "data"
OSPREY, COLOSSEUM = "perched-osprey_112x112.png", "roman-colosseum_160x112.png"

Bytes = NDArray[np.uint8]


def photo(name: str = OSPREY) -> Bytes:
    """One of the photos, (H, W, 3) uint8."""
    with Image.open(DATA / name) as image:
        return np.asarray(image.convert("RGB"))


def with_noise(pixels: Bytes, sigma: Any, seed: int = 0) -> Bytes:
    """Add white noise of a standard deviation (a number, or one per channel or pixel)."""
    noise = np.random.default_rng(seed).normal(size=pixels.shape) * sigma
    return np.clip(np.rint(pixels + noise), 0, 255).astype(np.uint8)


def jpeg(pixels: Bytes, quality: int, **options: Any) -> bytes:
    """The bytes of a JPEG file."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality, **options)
    return stream.getvalue()


def decoded(content: bytes) -> Bytes:
    """The pixels of a file."""
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def resized(pixels: Bytes, factor: float, method: Image.Resampling) -> Bytes:
    """Enlarge by a factor with Pillow."""
    height, width = (round(side * factor) for side in pixels.shape[:2])
    return np.asarray(Image.fromarray(pixels).resize((width, height), method))


def grey(pixels: Bytes) -> Bytes:
    """The luma as a photo of three equal channels."""
    return np.repeat(np.asarray(Image.fromarray(pixels).convert("L"))[:, :, None], 3, axis=2)


def stars(side: int = 128, background: float = 20.0, seed: int = 0) -> Bytes:
    """Points of light on a dark noisy background."""
    random = np.random.default_rng(seed)
    sky = random.normal(background, 1.0, (side, side))
    row, col = np.mgrid[:side, :side]
    for _ in range(side // 4):
        top, left = random.uniform(6, side - 6, 2)
        distance = (row - top) ** 2 + (col - left) ** 2
        sky += random.uniform(60, 230) * np.exp(-distance / 2)
    return np.repeat(np.clip(np.rint(sky), 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)


def drawing(side: int = 128) -> Bytes:
    """A drawing: flat areas, lines and a disk, smoothed at their edges."""
    large = np.full((4 * side, 4 * side, 3), 250, np.uint8)
    row, col = np.mgrid[: 4 * side, : 4 * side]
    large[(row - 2 * side) ** 2 + (col - side) ** 2 < side**2 / 2] = (200, 40, 30)
    large[np.abs(row - col) < 6] = 0
    large[row > 3.5 * side] = (30, 90, 180)
    return np.asarray(Image.fromarray(large).resize((side, side), Image.Resampling.BOX))
