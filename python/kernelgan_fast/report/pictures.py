"""Small pictures for the page, all as data: URIs: nothing of a photo's metadata comes along."""

from __future__ import annotations

import base64
import io
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kernelgan_fast.errors import ImageError
from kernelgan_fast.jobs.records import source_facts
from kernelgan_fast.kernels.picture import VIRIDIS, colours

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from kernelgan_fast.kernels.blur_kernel import BlurKernel
    from kernelgan_fast.report.folder import Enlarged

# As pictures of kernels have them, for CSS.
COLOURS = tuple(f"#{bytes(map(int, colour)).hex()}" for colour in VIRIDIS)

# The crop map is made of a copy of the photo no larger than this, and shown as coarse as this.
_MAP_FROM, _MAP_SIDE = 320, 40
_CROP = 64
_GREY = (0.299, 0.587, 0.114)
_QUALITY = 75


@dataclass(frozen=True)
class Sizes:
    """How large pictures may be so that the page stays usable.

    Attributes:
        thumbnail: longest side of the photo.
        slider: side of the part of the enlarged photo shown before and after, 0 for none.
        points: of a curve of losses.
        inline: whether the table's pictures are in the HTML itself, seen without JavaScript.
    """

    thumbnail: int
    slider: int
    points: int
    inline: bool


def sizes_for(photos: int) -> Sizes:
    """Choose sizes by the number of photos; measured in docs/report.md."""
    for most, sizes in (
        (120, Sizes(640, 480, 150, True)),
        (1000, Sizes(320, 288, 100, False)),
        (4000, Sizes(208, 176, 60, False)),
    ):
        if photos <= most:
            return sizes
    return Sizes(128, 0, 30, False)


@dataclass(frozen=True, eq=False)
class Found:
    """A photo's file, found again.

    Attributes:
        path: where it is.
        same: whether its content is what was estimated.
    """

    path: Path
    same: bool


def find_photo(
    source: str, sha256: str | None, size: int | None, folders: Sequence[Path]
) -> Found | None:
    """Look for a photo where the record says it was, then by its file name in folders.

    Only regular files count: the path in a record may lead anywhere.

    Args:
        source: the path as recorded.
        sha256: of the photo, None if the record does not say it; a file that has it is preferred.
        size: bytes of the photo, likewise; a file of another size is not read.
        folders: where to look besides.

    Returns:
        The file; None where there is none.
    """
    name = Path(source).name
    if not name or "\0" in source:
        return None
    first = None
    there = [folder / part for folder in folders for part in (name, source)]
    for path in (Path(source), *there):
        if not os.path.isfile(path):
            continue
        try:
            if not path.is_file():
                continue
            same = size in (None, path.stat().st_size) and source_facts(path).sha256 == sha256
        except (ImageError, OSError, ValueError):  # ValueError of what cannot be a file name
            continue
        if same:
            return Found(path, same=True)
        first = first or Found(path, same=False)
    return first


@dataclass(frozen=True, eq=False)
class Opened:
    """A photo, made small.

    Attributes:
        small: RGB, upright, no side longer than was asked for.
        size: width and height of the photo itself.
        heat: (h, w) uint8, where training takes its crops: 255 is the likeliest.
        likeliest: of that, as parts of width and height.
    """

    small: Image
    size: tuple[int, int]
    heat: NDArray[np.uint8]
    likeliest: tuple[float, float]


def open_photo(path: Path, side: int) -> Opened:
    """Read a photo and make it small; JPEG files are decoded no larger than needed.

    Args:
        path: the file.
        side: of the small picture, at most.

    Raises:
        ImageError: it cannot be read.
    """
    from PIL.Image import Resampling

    image, size, profile = _decoded(path, max(side, _MAP_FROM))
    small = image.copy()
    small.thumbnail((side, side), Resampling.LANCZOS)
    small = _in_srgb(small, profile)
    image.thumbnail((_MAP_FROM, _MAP_FROM), Resampling.LANCZOS)
    heat = crop_map(np.asarray(image), max(size) / max(image.size))
    row, col = np.unravel_index(int(heat.argmax()), heat.shape)
    place = ((int(col) + 0.5) / heat.shape[1], (int(row) + 0.5) / heat.shape[0])
    return Opened(small, size, heat, place)


def crop_map(pixels: NDArray[np.uint8], reduced: float) -> NDArray[np.uint8]:
    """Where training takes its crops, from a small copy of the photo.

    Args:
        pixels: (H, W, 3), the copy.
        reduced: how many times smaller it is than the photo.

    Returns:
        (h, w) the probability of crops' centres, coarser still; 255 is the likeliest.

    Source: paper section 4.1, on the copy.
    """
    from PIL import Image

    from kernelgan_fast.gan.crops import gradient_map, probability_map

    grey = pixels.astype(np.float32) @ np.array(_GREY, dtype=np.float32)
    centres = probability_map(gradient_map(grey), max(round(_CROP / reduced), 2))
    height, width = centres.shape
    zoom = min(_MAP_SIDE / max(height, width), 1.0)
    side = (max(round(width * zoom), 1), max(round(height * zoom), 1))
    coarse = np.asarray(Image.fromarray(centres).resize(side, Image.Resampling.BOX))
    return np.rint(coarse / max(float(coarse.max()), 1e-30) * 255).astype(np.uint8)


def before_and_after(photo: Path, opened: Opened, enlarged: Enlarged, side: int) -> tuple[str, str]:
    """The likeliest crop of a photo enlarged bicubically, and the same place of another picture.

    Args:
        photo: the file.
        opened: the same made small.
        enlarged: the other picture.
        side: of the crop in pixels of the large picture, at most.

    Returns:
        Both as data: URIs.

    Raises:
        ImageError: one of them cannot be read, or their sizes do not fit.
    """
    from PIL.Image import Resampling

    if not enlarged.file.is_file():
        raise ImageError(f"{enlarged.file}: no such file; upscale it again")
    scale = enlarged.scale
    low, size, profile = _decoded(photo, None)
    large, large_size, large_profile = _decoded(enlarged.file, None)
    if large_size != (size[0] * scale, size[1] * scale):
        raise ImageError(
            f"{enlarged.file} must be {scale} times as large as the photo, got "
            f"{large_size[0]} x {large_size[1]} px; upscale it again"
        )
    cut = [min(side // scale, part) for part in size]
    left, top = (
        min(max(round(place * whole - part / 2), 0), whole - part)
        for place, whole, part in zip(opened.likeliest, size, cut, strict=True)
    )
    box = (left, top, left + cut[0], top + cut[1])
    # With a box Pillow still sees the pixels around it, so the crop has no borders of its own.
    before = low.resize((cut[0] * scale, cut[1] * scale), Resampling.BICUBIC, box=box)
    after = large.crop((box[0] * scale, box[1] * scale, box[2] * scale, box[3] * scale))
    return webp(_in_srgb(before, profile)), webp(_in_srgb(after, large_profile))


def webp(image: Image) -> str:
    """A picture as a data: URI."""
    buffer = io.BytesIO()
    image.save(buffer, format="WEBP", quality=_QUALITY, method=2)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def kernel_png(kernel: BlurKernel) -> str:
    """A kernel as a data: URI, one pixel a weight, in sixteen colours."""
    from PIL import Image

    low, high = min(0.0, float(kernel.array.min())), float(kernel.array.max())
    levels = np.rint((kernel.array - low) / max(high - low, 1e-12) * 15).astype(np.uint8)
    image = Image.fromarray(levels, mode="P")
    image.putpalette(colours(np.linspace(0, 1, 16)).tobytes())
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True, bits=4)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _decoded(path: Path, side: int | None) -> tuple[Image, tuple[int, int], bytes | None]:
    """A photo as RGB of 8 bits, upright; a JPEG may come reduced to about `side`.

    Returns:
        The photo, its own size, and its colour profile or None.

    Raises:
        ImageError: it cannot be read.
    """
    from PIL import Image

    from kernelgan_fast.images import read_picture

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a photo's metadata lack was told when it was read
        drafted = _draft(path, side) if side is not None and _is_jpeg(path) else None
        if drafted is not None:
            return drafted
        picture = read_picture(path)
    pixels = picture.pixels
    if pixels.dtype != np.uint8:
        pixels = np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    image = Image.fromarray(pixels)
    return image, image.size, picture.metadata.icc


def _is_jpeg(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(3) == b"\xff\xd8\xff"
    except OSError:
        return False  # read_picture tells


def _draft(path: Path, side: int) -> tuple[Image, tuple[int, int], bytes | None] | None:
    """A JPEG reduced as it is decoded; None where `read_picture` knows better, or why not."""
    from PIL import ImageOps

    from kernelgan_fast.images.decoders import MAX_BYTES, Jpeg, check_size

    try:
        with path.open("rb") as stream:
            image = Jpeg(stream)
            check_size(image, str(path), MAX_BYTES, deep=False)
            width, height = image.size
            image.draft("RGB", (2 * side, 2 * side))
            image.load()
            upright = ImageOps.exif_transpose(image).convert("RGB")
    except Exception:  # Pillow answers damaged files with errors of many kinds
        return None
    turned = (upright.width < upright.height) != (width < height)
    size = (height, width) if turned else (width, height)
    return upright, size, image.info.get("icc_profile") if image.mode == "RGB" else None


def _in_srgb(image: Image, profile: bytes | None) -> Image:
    """The same colours as a page shows them that knows no profile."""
    from PIL import ImageCms

    if profile is None:
        return image
    try:
        given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        page = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, given, page) or image
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image  # damaged, or of grey
