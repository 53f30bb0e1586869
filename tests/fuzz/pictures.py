"""What the targets of image formats share: the picture they are seeded with, and what must hold."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from fuzz.outcomes import check, check_pixels, choice, may_refuse
from numpy.typing import NDArray
from PIL import Image, ImageCms
from PIL.TiffImagePlugin import IFDRational

from kernelgan_fast.images import Picture, read_image, read_picture, save_picture

# Far below the package's own limit. The working copy takes 12 bytes per pixel, 4 per value.
_MOST_BYTES = 20_000_000
_BYTES_PER_PIXEL = 12
_SAVED = (".png", ".jpg", ".tif", ".webp")
# Longer sides are refused by WebP, and far longer ones by JPEG.
_LONGEST_IN_ALL = 16_383

_XMP = (
    b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:Description tiff:Orientation=\"6\" "
    b'exif:PixelXDimension="24"><dc:title>A title</dc:title></rdf:Description></x:xmpmeta>'
)


def pixels(channels: int = 3, height: int = 20, width: int = 24) -> NDArray[np.uint8]:
    """A small picture with smooth and rough parts: (height, width, channels), or 2-D for one."""
    rng = np.random.default_rng(1)
    ramp = np.linspace(0, 200, width)[None, :, None] + np.arange(height)[:, None, None]
    values = np.clip(ramp + rng.integers(0, 40, (height, width, channels)), 0, 255)
    return values.astype(np.uint8)[:, :, 0] if channels == 1 else values.astype(np.uint8)


def metadata() -> dict[str, Any]:
    """A colour profile, EXIF data with inner directories, and XMP, as `Image.save` takes them."""
    exif = Image.Exif()
    exif[0x010E] = "A description"
    exif[0x0112] = 6
    exif[0x011A] = IFDRational(300, 1)
    exif[0x9C9B] = "T\0i\0\0\0".encode("latin-1")
    exif.get_ifd(0x8769).update({0x829A: IFDRational(1, 60), 0x9000: b"0232", 0xA002: 24})
    exif.get_ifd(0x8825).update({0: b"\2\3\0\0", 1: "N", 2: (IFDRational(50, 1),) * 3})
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return {"exif": exif.tobytes(), "icc_profile": profile, "xmp": _XMP}


def encoded(array: NDArray[Any], form: str, mode: str | None = None, **options: Any) -> bytes:
    """A picture as a file that Pillow writes; `mode` converts it before."""
    image = Image.fromarray(array)
    stream = io.BytesIO()
    (image.convert(mode) if mode else image).save(stream, format=form, **options)
    return stream.getvalue()


def run_picture(data: bytes, suffix: str) -> None:
    """Read a file in both ways, and write what was read."""
    path = Path(f"fuzzed{suffix}")
    path.write_bytes(data)
    with may_refuse(path.name):
        picture = read_picture(path, max_bytes=_MOST_BYTES)
        photo = read_image(path, max_bytes=_MOST_BYTES)
    height, width = picture.pixels.shape[:2]
    size = height * width * _BYTES_PER_PIXEL
    check(size <= _MOST_BYTES, f"{width} x {height} px were read")
    check_pixels(picture.pixels, (height, width, 3))
    if picture.alpha is not None:
        check_pixels(picture.alpha, (height, width))
    check(np.array_equal(photo.pixels, picture.pixels), "read_image gives other pixels")
    _written(picture, _SAVED[choice(data, len(_SAVED))])


def _written(picture: Picture, suffix: str) -> None:
    """What was read can be written, with its metadata, and read again."""
    height, width = picture.pixels.shape[:2]
    if max(height, width) > _LONGEST_IN_ALL:
        suffix = ".png"
    copy = Path(f"written{suffix}")
    save_picture(picture.pixels, copy, picture, alpha=picture.alpha)
    again = read_picture(copy)
    check_pixels(again.pixels, picture.pixels.shape)
