"""Photos out: PNG, JPEG, WebP, TIFF and BMP, each file whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from kernelgan_fast.errors import InputError
from kernelgan_fast.files import atomic_write
from kernelgan_fast.images.metadata import Metadata
from kernelgan_fast.images.photo import Pixels
from kernelgan_fast.images.picture import Picture
from kernelgan_fast.images.png import write_png
from kernelgan_fast.images.tiff import write_tiff

if TYPE_CHECKING:
    from PIL.Image import Image

DEFAULT_QUALITY = 95

_ROWS = 256
_LONGEST_IN_JPEG = 65_000  # bytes of EXIF data or XMP; its segments hold little more


@dataclass(frozen=True)
class _Format:
    """What a format can hold, and how it is written.

    Attributes:
        largest: the longest side in pixels.
    """

    name: str
    write: Callable[[BinaryIO, Pixels, Metadata, int], None]
    deep: bool = False
    alpha: bool = True
    grey: bool = True
    metadata: bool = True
    largest: int = 2**31 - 1


def save_picture(
    pixels: Pixels,
    path: str | os.PathLike[str],
    like: Picture | None = None,
    *,
    alpha: Pixels | None = None,
    quality: int = DEFAULT_QUALITY,
) -> tuple[str, ...]:
    """Write a photo in the format that the suffix names, like the photo it was made from.

    Values are rounded to the nearest level. A grey photo is written with one channel, the mean of
    the three. What the format cannot hold is left out and told.

    Args:
        pixels: (H, W, 3) uint8, or floating point in [0, 1] (what lies outside is clipped).
        path: ends in .png, .jpg, .jpeg, .webp, .tif, .tiff or .bmp; its folder must exist. An
            old file there is replaced.
        like: whose bits a channel (of uint8 pixels always 8), greyness, colour profile, EXIF data
            and resolution to keep; without it an 8-bit colour photo is written.
        alpha: (H, W), of either kind; None for none, whatever `like` has, whose sides are others.
        quality: 1 to 100, of JPEG and WebP.

    Returns:
        What could not be kept, in words fit for a user.

    Raises:
        InputError: another suffix, shape, type or quality, values that are not finite, or sides
            that the format has not.
        OutputError: the file could not be written; an old one is untouched.
    """
    form = _FORMATS.get(Path(path).suffix.lower())
    if form is None:
        known = " ".join(suffix for suffix in _FORMATS)
        raise InputError(
            f"{path}: a photo is saved as {known}, got '{Path(path).suffix}'; take one of these"
        )
    _check(pixels, alpha, quality)
    if max(pixels.shape[:2]) > form.largest:
        raise InputError(
            f"{path}: a {form.name} has sides of at most {form.largest} px, this photo has "
            f"{pixels.shape[1]} x {pixels.shape[0]}; save it as .png or .tif"
        )
    like = like or Picture(pixels)
    notes = []
    deep = like.bits > 8 and pixels.dtype != np.uint8
    if deep and not form.deep:
        deep = False
        notes.append(f"saved with 8 bits a channel: {form.name} has no more")
    if alpha is not None and not form.alpha:
        notes.append(f"{form.name} has no alpha: composed on white")
    grey = like.grey and form.grey
    metadata, told = _metadata(like, form)
    channels = _channels(
        pixels, alpha, grey=grey, full=65535 if deep else 255, keep_alpha=form.alpha
    )
    atomic_write(path, lambda stream: form.write(stream, channels, metadata, quality))
    return (*notes, *told)


def save_png(pixels: Pixels, path: str | os.PathLike[str]) -> None:
    """Write a photo as it is; the same pixels give the same bytes.

    Args:
        pixels: (H, W, 3) uint8 or uint16.
        path: the file; its folder must exist. An old file there is replaced.

    Raises:
        InputError: another type or shape.
        OutputError: the file could not be written; an old one is untouched.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype not in (np.uint8, np.uint16):
        raise InputError(
            "a photo to save must be (H, W, 3) uint8 or uint16, "
            f"got {pixels.shape} {pixels.dtype}; convert it first"
        )
    atomic_write(path, lambda stream: write_png(stream, pixels, Metadata()))


def _check(pixels: Pixels, alpha: Pixels | None, quality: int) -> None:
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
        raise InputError(f"a photo to save must be (H, W, 3), got {pixels.shape}")
    if alpha is not None and alpha.shape != pixels.shape[:2]:
        raise InputError(
            f"alpha must have the photo's sides {pixels.shape[:2]}, got {alpha.shape}; "
            "resize it first"
        )
    for name, values in (("pixels", pixels), ("alpha", alpha)):
        if values is None or values.dtype == np.uint8:
            continue
        if values.dtype.kind != "f":
            raise InputError(f"{name} must be uint8 or floating point, got {values.dtype}")
        if not np.isfinite(float(values.min()) + float(values.max())):  # NaN passes through both
            raise InputError(f"{name} to save must be finite, got NaN or infinity")
    if not 1 <= quality <= 100:
        raise InputError(f"the quality must be 1 to 100, got {quality}")


def _metadata(like: Picture, form: _Format) -> tuple[Metadata, list[str]]:
    """What of the metadata the format takes, and what is left out."""
    metadata = like.metadata
    if not form.metadata:
        lost = metadata.icc or metadata.exif or metadata.xmp
        told = [f"{form.name} has no room for colour profile and EXIF data"] if lost else []
        return Metadata(dpi=metadata.dpi), told
    told = []
    if like.grey and not form.grey and metadata.icc:
        metadata = replace(metadata, icc=None)
        told.append(f"{form.name} has no grey: its grey colour profile was left out")
    if form.name == "JPEG":
        for name in ("exif", "xmp"):
            if len(getattr(metadata, name) or b"") > _LONGEST_IN_JPEG:
                metadata = replace(metadata, **{name: None})
                told.append(f"its {name.upper()} data are too long for a JPEG and were left out")
    return metadata, told


def _channels(
    pixels: Pixels, alpha: Pixels | None, *, grey: bool, full: int, keep_alpha: bool
) -> Pixels:
    """Bring pixels and alpha to (H, W, 1 to 4) whole levels, some rows at a time."""
    colours = 1 if grey else 3
    count = colours + (alpha is not None and keep_alpha)
    out = np.empty((*pixels.shape[:2], count), np.uint8 if full == 255 else np.uint16)
    for top in range(0, len(pixels), _ROWS):
        rows = slice(top, top + _ROWS)
        colour = _unit(pixels[rows])
        opaque = None if alpha is None else _unit(alpha[rows])[:, :, None]
        if opaque is not None and not keep_alpha:
            colour = colour * opaque + (1 - opaque)
        if grey:
            colour = colour.mean(axis=2, keepdims=True)
        out[rows, :, :colours] = np.rint(colour * full)
        if opaque is not None and keep_alpha:
            out[rows, :, colours:] = np.rint(opaque * full)
    return out


def _unit(values: Pixels) -> Pixels:
    if values.dtype == np.uint8:
        return np.divide(values, 255, dtype=np.float32)
    return np.clip(values, 0, 1).astype(np.float32, copy=False)


def _image(channels: Pixels) -> Image:
    from PIL import Image

    return Image.fromarray(channels[:, :, 0] if channels.shape[2] == 1 else channels)


def _options(metadata: Metadata) -> dict[str, Any]:
    found = {
        "icc_profile": metadata.icc,
        "exif": metadata.exif,
        "xmp": metadata.xmp,
        "dpi": metadata.dpi,
    }
    return {name: value for name, value in found.items() if value}


def _write_jpeg(stream: BinaryIO, channels: Pixels, metadata: Metadata, quality: int) -> None:
    # Colour as fine as light: what was just made sharp shall stay so.
    options = {"quality": quality, "subsampling": "4:4:4", **_options(metadata)}
    _image(channels).save(stream, format="JPEG", **options)


def _write_webp(stream: BinaryIO, channels: Pixels, metadata: Metadata, quality: int) -> None:
    options = {"quality": quality, "exact": True, **_options(metadata)}
    _image(channels).save(stream, format="WEBP", **options)


def _write_bmp(stream: BinaryIO, channels: Pixels, metadata: Metadata, quality: int) -> None:
    _image(channels).save(stream, format="BMP", **_options(Metadata(dpi=metadata.dpi)))


_PNG = _Format("PNG", lambda stream, *what: write_png(stream, *what[:2]), deep=True)
_JPEG = _Format("JPEG", _write_jpeg, alpha=False, largest=65_500)
_WEBP = _Format("WebP", _write_webp, grey=False, largest=16_383)
_TIFF = _Format("TIFF", lambda stream, *what: write_tiff(stream, *what[:2]), deep=True)
_BMP = _Format("BMP", _write_bmp, alpha=False, metadata=False)

_FORMATS = {
    ".png": _PNG,
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".webp": _WEBP,
    ".tif": _TIFF,
    ".tiff": _TIFF,
    ".bmp": _BMP,
}
