"""What a photo file says besides its pixels: colour profile, EXIF, XMP, resolution.

A file that is made from it has other sides and is upright, so what would then be wrong is
corrected or left out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Exif
    from PIL.ImageFile import ImageFile

ORIENTATION = 0x0112
_EXIF, _GPS = 0x8769, 0x8825

# What the first directory may tell of a photo: description, camera, resolution, program, dates,
# people, and Windows' titles and stars. In a TIFF the same place describes the file's own layout.
_KEPT = (
    *(0x010E, 0x010F, 0x0110, 0x011A, 0x011B, 0x0128, 0x0131, 0x0132, 0x013B, 0x013C),
    *(0x4746, 0x4749, 0x8298, 0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F),
)

# Sides in pixels, places counted in pixels, and a pointer to a directory of file names.
_OF_THE_OLD_FILE = (0xA002, 0xA003, 0x9214, 0xA214, 0xA005)

_XMP_ORIENTATION = re.compile(rb'(tiff:Orientation(?:="|>))\d')
_XMP_SIDES = re.compile(
    rb'\s(?:tiff:Image(?:Width|Length)|exif:Pixel[XY]Dimension)="\d*"'
    rb"|<(tiff:Image(?:Width|Length)|exif:Pixel[XY]Dimension)>\d*</\1>"
)
# A list of the pictures in the file, such as gain maps, of which only the first was read.
_XMP_OTHER_PICTURES = b"Container:Directory"


@dataclass(frozen=True)
class Metadata:
    """What to write besides pixels; None where there is nothing.

    Attributes:
        icc: the colour profile, of the same kind (grey or RGB) as the pixels.
        exif: "Exif\\0\\0" and the data: orientation 1, no sides in pixels, no small preview.
        xmp: an XMP packet, corrected likewise.
        dpi: pixels an inch, across and down.
    """

    icc: bytes | None = field(default=None, repr=False)
    exif: bytes | None = field(default=None, repr=False)
    xmp: bytes | None = field(default=None, repr=False)
    dpi: tuple[float, float] | None = None


def metadata_of(image: ImageFile, grey: bool) -> tuple[Metadata, tuple[str, ...]]:
    """Collect what to keep of a file.

    Args:
        image: the file, decoded.
        grey: whether its pixels are grey; a profile of another kind is left out.

    Returns:
        What to keep, and notes on what could not be.
    """
    notes: list[str] = []

    def kept(what: str, take: Callable[[], Any]) -> Any:
        try:
            return take()
        except Exception as error:
            # Pillow takes damaged data apart with errors of every kind; the photo is whole.
            notes.append(f"its {what} cannot be kept: damaged ({error})")
            return None

    icc = image.info.get("icc_profile")
    if icc and icc[16:20] != (b"GRAY" if grey else b"RGB "):
        if image.mode != "CMYK":  # told already
            notes.append("its colour profile is not for its kind of colours and was left out")
        icc = None
    exif = kept("EXIF data", lambda: _upright_exif(image.getexif()))
    xmp = kept("XMP data", lambda: _upright_xmp(image.info.get("xmp")))
    dpi = kept("resolution", lambda: _resolution(image.info.get("dpi")))
    return Metadata(icc or None, exif, xmp, dpi), tuple(notes)


def _upright_exif(found: Exif) -> bytes | None:
    from PIL.Image import Exif

    new = Exif()
    new.endian = found.endian  # makers' notes may rely on it
    for tag in _KEPT:
        if tag in found:
            new[tag] = found[tag]
    for directory in (_EXIF, _GPS):
        inner = found.get_ifd(directory)
        inner = {tag: value for tag, value in inner.items() if tag not in _OF_THE_OLD_FILE}
        if inner:
            new[directory] = inner
    if not len(new):
        return None
    new[ORIENTATION] = 1
    return new.tobytes()


def _upright_xmp(packet: object) -> bytes | None:
    if isinstance(packet, str):
        packet = packet.encode()
    if not isinstance(packet, bytes) or _XMP_OTHER_PICTURES in packet:
        return None
    return _XMP_SIDES.sub(b"", _XMP_ORIENTATION.sub(rb"\g<1>1", packet)) or None


def _resolution(dpi: Any) -> tuple[float, float] | None:
    if not dpi:
        return None
    across, down = (float(value) for value in dpi)
    sensible = all(math.isfinite(value) and value > 0 for value in (across, down))
    return (across, down) if sensible else None
