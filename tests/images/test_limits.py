"""Files that ask for more memory than a photo may take, in pixels or in metadata."""

from __future__ import annotations

import contextlib
import io
import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from image_writers import png, tiff
from numpy.typing import NDArray
from PIL import Image

from kernelgan_fast.errors import ImageError
from kernelgan_fast.images import read_image, read_picture

Array = NDArray[Any]

DEFLATED = zlib.compress(bytes(1 << 24))


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def claiming(width: int, height: int, bits: int, colour_type: int) -> bytes:
    """A PNG of a few bytes that claims these sides."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(b"\0"))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("bits", "colour_type", "a_pixel"),
    [(8, 2, 15), (16, 2, 18), (8, 6, 20), (16, 6, 24), (8, 0, 13), (16, 0, 14), (8, 4, 18)],
)
def test_pixels_are_counted_by_their_bytes(
    tmp_path: Path, bits: int, colour_type: int, a_pixel: int
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(claiming(1000, 500, bits, colour_type))
    with pytest.raises(ImageError, match="cut short"):  # passes the limit, and has no pixels
        read_image(path, max_bytes=500_000 * a_pixel)
    with pytest.raises(ImageError, match=r"may take .* claims 1,000 x 500 pixels, which take"):
        read_image(path, max_bytes=500_000 * a_pixel - 1)


@pytest.mark.parametrize(
    ("side", "bits", "colour_type"), [(15_000, 16, 2), (15_800, 16, 6), (100_000, 1, 0)]
)
def test_the_usual_limit(tmp_path: Path, side: int, bits: int, colour_type: int) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(claiming(side, side, bits, colour_type))
    for read in (read_image, read_picture):
        with pytest.raises(ImageError, match=r"a\.png: a photo may take 4\.0 GB of memory"):
            read(path)


@pytest.mark.parametrize(
    ("lossless", "alpha"),
    [(False, False), (True, False), (False, True)],
    ids=["VP8", "VP8L", "VP8X"],
)
def test_webp_sides_are_limited_before_the_decoder_takes_memory(
    tmp_path: Path, lossless: bool, alpha: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 24, 4 if alpha else 3), np.uint8)
    path = tmp_path / "a.webp"
    Image.fromarray(pixels).save(path, lossless=lossless)
    assert read_image(path).pixels.shape == (20, 24, 3)
    monkeypatch.setattr("PIL._webp.WebPAnimDecoder", None)
    with pytest.raises(
        ImageError, match=r"a\.webp: .* claims 24 x 20 pixels, which take 5,760 bytes"
    ):
        read_image(path, max_bytes=5_759)


def test_the_limit_is_ours_and_pillow_s_setting_stays(
    tmp_path: Path, pixels: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    for name in ("a.png", "a.jpg", "a.tif", "a.bmp"):
        Image.fromarray(pixels).save(tmp_path / name)
        assert read_image(tmp_path / name).pixels.shape == (24, 30, 3)
    Image.fromarray(pixels).save(tmp_path / "b.tif", compression="tiff_lzw")
    assert read_image(tmp_path / "b.tif").pixels.shape == (24, 30, 3)
    assert Image.MAX_IMAGE_PIXELS == 100


def test_long_files_are_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "a.png").open("wb") as stream:
        stream.truncate(4_000_000_001)  # a sparse file
    with pytest.raises(ImageError, match=r"may have 4\.0 GB, this one has 4\.0 GB"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize(
    "bomb",
    [
        chunk(b"zTXt", b"Comment\0\0" + DEFLATED),
        chunk(b"iTXt", b"Comment\0\1\0\0\0" + DEFLATED),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + DEFLATED),
        chunk(b"iCCP", b"ICC\0\0" + DEFLATED),
    ],
    ids=["zTXt", "iTXt", "XMP", "iCCP"],
)
@pytest.mark.parametrize("place", ["before", "after"])
def test_texts_and_profiles_of_pngs_that_unpack_to_much(
    tmp_path: Path, bomb: bytes, place: str
) -> None:
    whole = png(np.zeros((20, 20, 3), np.uint16))
    cut = 33 if place == "before" else len(whole) - 12
    (tmp_path / "a.png").write_bytes(whole[:cut] + bomb + whole[cut:])
    with pytest.raises(ImageError, match=r"a\.png: its texts or its colour profile unpack to more"):
        read_image(tmp_path / "a.png")


def shared_tags(size: int, *, first: int = 0x9C00) -> bytes:
    """EXIF data whose thousands of tags claim the same bytes."""
    count = size // 24
    start = 8 + 2 + 12 * count + 4
    directory = struct.pack("<H", count)
    for tag in range(first, first + count):
        directory += struct.pack("<HHII", tag, 7, size - start, start)
    return (b"II*\0" + struct.pack("<I", 8) + directory + bytes(4)).ljust(size, b"\0")


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.jpg"])
def test_exif_data_that_claim_the_same_bytes_again_and_again(
    tmp_path: Path, pixels: Array, name: str
) -> None:
    exif = b"Exif\0\0" + shared_tags(65_000)
    Image.fromarray(pixels).save(tmp_path / name, exif=exif, quality=100)
    picture = read_picture(tmp_path / name)
    assert picture.pixels.shape == (24, 30, 3)
    assert picture.metadata.exif is None
    assert any("EXIF data" in note for note in picture.notes)


def test_a_directory_below_that_claims_too_much(tmp_path: Path, pixels: Array) -> None:
    below = shared_tags(60_000)[8:]
    top = struct.pack("<HHHII", 1, 0x8769, 4, 1, 26) + bytes(4)
    exif = b"Exif\0\0II*\0" + struct.pack("<I", 8) + top + below
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    assert read_picture(tmp_path / "a.png").metadata.exif is None


@pytest.mark.parametrize("big", [False, True])
def test_tags_of_tiffs_that_claim_the_same_bytes_again_and_again(tmp_path: Path, big: bool) -> None:
    content = shared_tags(200_000, first=0)
    if big:
        entries = [struct.pack("<HHQQ", 40_000 + i, 7, 100_000, 16) for i in range(4000)]
        head = b"II+\0" + struct.pack("<HHQQ", 8, 0, 16, len(entries))
        content = head + b"".join(entries) + bytes(8)
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(ImageError, match=r"a\.tif: its tags claim .* of data where there are"):
        read_image(tmp_path / "a.tif")


def test_more_strips_than_rows(tmp_path: Path, pixels: Array) -> None:
    whole = bytearray(tiff(pixels[:, :, :1]))
    entry = whole.index(struct.pack("<HHI", 273, 4, 1))
    whole[entry : entry + 12] = struct.pack("<HHII", 273, 4, 1000, len(whole))
    (tmp_path / "a.tif").write_bytes(bytes(whole) + bytes(4000))
    with pytest.raises(ImageError, match=r"claims 1,000 strips or tiles where 24 are enough"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("tag", [256, 257, 277])
def test_tiff_sides_that_are_no_numbers(tmp_path: Path, pixels: Array, tag: int) -> None:
    whole = bytearray(tiff(pixels))
    entry = whole.index(struct.pack("<HHI", tag, 3, 1))
    whole[entry + 2 : entry + 4] = struct.pack("<H", 2)  # text, which could be multiplied
    (tmp_path / "a.tif").write_bytes(whole)
    with pytest.raises(ImageError, match=r"a\.tif: its sides and channels must be whole numbers"):
        read_image(tmp_path / "a.tif")


def test_a_chunk_that_claims_more_bytes_than_the_file_takes_no_memory(
    tmp_path: Path, pixels: Array
) -> None:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    whole = bytearray(buffer.getvalue())
    data = whole.index(b"IDAT")
    whole[data - 4 : data] = struct.pack(">I", 1_000_000_000)
    (tmp_path / "a.png").write_bytes(whole)
    tracemalloc.start()
    try:
        with contextlib.suppress(ImageError):  # some versions of Pillow read it
            read_image(tmp_path / "a.png")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100_000_000


def test_pages_are_not_counted(tmp_path: Path, pixels: Array) -> None:
    # Counting them takes time that grows with the square of their number.
    whole = tiff(pixels)
    (start,) = struct.unpack("<I", whole[4:8])
    (entries,) = struct.unpack("<H", whole[start : start + 2])
    link = start + 2 + 12 * entries
    pages = bytearray(whole)
    for _ in range(60_000):
        pages[link : link + 4] = struct.pack("<I", len(pages))
        pages += struct.pack("<HHHII", 1, 305, 4, 1, 0) + bytes(4)
        link = len(pages) - 4
    (tmp_path / "a.tif").write_bytes(bytes(pages))
    with pytest.raises(ImageError, match="several pages"):
        read_image(tmp_path / "a.tif")
