"""Photos in: files, arrays and tensors become one `Photo`; nothing else here knows file formats.

Eight-bit photos stay uint8, so that a large photo costs three bytes a pixel; everything deeper
becomes float32 in [0, 1]. Whatever was changed on the way is told in `Photo.notes`.
"""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from kernelgan_fast.errors import ImageError

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")

# The largest phone sensors give 200 megapixels; a file that claims more is likelier a trap.
MAX_PIXELS = 250_000_000

_ORIENTATION = 0x0112
_TIFF_BITS, _TIFF_PLANAR, _TIFF_SEPARATE = 258, 284, 2

Pixels = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Photo:
    """A photo ready for use.

    Attributes:
        pixels: (H, W, 3), C-contiguous, uint8 in [0, 255] or float32 in [0, 1]. It may share
            memory with the array it was made from and is never written to.
        notes: what was changed on the way, in words fit for a user.
        source: the path as given, or "array" or "tensor".
    """

    pixels: Pixels
    notes: tuple[str, ...] = ()
    source: str = "array"


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
    name = os.fspath(path)
    try:
        with open(name, "rb") as stream:
            return _decode(stream, name, max_pixels)
    except ImageError:
        raise
    except FileNotFoundError as error:
        raise ImageError(f"{name}: no such file; check the path") from error
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


def as_photo(image: object) -> Photo:
    """Take an array or tensor as a photo; it is checked, and never written to.

    Args:
        image: a numpy array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), or a torch tensor (H, W),
            (1, H, W), (3, H, W) or (4, H, W) on any device; uint8 in [0, 255], uint16 in
            [0, 65535] or floating point in [0, 1]. A fourth channel (alpha) is ignored. A `Photo`
            is returned as it is.

    Returns:
        The photo; a contiguous (H, W, 3) uint8 or float32 array is shared, not copied.

    Raises:
        ImageError: another type, dtype or shape, no pixels, NaN, infinity, or out of range.
    """
    if isinstance(image, Photo):
        return image
    torch = sys.modules.get("torch")  # where torch was never imported nothing is a tensor
    if torch is not None and isinstance(image, torch.Tensor):
        pixels, notes = _checked(_tensor_to_array(image), "tensor")
        return Photo(pixels, notes, "tensor")
    if isinstance(image, np.ndarray):
        pixels, notes = _checked(image, "array")
        return Photo(pixels, notes, "array")
    raise ImageError(
        "a photo must be a path, a numpy array or a torch tensor, "
        f"got {type(image).__name__}; convert it with numpy.asarray(...) first"
    )


def find_images(inputs: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """List the photos that files, folders and glob patterns stand for.

    A folder stands for the images directly in it (hidden files left out); a file that is named
    outright is taken whatever its extension; in patterns `**` crosses folders.

    Returns:
        The paths, sorted, each file once.

    Raises:
        ImageError: nothing was given, or one of the inputs stands for no image at all.
    """
    if not inputs:
        raise ImageError("no photo was given; name files, folders or patterns such as 'in/*.png'")
    found: dict[Path, Path] = {}
    for item in inputs:
        matches = _matches(os.fspath(item))
        if not matches:
            raise ImageError(
                f"{os.fspath(item)}: no image found there "
                f"(looked for {' '.join(e[1:] for e in EXTENSIONS)}); check the path"
            )
        for match in matches:
            file = match.resolve()
            found[file] = min(match, found.get(file, match))
    return sorted(found.values())


def _matches(text: str) -> list[Path]:
    path = Path(text)
    if path.is_file():
        return [path]
    names = path.iterdir() if path.is_dir() else map(Path, glob.glob(text, recursive=True))
    return [
        name
        for name in names
        if name.suffix.lower() in EXTENSIONS and name.is_file() and not name.name.startswith(".")
    ]


def _decode(stream: BinaryIO, name: str, max_pixels: int) -> Photo:
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
    tiff_orientation = _tags(image).get(_ORIENTATION, 1)  # gone once decoded: Pillow turns TIFFs
    pixels, notes = _pixels(image, name, reopen)
    orientation = image.getexif().get(_ORIENTATION, 1)  # only now: PNGs decode to answer this
    if orientation in _UPRIGHT:
        pixels = np.ascontiguousarray(_UPRIGHT[orientation](pixels))
    if orientation in _UPRIGHT or tiff_orientation in _UPRIGHT:
        notes = (*notes, "turned upright as its EXIF orientation says")
    return Photo(pixels, notes, name)


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


def _pixels(
    image: ImageFile, name: str, reopen: Callable[[], ImageFile]
) -> tuple[Pixels, tuple[str, ...]]:
    """Decode to (H, W, 3) uint8 or float32, with notes."""
    _refuse_garbled(image, name)
    raw_mode = _raw_mode(image)
    layout, _, depth = raw_mode.partition(";")
    if layout in ("RGB", "RGBA", "RGBX") and depth in _OTHER_BYTE:
        pixels, _ = _checked(_sixteen_bits(image, reopen()), name)
        return pixels, ("alpha channel ignored",) if layout == "RGBA" else ()
    if image.mode.startswith("I"):
        return _checked(_integers(image, name), name)
    notes = ["its 16 bits a channel were read as 8"] if depth in _OTHER_BYTE else []
    if image.mode in ("L", "RGB", "RGBA", "F"):
        pixels, more = _checked(np.array(image), name)
        return pixels, (*notes, *more)
    if image.mode == "LA":
        pixels, more = _checked(np.asarray(image)[:, :, 0], name)
        return pixels, (*notes, "alpha channel ignored", *more)
    if image.mode not in _CONVERTED:
        raise ImageError(f"{name}: colour mode {image.mode} has no RGB form here; export as RGB")
    notes.append(f"{_CONVERTED[image.mode]} converted to RGB")
    # Palettes may hold transparency, which Pillow wants to see kept through the conversion.
    clear = image.mode in ("PA", "La", "RGBa") or "transparency" in image.info
    pixels, more = _checked(np.array(image.convert("RGBA" if clear else "RGB")), name)
    return pixels, (*notes, *more)


_CONVERTED = {
    "1": "black and white",
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

_UPRIGHT: dict[int, Callable[[Pixels], Pixels]] = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}


def _tags(image: ImageFile) -> Mapping[int, Any]:
    """Give the tags of a TIFF file, none for other kinds."""
    return getattr(image, "tag_v2", {})


def _raw_mode(image: ImageFile) -> str:
    """Name how the file stores its channels, such as "RGB;16B"; "" where the decoder hides it."""
    if not image.tile:
        return ""
    arguments = image.tile[0].args
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return first if isinstance(first, str) else ""


def _refuse_garbled(image: ImageFile, name: str) -> None:
    """Refuse what Pillow decodes without complaint but wrongly: deep TIFFs, plane by plane."""
    tags = _tags(image)
    if tags.get(_TIFF_PLANAR, 1) == _TIFF_SEPARATE and max(tags.get(_TIFF_BITS, (8,))) > 8:
        raise ImageError(
            f"{name}: a TIFF of more than 8 bits with separate colour planes cannot be read; "
            "save it with interleaved channels, or as PNG"
        )


def _sixteen_bits(image: ImageFile, again: ImageFile) -> Pixels:
    """Read 16-bit colour, of which Pillow keeps 8: (H, W, 3) float32 in [0, 1].

    `image` gives the high bytes, `again`, the same file unpacked the other way, the low ones.
    """
    pixels = np.asarray(image)[:, :, :3].astype(np.float32)
    again.tile = [_low_bytes(tile) for tile in again.tile]
    pixels *= 256
    pixels += np.asarray(again)[:, :, :3]
    pixels /= 65535
    return pixels


def _low_bytes(tile: Any) -> Any:
    whole = isinstance(tile.args, str)
    layout, _, depth = (tile.args if whole else tile.args[0]).partition(";")
    other = f"{layout};{_OTHER_BYTE[depth]}"
    return tile._replace(args=other if whole else (other, *tile.args[1:]))


def _integers(image: ImageFile, name: str) -> Pixels:
    """Read one-channel integers of 12, 16 or 32 bits: (H, W) float32 in [0, 1]."""
    full = 4095 if _tags(image).get(_TIFF_BITS) == (12,) else 65535
    values: Pixels = np.asarray(image)
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > full:
        raise ImageError(
            f"{name}: integer values must lie in 0..{full}, got {low}..{high}; "
            "export the photo with 8 or 16 bits"
        )
    return np.divide(values, full, dtype=np.float32)


def _tensor_to_array(tensor: Any) -> Pixels:
    """Bring a torch tensor to numpy, channels last."""
    shape = tuple(tensor.shape)
    if len(shape) == 3 and shape[0] not in (1, 3, 4):
        raise ImageError(
            f"a tensor must be (3, H, W), (1, H, W) or (H, W), got {shape}; "
            "put the channels first, as with permute(2, 0, 1)"
        )
    if len(shape) not in (2, 3):
        raise ImageError(
            f"a tensor must be (3, H, W), (1, H, W) or (H, W), got {shape}; "
            "give several photos as a list"
        )
    tensor = tensor.detach().cpu()
    if "bfloat16" in str(tensor.dtype):  # numpy has no such type
        tensor = tensor.float()
    array = cast("Pixels", tensor.numpy())
    return array if len(shape) == 2 else np.moveaxis(array, 0, -1)


def _checked(array: Pixels, name: str) -> tuple[Pixels, tuple[str, ...]]:
    """Give the pixels as contiguous (H, W, 3) uint8 or float32 in [0, 1], with notes."""
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        first = array.ndim == 3 and array.shape[0] in (1, 3, 4)
        advice = "use numpy.moveaxis(a, 0, -1)" if first else "give one photo, channels last"
        raise ImageError(
            f"{name}: an array must be (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), "
            f"got {array.shape}; {advice}"
        )
    if array.size == 0:
        raise ImageError(f"{name}: a photo must have pixels, got shape {array.shape}")
    notes: tuple[str, ...] = ()
    if array.ndim == 3 and array.shape[2] == 4:
        array, notes = array[:, :, :3], ("alpha channel ignored",)
    array = _eight_bits_or_unit(array, name)
    if array.ndim == 2 or array.shape[2] == 1:
        grey = array.reshape(*array.shape[:2], 1)
        return np.repeat(grey, 3, axis=2), (*notes, "grey photo: one channel serves as all three")
    return np.ascontiguousarray(array), notes


def _eight_bits_or_unit(array: Pixels, name: str) -> Pixels:
    """Check type and range: uint8 is kept, uint16 and floats become float32 in [0, 1]."""
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.uint16:
        return np.divide(array, 65535, dtype=np.float32)
    if array.dtype.kind != "f":
        raise ImageError(
            f"{name}: pixels must be uint8, uint16 or floating point in [0, 1], got "
            f"{array.dtype}; convert with astype(numpy.uint8) if the values are 0..255"
        )
    low, high = float(array.min()), float(array.max())  # NaN passes through min and max
    if not np.isfinite(low + high):
        raise ImageError(f"{name}: pixels must be finite, got NaN or infinity; replace them")
    if low < 0 or high > 1:
        advice = "clip them to [0, 1]"
        if low >= 0 and high > 2:
            advice = f"divide by {255 if high <= 255 else 65535}"
        elif low >= -1 and high <= 1 and low < -0.25:
            advice = "if they were scaled to [-1, 1], use (x + 1) / 2"
        raise ImageError(
            f"{name}: floating point pixels must lie in [0, 1], got {low:.6g}..{high:.6g}; {advice}"
        )
    return array.astype(np.float32, copy=False)
