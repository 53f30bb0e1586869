"""Photos in: PNG, JPEG, WebP, TIFF and BMP files, upright.

Eight-bit photos stay uint8, so that a large photo costs three bytes a pixel; everything deeper
becomes float32 in [0, 1]. Whatever was changed on the way is told in `notes`.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from kernelgan_fast.errors import ImageError, is_out_of_memory
from kernelgan_fast.files import advice_for_missing, special
from kernelgan_fast.images.decoders import MAX_BYTES, Refusal, check_memory, check_sides, check_size
from kernelgan_fast.images.decoding import decode, is_deep, open_photo, tiff_tags
from kernelgan_fast.images.metadata import ORIENTATION, Metadata, metadata_of
from kernelgan_fast.images.photo import ALPHA_IGNORED, GREY_REPEATED, Photo, Pixels
from kernelgan_fast.images.picture import Picture

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

_LONGEST_REASON = 200


_UPRIGHT: dict[int, Callable[[Pixels], Pixels]] = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}

EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")


def read_image(path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES) -> Photo:
    """Read one PNG, JPEG, WebP, TIFF or BMP file; its content decides, not its extension.

    Args:
        path: the file.
        max_bytes: refuse photos that would take more memory than this, decoded and as float32,
            before decoding them.

    Returns:
        The photo, upright by its EXIF orientation; uint8, or float32 in [0, 1] where the file
        holds more than 8 bits a channel.

    Raises:
        ImageError: missing, unreadable, empty, damaged, cut short, of another kind, animated or
            of several pages, too large, or in colours that have no RGB form; or memory ran out.
    """
    picture = _read(path, max_bytes, metadata=False)
    notes = list(picture.notes)
    if picture.alpha is not None:
        notes.append(ALPHA_IGNORED)
    if picture.grey:
        notes.append(GREY_REPEATED)
    return Photo(picture.pixels, tuple(notes), picture.source, picture.quantisation)


def read_picture(path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES) -> Picture:
    """Read such a file with all that a new file made from it should keep.

    Args:
        path: the file.
        max_bytes: refuse photos that would take more memory than this, decoded and as float32,
            before decoding them.

    Returns:
        The picture, upright; its EXIF data say so too.

    Raises:
        ImageError: as `read_image` does.
    """
    return _read(path, max_bytes, metadata=True)


def _read(path: str | os.PathLike[str], max_bytes: int, *, metadata: bool) -> Picture:
    name = os.fspath(path)
    with open_photo(name, max_bytes=max_bytes) as stream:
        try:
            return _decode(stream, name, max_bytes, metadata)
        except ImageError:
            raise
        except Refusal as error:
            raise ImageError(f"{name}: {error}") from error
        except Exception as error:
            # Decoders answer hostile files with errors of every kind, down to IndexError.
            raise ImageError(f"{name}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """Why a file cannot be decoded, and what to do."""
    from PIL.Image import DecompressionBombError

    text = str(error)[:_LONGEST_REASON] or type(error).__name__
    if is_out_of_memory(error):
        return "memory ran out while it was decoded; close other programs, or crop the photo"
    if isinstance(error, OSError) and error.errno:
        return f"it cannot be read ({error.strerror}); copy it again"
    if isinstance(error, DecompressionBombError):
        return f"too large for this version of Pillow ({text}); crop it, or make it smaller"
    if "MAX_TEXT" in text:
        return (
            "its texts or its colour profile unpack to more than a photo needs "
            f"({text}); save it without them"
        )
    return (
        f"the file is damaged, cut short or of an unusual kind ({text}); copy it again, or export "
        "it as PNG"
    )


def _decode(stream: BinaryIO, name: str, max_bytes: int, metadata: bool) -> Picture:
    decoder = _decoder(stream, name, max_bytes)

    def reopen() -> ImageFile:
        stream.seek(0)
        return decoder(stream)

    image = reopen()
    check_size(image, name, max_bytes, deep=is_deep(image))
    if getattr(image, "is_animated", False):
        raise ImageError(
            f"{name}: an animation or a file of several pages, not one photo; save the picture "
            "that is wanted by itself"
        )
    tiff_orientation = tiff_tags(image).get(ORIENTATION, 1)  # gone once decoded: Pillow turns TIFFs
    try:
        decoded = decode(image, name, reopen)
    except ImageError:
        raise
    except Exception as error:
        check_memory(image.width * image.height, error)
        raise
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


def _decoder(stream: BinaryIO, name: str, max_bytes: int) -> type[ImageFile]:
    """Choose the decoder by the first bytes."""
    from kernelgan_fast.images.decoders import WebP, decoder_for, webp_sides

    head = stream.read(30)
    if not head:
        raise ImageError(f"{name}: the file is empty; copy or export it again")
    decoder = decoder_for(head)
    if decoder is None:
        raise ImageError(
            f"{name}: not a PNG, JPEG, WebP, TIFF or BMP image; convert it to one of these"
        )
    if decoder is WebP:  # takes memory for the whole photo as it is opened
        check_sides(webp_sides(head), name, max_bytes)
    return decoder


def find_images(inputs: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """List the photos that files, folders and glob patterns stand for.

    A folder stands for the images directly in it (hidden files left out); a file that is named
    outright is taken whatever its extension; in patterns `**` crosses folders.

    Returns:
        The paths, sorted, each file once.

    Raises:
        ImageError: nothing was given, or one of the inputs stands for no image at all, is a pipe
            or a device, or is a folder that cannot be listed.
    """
    if not inputs:
        raise ImageError("no photo was given; name files, folders or patterns such as 'in/*.png'")
    found: dict[Path, Path] = {}
    for item in inputs:
        name = os.fspath(item)
        matches = _matches(name)
        if not matches:
            kind = special(name)
            if kind not in (None, "a folder"):
                raise ImageError(f"{name}: {kind}, not an image; save the photo to a file first")
            raise ImageError(
                f"{name}: no image found there "
                f"(looked for {' '.join(e[1:] for e in EXTENSIONS)}); {advice_for_missing(name)}"
            )
        for match in matches:
            file = match.resolve()
            found[file] = min(match, found.get(file, match))
    return sorted(found.values())


def _matches(text: str) -> list[Path]:
    # os.path, as the methods of Path raise where a name is too long or a folder not accessible.
    if os.path.isfile(text):
        return [Path(text)]
    names = _listed(text) if os.path.isdir(text) else map(Path, glob.glob(text, recursive=True))
    return [
        name
        for name in names
        if name.suffix.lower() in EXTENSIONS
        and os.path.isfile(name)
        and not name.name.startswith(".")
    ]


def _listed(folder: str) -> list[Path]:
    try:
        return list(Path(folder).iterdir())
    except OSError as error:
        reason = error.strerror or error
        raise ImageError(f"{folder}: the folder cannot be listed: {reason}; check it") from error
