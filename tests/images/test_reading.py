from __future__ import annotations

import errno
import io
import os
import socket
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from image_writers import ALPHA, GREY, png, tiff
from numpy.typing import NDArray
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngImageFile

from kernelgan_fast.errors import ImageError
from kernelgan_fast.images import read_image, read_picture

Array = NDArray[Any]


def saved(folder: Path, name: str, array: Array | Image.Image, **options: Any) -> Path:
    image = array if isinstance(array, Image.Image) else Image.fromarray(array)
    image.save(folder / name, **options)
    return folder / name


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.png", {}),
        ("a.webp", {"lossless": True}),
        ("a.tif", {}),
        ("a.tiff", {"compression": "tiff_lzw"}),
        ("a.bmp", {}),
    ],
)
def test_eight_bits_stay_as_they_are(
    tmp_path: Path, pixels: Array, name: str, options: dict[str, Any]
) -> None:
    path = saved(tmp_path, name, pixels, **options)
    photo = read_image(path)
    assert photo.pixels.dtype == np.uint8
    assert photo.pixels.flags.c_contiguous
    assert photo.pixels.flags.writeable  # torch.from_numpy warns of anything else
    assert photo.notes == ()
    assert photo.source == str(path)
    np.testing.assert_array_equal(photo.pixels, pixels)


def test_jpeg_is_what_pillow_decodes(tmp_path: Path, pixels: Array) -> None:
    path = saved(tmp_path, "a.jpg", pixels)
    with Image.open(path) as image:
        np.testing.assert_array_equal(read_image(str(path)).pixels, np.asarray(image))


def test_the_content_decides_not_the_extension(tmp_path: Path, pixels: Array) -> None:
    path = saved(tmp_path, "a.png", pixels).rename(tmp_path / "a.jpg")
    np.testing.assert_array_equal(read_image(path).pixels, pixels)


def test_a_phone_s_file_of_several_pictures_gives_the_first(tmp_path: Path, pixels: Array) -> None:
    first, second = Image.fromarray(pixels), Image.fromarray(255 - pixels)
    path = saved(tmp_path, "a.jpg", first, format="MPO", save_all=True, append_images=[second])
    with Image.open(path) as image:
        assert image.format == "MPO"
        np.testing.assert_array_equal(read_image(path).pixels, np.asarray(image))


@pytest.mark.parametrize(
    ("mode", "name", "notes"),
    [
        ("L", "a.png", (GREY,)),
        ("L", "a.jpg", (GREY,)),
        ("LA", "a.png", (ALPHA, GREY)),
        ("RGBA", "a.png", (ALPHA,)),
        ("1", "a.png", (GREY,)),
        ("P", "a.png", ("palette colours converted to RGB",)),
        ("P", "a.bmp", ("palette colours converted to RGB",)),
        ("CMYK", "a.jpg", ("CMYK (without its colour profile) converted to RGB",)),
    ],
)
def test_other_colours_become_rgb_and_are_noted(
    tmp_path: Path, pixels: Array, mode: str, name: str, notes: tuple[str, ...]
) -> None:
    path = saved(tmp_path, name, Image.fromarray(pixels).convert(mode))
    photo = read_image(path)
    assert photo.notes == notes
    assert photo.pixels.dtype == np.uint8
    with Image.open(path) as image:
        np.testing.assert_array_equal(photo.pixels, np.asarray(image.convert("RGB")))


def test_a_palette_with_transparency(tmp_path: Path, pixels: Array) -> None:
    image = Image.fromarray(pixels).quantize(16)
    path = saved(tmp_path, "a.png", image, transparency=bytes(range(16)))
    photo = read_image(path)
    assert photo.notes == ("palette colours converted to RGB", ALPHA)
    np.testing.assert_array_equal(photo.pixels, np.asarray(image.convert("RGB")))


def test_colours_without_an_rgb_form_are_refused(tmp_path: Path, pixels: Array) -> None:
    path = saved(tmp_path, "a.tif", Image.fromarray(np.ascontiguousarray(pixels)).convert("LAB"))
    with pytest.raises(ImageError, match="colour mode LAB"):
        read_image(path)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("kind", ["png", "tiff <", "tiff >", "packed tiff <", "packed tiff >"])
def test_all_16_bits_are_kept(tmp_path: Path, deep: Array, kind: str, channels: int) -> None:
    array = deep[:, :, :channels]
    content = png(array) if kind == "png" else tiff(array, order=kind[-1], packed="packed" in kind)
    (tmp_path / "a").write_bytes(content)
    photo = read_image(tmp_path / "a")
    wanted = array[:, :, :3].astype(np.float32) / np.float32(65535)
    assert photo.pixels.dtype == np.float32
    assert photo.pixels.shape == (24, 30, 3)
    np.testing.assert_array_equal(photo.pixels, np.broadcast_to(wanted, (24, 30, 3)))
    assert photo.notes == {1: (GREY,), 3: (), 4: (ALPHA,)}[channels]


def test_16_bits_with_alpha_on_grey_are_kept(tmp_path: Path, deep: Array) -> None:
    (tmp_path / "a.png").write_bytes(png(deep[:, :, :2]))
    photo = read_image(tmp_path / "a.png")
    assert photo.notes == (ALPHA, GREY)
    np.testing.assert_array_equal(np.rint(photo.pixels[:, :, 1] * 65535), deep[:, :, 0])


def test_deep_tiffs_in_separate_planes_are_refused(tmp_path: Path, deep: Array) -> None:
    # Pillow decodes these without complaint to noise.
    (tmp_path / "a.tif").write_bytes(tiff(deep[:, :, :3], planar=2))
    with pytest.raises(ImageError, match="separate colour planes"):
        read_image(tmp_path / "a.tif")


def test_wide_integers_count_as_16_bits_if_they_fit(tmp_path: Path) -> None:
    values = np.array([[0, 65535], [1, 2]], dtype=np.int32)
    photo = read_image(saved(tmp_path, "a.tif", values))
    np.testing.assert_array_equal(photo.pixels[:, :, 0], values.astype(np.float32) / 65535)
    with pytest.raises(ImageError, match=r"must lie in 0..65535, got 0..131070"):
        read_image(saved(tmp_path, "b.tif", values * 2))


def test_floating_point_tiffs_hold_0_to_1(tmp_path: Path) -> None:
    values = np.array([[0, 0.25], [0.5, 1]], dtype=np.float32)
    photo = read_image(saved(tmp_path, "a.tif", values))
    np.testing.assert_array_equal(photo.pixels[:, :, 2], values)
    with pytest.raises(ImageError, match=r"got 0..255; divide by 255"):
        read_image(saved(tmp_path, "b.tif", values * 255))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tif"])
def test_exif_orientation_is_honoured(
    tmp_path: Path, pixels: Array, name: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path, name, pixels, exif=exif)
    photo = read_image(path)
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image)
        np.testing.assert_array_equal(photo.pixels, np.asarray(upright))
    assert photo.pixels.flags.c_contiguous
    turned = ("turned upright as its EXIF orientation says",)
    assert photo.notes == (turned if orientation > 1 else ())


def test_a_deep_tiff_is_turned_too(tmp_path: Path, deep: Array) -> None:
    (tmp_path / "a.tif").write_bytes(tiff(deep[:, :, :3], orientation=6))
    wanted = np.rot90(deep[:, :, :3], -1).astype(np.float32) / np.float32(65535)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").pixels, wanted)


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.tif"])
def test_animations_and_pages_are_refused(tmp_path: Path, pixels: Array, name: str) -> None:
    more = [Image.fromarray(255 - pixels)]
    path = saved(tmp_path, name, pixels, save_all=True, append_images=more)
    with pytest.raises(ImageError, match="an animation or a file of several pages"):
        read_image(path)


def test_a_photo_past_pillow_s_own_limit_is_read_without_a_warning(
    tmp_path: Path, pixels: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert read_image(saved(tmp_path, "a.png", pixels)).pixels.shape == (24, 30, 3)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tif", "b.tif", "a.bmp"])
def test_files_cut_short_are_refused(tmp_path: Path, pixels: Array, name: str) -> None:
    options = {"compression": "tiff_lzw"} if name == "b.tif" else {}
    content = saved(tmp_path, name, pixels, **options).read_bytes()
    for length in (4, 30, len(content) // 2, len(content) - 60):
        (tmp_path / name).write_bytes(content[:length])
        with pytest.raises(ImageError, match=r"cut short|not a PNG"):
            read_image(tmp_path / name)


def test_noise_is_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for head in (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"BM", b"RIFF\0\0\0\0WEBP"):
        (tmp_path / "a").write_bytes(head + rng.bytes(500))
        with pytest.raises(ImageError):
            read_image(tmp_path / "a")


def test_what_is_no_photo_is_refused_in_words(tmp_path: Path, pixels: Array) -> None:
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("no photo", encoding="utf-8")
    saved(tmp_path, "a.gif", Image.fromarray(pixels))
    for name, words in {
        "missing.png": "no such file",
        "empty.png": "the file is empty",
        "text.png": "not a PNG, JPEG, WebP, TIFF or BMP image",
        "a.gif": "not a PNG, JPEG, WebP, TIFF or BMP image",
        ".": "a folder, not an image",
    }.items():
        with pytest.raises(ImageError, match=words):
            read_image(tmp_path / name)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "memory ran out while it was decoded"),
        (OSError("out of memory error when reading image file"), "memory ran out"),
        (OSError(errno.EIO, "Input/output error"), r"cannot be read \(Input/output error\)"),
        (Image.DecompressionBombError("200 pixels"), "too large for this version of Pillow"),
        *(
            (kind("odd"), r"damaged, cut short or of an unusual kind \('?odd'?\)")
            for kind in (SyntaxError, struct.error, zlib.error, OverflowError, EOFError, ValueError)
        ),
        *(
            (kind("odd"), r"damaged, cut short or of an unusual kind \('?odd'?\)")
            for kind in (TypeError, IndexError, KeyError, RecursionError, SystemError, Warning)
        ),
        (EOFError(), r"damaged, cut short or of an unusual kind \(EOFError\)"),
    ],
    ids=repr,
)
def test_whatever_a_decoder_raises_is_explained(
    tmp_path: Path, pixels: Array, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    def fail(*_: Any) -> None:
        raise error

    path = saved(tmp_path, "a.png", pixels)
    monkeypatch.setattr(PngImageFile, "load_prepare", fail)
    with pytest.raises(ImageError, match=words) as caught:
        read_image(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_file_that_may_not_be_read_is_refused(
    tmp_path: Path, pixels: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(13, "denied")

    path = saved(tmp_path, "a.png", pixels)
    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(ImageError, match="no permission to read it"):
        read_image(path)


# Not getrusage: it counts the peak of the process that started this one too.
MEASURE = """
import sys
from kernelgan_fast.images import read_image
from PIL import PngImagePlugin

def peak():
    with open("/proc/self/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

before = peak()
photo = read_image(sys.argv[1])
print(photo.pixels.dtype, peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak of this process")
def test_large_photos_are_not_copied_about(tmp_path: Path) -> None:
    # 3 bytes a pixel in the end; on the way Pillow's 4 and one copy of the 3.
    large = np.kron(np.eye(30, 40, dtype=np.uint8) * 200, np.ones((100, 100), np.uint8))
    path = saved(tmp_path, "a.png", np.repeat(large[:, :, None], 3, axis=2))
    command = [sys.executable, "-c", MEASURE, str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    dtype, kibibytes = result.stdout.split()
    assert dtype == "uint8"
    assert 3 * large.size < int(kibibytes) * 1024 < 11 * large.size


def test_the_writer_of_these_tests_writes_tiffs(pixels: Array) -> None:
    with Image.open(io.BytesIO(tiff(pixels))) as image:
        np.testing.assert_array_equal(np.asarray(image), pixels)


@pytest.mark.parametrize("read", [read_image, read_picture])
def test_what_is_no_file_is_refused_at_once(
    tmp_path: Path, read: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    os.mkfifo("fifo.png")
    Path("zero.png").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket.png")
        for name, kind in {
            "fifo.png": "a pipe, not an image; save the photo to a file first",
            "zero.png": "a device, not an image; save the photo to a file first",
            "socket.png": "a socket, not an image; save the photo to a file first",
            ".": "a folder, not an image; name a file in it",
            "a" * 300: "it cannot be opened: File name too long",
            "a\0b": "it cannot be opened: .*null",
        }.items():
            with pytest.raises(ImageError, match=kind):
                read(name)


def test_the_true_reason_for_an_unusual_tiff(tmp_path: Path, deep: Array) -> None:
    bands = np.dstack([deep, deep])[:, :, :5]
    for content, words in (
        (tiff(bands), "a TIFF of 5 channels of 16 bits with photometric interpretation 2 is not"),
        (tiff(bands[:, :, :3].astype(np.float32), format=3), "of 3 channels of 32 floating point"),
        (tiff(deep[:, :, :2]), "a TIFF of 2 channels of 16 bits"),
        (tiff(bands[:, :, :3].astype(np.int16), format=2), "of 3 channels of 16 signed bits"),
    ):
        (tmp_path / "a.tif").write_bytes(content)
        with pytest.raises(ImageError, match=words) as caught:
            read_image(tmp_path / "a.tif")
        assert "damaged" not in str(caught.value) and "a.tif: " in str(caught.value)
