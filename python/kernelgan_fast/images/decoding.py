"""From an opened image file to its channels: what Pillow does not do by itself."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from kernelgan_fast.errors import ImageError
from kernelgan_fast.files import advice_for_missing, special
from kernelgan_fast.images.decoders import MAX_BYTES, size_in_words
from kernelgan_fast.images.photo import Pixels, eight_bits_or_unit

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

_TIFF_BITS, _TIFF_PLANAR, _TIFF_SEPARATE = 258, 284, 2


_CONVERTED = {
    "P": "palette colours",
    "PA": "palette colours",
    "La": "premultiplied alpha",
    "RGBa": "premultiplied alpha",
    "RGBX": "RGB with padding",
    "CMYK": "CMYK (without its colour profile)",
    "YCbCr": "YCbCr",
}

# Which unpacking rule reads the low byte of each channel, for the rule that reads the high one.
_OTHER_BYTE = {
    "16B": "16L",
    "16L": "16B",
    "16N": "16B" if sys.byteorder == "little" else "16L",
}


@dataclass(frozen=True, eq=False)
class Decoded:
    """The channels of a file, apart.

    Attributes:
        pixels: (H, W, 3) uint8 or float32 in [0, 1], C-contiguous.
        alpha: (H, W) of the same type, or None.
        grey: whether the file has one colour channel; `pixels` then holds it three times.
        notes: what was changed on the way.
    """

    pixels: Pixels
    alpha: Pixels | None
    grey: bool
    notes: tuple[str, ...] = ()


def decode(image: ImageFile, name: str, reopen: Callable[[], ImageFile]) -> Decoded:
    """Decode a file.

    Args:
        image: the file, opened but not decoded yet.
        name: of the photo, for errors.
        reopen: opens the same file once more.

    Raises:
        ImageError: the colours have no RGB form, or the values are out of range.
        Exception: whatever Pillow says of a damaged file.
    """
    decoded = _decode(image, name, reopen)
    if not getattr(image, "white_is_zero", False):
        return decoded
    full = 255 if decoded.pixels.dtype == np.uint8 else np.float32(1)
    return replace(decoded, pixels=full - decoded.pixels)


def is_deep(image: ImageFile) -> bool:
    """Whether the file holds 16 bits a channel, of which Pillow keeps 8."""
    return raw_mode_of(image).partition(";")[2] in _OTHER_BYTE


def _decode(image: ImageFile, name: str, reopen: Callable[[], ImageFile]) -> Decoded:
    _refuse_garbled(image, name)
    raw_mode = raw_mode_of(image)
    layout, _, depth = raw_mode.partition(";")
    if layout in ("RGB", "RGBA", "RGBX") and depth in _OTHER_BYTE:
        return _apart(_sixteen_bits(image, reopen()), name, _unkept_colour(image))
    if raw_mode == "LA;16B":
        return _apart(_sixteen_bits_grey_alpha(reopen()), name, [])
    if image.mode.startswith("I"):
        return _apart(_integers(image, name), name, _unkept_colour(image))
    notes = ["its 16 bits a channel were read as 8"] if depth in _OTHER_BYTE else []
    if image.mode in ("1", "L", "RGB") and "transparency" in image.info:
        if raw_mode in ("1", "L", "RGB"):
            wanted = "RGBA" if image.mode == "RGB" else "LA"
            return _apart(np.array(image.convert(wanted)), name, notes)
        notes += _unkept_colour(image)
    if image.mode in ("L", "LA", "RGB", "RGBA", "F"):
        return _apart(np.array(image), name, notes)
    if image.mode == "1":
        return _apart(np.array(image.convert("L")), name, notes)
    if image.mode not in _CONVERTED:
        raise ImageError(f"{name}: colour mode {image.mode} has no RGB form here; export as RGB")
    notes.append(f"{_CONVERTED[image.mode]} converted to RGB")
    # Palettes may hold transparency, which Pillow wants to see kept through the conversion.
    clear = image.mode in ("PA", "La", "RGBa") or "transparency" in image.info
    return _apart(np.array(image.convert("RGBA" if clear else "RGB")), name, notes)


def tiff_tags(image: ImageFile) -> Mapping[int, Any]:
    """Give the tags of a TIFF file, none for other kinds."""
    return getattr(image, "tag_v2", {})


def raw_mode_of(image: ImageFile) -> str:
    """Name how the file stores its channels, such as "RGB;16B"; "" where the decoder hides it."""
    if not image.tile:
        return ""
    arguments = image.tile[0].args
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return first if isinstance(first, str) else ""


def _apart(channels: Pixels, name: str, notes: list[str]) -> Decoded:
    """Take (H, W) or (H, W, 1 to 4) apart: grey, grey and alpha, RGB, RGBA."""
    channels = eight_bits_or_unit(channels.reshape(*channels.shape[:2], -1), name)
    count = channels.shape[2]
    grey = count < 3
    alpha = None if count % 2 else np.ascontiguousarray(channels[:, :, -1])
    colour = np.repeat(channels[:, :, :1], 3, axis=2) if grey else channels[:, :, :3]
    return Decoded(np.ascontiguousarray(colour), alpha, grey, tuple(notes))


def _unkept_colour(image: ImageFile) -> list[str]:
    return ["its transparent colour was ignored"] if "transparency" in image.info else []


def _refuse_garbled(image: ImageFile, name: str) -> None:
    """Refuse what Pillow decodes without complaint but wrongly: deep TIFFs, plane by plane."""
    tags = tiff_tags(image)
    if tags.get(_TIFF_PLANAR, 1) == _TIFF_SEPARATE and max(tags.get(_TIFF_BITS, (8,))) > 8:
        raise ImageError(
            f"{name}: a TIFF of more than 8 bits with separate colour planes cannot be read; "
            "save it with interleaved channels, or as PNG"
        )


def _sixteen_bits(image: ImageFile, again: ImageFile) -> Pixels:
    """Read 16-bit colour, of which Pillow keeps 8: (H, W, 3 or 4) float32 in [0, 1].

    `image` gives the high bytes, `again`, the same file unpacked the other way, the low ones.
    """
    count = len(image.getbands())
    pixels = np.asarray(image)[:, :, :count].astype(np.float32)
    again.tile = [_low_bytes(tile) for tile in again.tile]
    pixels *= 256
    pixels += np.asarray(again)[:, :, :count]
    pixels /= 65535
    return pixels


def _sixteen_bits_grey_alpha(image: ImageFile) -> Pixels:
    """Read a PNG of 16-bit grey with alpha, which Pillow opens as RGBA: (H, W, 2) float32.

    As many bytes a pixel as RGBA has, so they are read as if they were that.
    """
    image.tile = [tile._replace(args="RGBA") for tile in image.tile]
    halves = np.asarray(image).astype(np.float32)
    return (halves[:, :, 0::2] * 256 + halves[:, :, 1::2]) / np.float32(65535)


def _low_bytes(tile: Any) -> Any:
    whole = isinstance(tile.args, str)
    layout, _, depth = (tile.args if whole else tile.args[0]).partition(";")
    other = f"{layout};{_OTHER_BYTE[depth]}"
    return tile._replace(args=other if whole else (other, *tile.args[1:]))


def _integers(image: ImageFile, name: str) -> Pixels:
    """Read one-channel integers of 12, 16 or 32 bits: (H, W) float32 in [0, 1]."""
    full = 4095 if tiff_tags(image).get(_TIFF_BITS) == (12,) else 65535
    values: Pixels = np.asarray(image)
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > full:
        raise ImageError(
            f"{name}: integer values must lie in 0..{full}, got {low}..{high}; "
            "export the photo with 8 or 16 bits"
        )
    return np.divide(values, full, dtype=np.float32)


class _PhotoFile(io.BufferedReader):
    """A file that takes memory for bytes that it has, not for all that a decoder asks for."""

    def __init__(self, raw: io.FileIO) -> None:
        super().__init__(raw)
        self._size = os.fstat(raw.fileno()).st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """Read up to `size` bytes, all where it is None or below 0."""
        return super().read(size if size is None else min(size, self._size))


def open_photo(path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES) -> BinaryIO:
    """Open the file of a photo.

    Args:
        path: the file.
        max_bytes: refuse files longer than this.

    Returns:
        The file, opened for reading.

    Raises:
        ImageError: missing, not readable, not a regular file, or too large.
    """
    name = os.fspath(path)
    kind = special(name)
    if kind == "a folder":
        raise ImageError(f"{name}: a folder, not an image; name a file in it")
    if kind is not None:
        raise ImageError(f"{name}: {kind}, not an image; save the photo to a file first")
    try:
        stream = _PhotoFile(open(name, "rb", 0))  # noqa: SIM115, the caller closes it
    except FileNotFoundError as error:
        raise ImageError(f"{name}: no such file; {advice_for_missing(name)}") from error
    except PermissionError as error:
        raise ImageError(f"{name}: no permission to read it; change its permissions") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"{name}: it cannot be opened: {reason}; check the path") from error
    size = os.fstat(stream.fileno()).st_size
    if size > max_bytes:
        stream.close()
        raise ImageError(
            f"{name}: the file of a photo may have {size_in_words(max_bytes)}, this one has "
            f"{size_in_words(size)}; crop the photo (in Python, max_bytes raises the limit)"
        )
    return stream
