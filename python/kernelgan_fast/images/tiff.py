"""TIFF files of 8 and 16 bits a channel, which Pillow writes in part only."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from kernelgan_fast.images.metadata import Metadata
from kernelgan_fast.images.photo import Pixels

if TYPE_CHECKING:
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_OFFSETS, _SAMPLES, _ROWS_A_STRIP, _SIZES = 273, 277, 278, 279
_X_RESOLUTION, _Y_RESOLUTION, _PLANAR, _UNIT, _PREDICTOR, _EXTRA = 282, 283, 284, 296, 317, 338
_XMP, _ICC = 700, 34675

_DEFLATE, _INTERLEAVED, _HORIZONTAL, _INCH, _PLAIN_ALPHA = 8, 1, 2, 2, 2
_GREY, _RGB = 1, 2
_ROWS = 64


def write_tiff(stream: BinaryIO, channels: Pixels, metadata: Metadata) -> None:
    """Write a TIFF, packed without loss.

    Args:
        stream: to write to.
        channels: (H, W, 1 to 4) uint8 or uint16: grey, grey and alpha, RGB, RGBA.
        metadata: to keep.
    """
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    height, width, count = channels.shape
    if count == 2 and channels.dtype == np.uint16:
        # Few programs, and not Pillow, read 16-bit grey with alpha.
        channels, count = channels[:, :, [0, 0, 0, 1]], 4
    strips = [_packed(channels[top : top + _ROWS]) for top in range(0, height, _ROWS)]
    sizes = [len(strip) for strip in strips]
    directory = ImageFileDirectory_v2()  # little-endian
    _describe(directory, metadata)
    directory[_WIDTH], directory[_HEIGHT] = width, height
    directory[_BITS] = (8 * channels.itemsize,) * count
    directory[_COMPRESSION] = _DEFLATE
    directory[_PHOTOMETRIC] = _RGB if count > 2 else _GREY
    directory[_SAMPLES] = count
    directory[_PLANAR] = _INTERLEAVED
    directory[_PREDICTOR] = _HORIZONTAL
    directory[_ROWS_A_STRIP] = _ROWS
    directory[_SIZES] = tuple(sizes)
    directory[_OFFSETS] = tuple(np.cumsum([0, *sizes[:-1]]).tolist())  # Pillow adds its own length
    if count % 2 == 0:
        directory[_EXTRA] = (_PLAIN_ALPHA,)
    directory.save(stream)
    for strip in strips:
        stream.write(strip)


def _describe(directory: ImageFileDirectory_v2, metadata: Metadata) -> None:
    from PIL.Image import Exif

    if metadata.exif:
        exif = Exif()
        exif.load(metadata.exif)
        for tag in exif:
            directory[tag] = exif.get_ifd(tag) or exif[tag]
    if metadata.dpi:
        directory[_X_RESOLUTION], directory[_Y_RESOLUTION] = metadata.dpi
        directory[_UNIT] = _INCH
    if metadata.xmp:
        directory[_XMP] = metadata.xmp
    if metadata.icc:
        directory[_ICC] = metadata.icc


def _packed(rows: Pixels) -> bytes:
    """Each value as its change from the pixel to the left, which packs better."""
    changes = rows.astype(rows.dtype.newbyteorder("<"))
    changes[:, 1:] = rows[:, 1:] - rows[:, :-1]  # modulo 2^bits, as meant
    return zlib.compress(changes.tobytes())
