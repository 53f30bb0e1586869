"""Photos in: PNG, JPEG, WebP, TIFF and BMP files, upright.

Eight-bit photos stay uint8, so that a large photo costs three bytes a pixel; everything deeper
becomes float32 in [0, 1]. Whatever was changed on the way is told in `notes`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from kernelgan_fast.errors import ImageError
from kernelgan_fast.files import advice_for_missing
from kernelgan_fast.images.decoding import decode, tiff_tags
from kernelgan_fast.images.metadata import ORIENTATION, Metadata, metadata_of
from kernelgan_fast.images.photo import ALPHA_IGNORED, GREY_REPEATED, Photo, Pixels
from kernelgan_fast.images.picture import Picture

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

# The largest phone sensors give 200 megapixels; a file that claims more is likelier a trap.
MAX_PIXELS = 250_000_000


def read_image(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> Photo:
    """Read one PNG, JPEG, WebP, TIFF or BMP file; its content decides, not its extension.

    Args:
        path: the file.
        max_pixels: refuse photos with more pixels than this before decoding them.

    Returns:
        The photo, upright by its EXIF orientation; uint8, or float32 in [0, 1] where the file
        holds more than 8 bits a channel.

    Raises:
        ImageError: missing, unreadable, empty, damaged, cut short, of another kind, animated or
            of several pages, larger than `max_pixels`, or in colours that have no RGB form.
    """
    picture = _read(path, max_pixels, metadata=False)
    notes = list(picture.notes)
    if picture.alpha is not None:
        notes.append(ALPHA_IGNORED)
    if picture.grey:
        notes.append(GREY_REPEATED)
    return Photo(picture.pixels, tuple(notes), picture.source, picture.quantisation)


def read_picture(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read such a file with all that a new file made from it should keep.

    Args:
        path: the file.
        max_pixels: refuse photos with more pixels than this before decoding them.

    Returns:
        The picture, upright; its EXIF data say so too.

    Raises:
        ImageError: as `read_image` does.
    """
    return _read(path, max_pixels, metadata=True)


def _read(path: str | os.PathLike[str], max_pixels: int, *, metadata: bool) -> Picture:
    name = os.fspath(path)
    try:
        with open(name, "rb") as stream:
            return _decode(stream, name, max_pixels, metadata)
    except ImageError:
        raise
    except FileNotFoundError as error:
        raise ImageError(f"{name}: no such file; {advice_for_missing(name)}") from error
    except IsADirectoryError as error:
        raise ImageError(f"{name}: a folder, not an image; name a file in it") from error
    except PermissionError as error:
        raise ImageError(f"{name}: no permission to read it; change its permissions") from error
    except MemoryError as error:
        raise ImageError(f"{name}: not enough memory to decode it; crop the photo") from error
    except Exception as error:
        # Decoders answer damaged files with errors of every kind, down to IndexError.
        raise ImageError(
            f"{name}: the file is damaged, cut short or of an unusual kind ({error}); "
            "copy it again, or export it as PNG"
        ) from error


def _decode(stream: BinaryIO, name: str, max_pixels: int, metadata: bool) -> Picture:
    decoder = _decoder(stream, name)

    def reopen() -> ImageFile:
        stream.seek(0)
        return decoder(stream)

    image = reopen()
    if image.width * image.height > max_pixels:
        raise ImageError(
            f"{name}: a photo may have {max_pixels:,} pixels, this one claims "
            f"{image.width} x {image.height} = {image.width * image.height:,}; crop it, or raise "
            "max_pixels if the file is trusted"
        )
    if (frames := getattr(image, "n_frames", 1)) > 1:
        raise ImageError(
            f"{name}: an animation or a file of {frames} pages, not one photo; "
            "save the picture that is wanted by itself"
        )
    tiff_orientation = tiff_tags(image).get(ORIENTATION, 1)  # gone once decoded: Pillow turns TIFFs
    decoded = decode(image, name, reopen)
    notes = list(decoded.notes)
    pixels, alpha = decoded.pixels, decoded.alpha
    orientation = _orientation(image)  # only now: PNGs decode to answer this
    if orientation is None:
        notes.append("its EXIF data are damaged and were ignored, orientation and all")
    if orientation in _UPRIGHT:
        turn = _UPRIGHT[orientation]
        pixels = np.ascontiguousarray(turn(pixels))
        alpha = None if alpha is None else np.ascontiguousarray(turn(alpha))
    if orientation in _UPRIGHT or tiff_orientation in _UPRIGHT:
        notes.append("turned upright as its EXIF orientation says")
    kept, told = metadata_of(image, decoded.grey) if metadata else (Metadata(), ())
    bits = 8 if pixels.dtype == np.uint8 else 16
    table = _luma_table(image)
    return Picture(pixels, alpha, decoded.grey, bits, kept, (*notes, *told), name, table)


def _luma_table(image: ImageFile) -> tuple[tuple[int, ...], ...] | None:
    """Give the luma quantisation table of a JPEG file, (8, 8); None for other kinds."""
    steps = getattr(image, "quantization", {}).get(0)
    if steps is None or len(steps) != 64:
        return None
    return tuple(tuple(int(step) for step in steps[row : row + 8]) for row in range(0, 64, 8))


def _orientation(image: ImageFile) -> int | None:
    """What the EXIF data say of it; None if they are damaged, which leaves the pixels whole."""
    try:
        found: int = image.getexif().get(ORIENTATION, 1)
    except Exception:  # of every kind
        return None
    return found


def _decoder(stream: BinaryIO, name: str) -> type[ImageFile]:
    """Choose the decoder by the first bytes.

    The decoders are called by themselves because Image.open() has a pixel limit of its own, a
    setting of the whole process that is not ours to change. JPEG files with several pictures
    (MPO, from phones) give their first and full one this way.
    """
    from PIL import (
        BmpImagePlugin,
        JpegImagePlugin,
        PngImagePlugin,
        TiffImagePlugin,
        WebPImagePlugin,
    )

    head = stream.read(12)
    if not head:
        raise ImageError(f"{name}: the file is empty; copy or export it again")
    kinds: list[tuple[bool, type[ImageFile]]] = [
        (head.startswith(b"\x89PNG\r\n\x1a\n"), PngImagePlugin.PngImageFile),
        (head.startswith(b"\xff\xd8\xff"), JpegImagePlugin.JpegImageFile),
        (head[:4] == b"RIFF" and head[8:] == b"WEBP", WebPImagePlugin.WebPImageFile),
        (head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), TiffImagePlugin.TiffImageFile),
        (head.startswith(b"BM"), BmpImagePlugin.BmpImageFile),
    ]
    for fits, decoder in kinds:
        if fits:
            return decoder
    raise ImageError(
        f"{name}: not a PNG, JPEG, WebP, TIFF or BMP image; convert it to one of these"
    )


_UPRIGHT: dict[int, Callable[[Pixels], Pixels]] = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}
