"""Photos read and saved again: what is kept, what is told, and nothing half written."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from image_writers import png
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms

from kernelgan_fast.errors import ImageError, InputError, OutputError
from kernelgan_fast.images import Metadata, Picture, read_picture, save_picture

Array = NDArray[Any]

ORIENTATION, MAKE, EXIF, GPS, WIDTH = 0x0112, 0x010F, 0x8769, 0x8825, 0xA002
TAKEN, EXPOSURE, NORTH = 0x9003, 0x829A, 1
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="6" exif:PixelXDimension="30">'
    b"<tiff:ImageWidth>30</tiff:ImageWidth><dc:title>A</dc:title></rdf></x:xmpmeta>"
)
KEEP_ALL = [".png", ".jpg", ".webp", ".tif"]


@pytest.fixture(scope="module")
def profile() -> bytes:
    """The colour profile of sRGB."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture
def described(tmp_path: Path, pixels: Array, profile: bytes) -> Path:
    """A JPEG that lies on its side, with all that a camera writes, and a small preview."""
    exif = Image.Exif()
    exif[ORIENTATION], exif[MAKE] = 6, "Maker"
    exif[EXIF] = {TAKEN: "2020:01:02 03:04:05", EXPOSURE: 0.01, WIDTH: 30}
    exif[GPS] = {NORTH: "N", 2: (1.0, 2.0, 3.5)}
    image = Image.fromarray(pixels)
    path = tmp_path / "described.jpg"
    image.save(path, exif=exif, icc_profile=profile, dpi=(300, 300), xmp=XMP)
    return path


def exif_of(picture: Picture) -> Image.Exif:
    exif = Image.Exif()
    exif.load(picture.metadata.exif or b"")
    return exif


def saved(picture: Picture, path: Path, **options: Any) -> Picture:
    save_picture(picture.pixels, path, picture, alpha=picture.alpha, **options)
    return read_picture(path)


@pytest.mark.parametrize(
    ("suffix", "mode"),
    [
        (suffix, mode)
        for suffix in (".png", ".tif", ".tiff", ".bmp")
        for mode in ("L", "RGB", "LA", "RGBA")
        if suffix != ".bmp" or "A" not in mode  # which has no alpha
    ],
)
def test_eight_bits_come_back(tmp_path: Path, pixels: Array, suffix: str, mode: str) -> None:
    alpha = np.ascontiguousarray(pixels[:, :, 2])
    image = Image.fromarray(pixels).convert(mode)
    if "A" in mode:
        image.putalpha(Image.fromarray(alpha))
    image.save(tmp_path / "in.png")
    picture = read_picture(tmp_path / "in.png")
    assert picture.grey == (mode in ("L", "LA")) and picture.bits == 8 and picture.notes == ()
    again = saved(picture, tmp_path / f"out{suffix}")
    assert (again.grey, again.bits, again.notes) == (picture.grey, 8, ())
    np.testing.assert_array_equal(again.pixels, picture.pixels)
    assert (again.alpha is None) == ("A" not in mode)
    if again.alpha is not None:
        np.testing.assert_array_equal(again.alpha, alpha)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sixteen_bits_come_back(tmp_path: Path, suffix: str, channels: int) -> None:
    # More rows than are packed at once, and odd sides.
    random = np.random.default_rng(channels)
    deep = random.integers(0, 65536, (263, 7, channels)).astype(np.uint16)
    (tmp_path / "in.png").write_bytes(png(deep))
    picture = read_picture(tmp_path / "in.png")
    assert (picture.grey, picture.bits, picture.notes) == (channels < 3, 16, ())
    again = saved(picture, tmp_path / f"out{suffix}")
    assert again.bits == 16 and again.notes == ()
    np.testing.assert_array_equal(np.rint(again.pixels[:, :, 0] * 65535), deep[:, :, 0])
    np.testing.assert_array_equal(again.pixels, picture.pixels)
    if channels % 2:
        assert again.alpha is None and picture.alpha is None
    else:
        assert again.alpha is not None
        np.testing.assert_array_equal(np.rint(again.alpha * 65535), deep[:, :, -1])
    # Grey with alpha is written as RGBA into a TIFF, since few programs read it otherwise.
    assert again.grey == (channels == 1 or (channels == 2 and suffix == ".png"))


def test_a_palette_with_transparency(tmp_path: Path, pixels: Array) -> None:
    image = Image.fromarray(pixels).quantize(16)
    image.save(tmp_path / "in.png", transparency=bytes(range(0, 160, 10)))
    picture = read_picture(tmp_path / "in.png")
    assert picture.alpha is not None and not picture.grey
    np.testing.assert_array_equal(picture.alpha, np.asarray(image) * 10)
    assert picture.notes == ("palette colours converted to RGB",)
    again = saved(picture, tmp_path / "out.png")
    np.testing.assert_array_equal(again.pixels, picture.pixels)
    assert again.alpha is not None
    np.testing.assert_array_equal(again.alpha, picture.alpha)


@pytest.mark.parametrize("mode", ["L", "RGB", "1"])
def test_a_transparent_colour_is_alpha(tmp_path: Path, mode: str) -> None:
    image = Image.new(mode, (5, 4), 0)
    image.putpixel((1, 2), 255 if mode != "RGB" else (9, 9, 9))
    image.save(tmp_path / "in.png", transparency=0 if mode != "RGB" else (9, 9, 9))
    picture = read_picture(tmp_path / "in.png")
    assert picture.alpha is not None
    clear = picture.alpha == 0
    assert clear.sum() == (1 if mode == "RGB" else 19) and clear[2, 1] == (mode == "RGB")


def test_a_transparent_deep_colour_is_told(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 5), np.uint16)).save(tmp_path / "in.png", transparency=0)
    picture = read_picture(tmp_path / "in.png")
    assert picture.alpha is None and picture.notes == ("its transparent colour was ignored",)


@pytest.mark.parametrize("suffix", KEEP_ALL)
def test_profile_exif_and_xmp_are_kept_upright(
    described: Path, tmp_path: Path, profile: bytes, suffix: str
) -> None:
    picture = read_picture(described)
    assert picture.pixels.shape == (30, 24, 3)  # turned: the file's are 24 high
    assert picture.notes == ("turned upright as its EXIF orientation says",)
    again = saved(picture, tmp_path / f"out{suffix}")
    assert again.pixels.shape == (30, 24, 3) and again.notes == ()
    assert again.metadata.icc == profile
    exif = exif_of(again)
    assert (exif[ORIENTATION], exif[MAKE]) == (1, "Maker")
    assert dict(exif.get_ifd(EXIF)) == {TAKEN: "2020:01:02 03:04:05", EXPOSURE: 0.01}
    assert dict(exif.get_ifd(GPS)) == {NORTH: "N", 2: (1.0, 2.0, 3.5)}
    xmp = again.metadata.xmp or b""
    assert b'tiff:Orientation="1"' in xmp and b"<dc:title>A</dc:title>" in xmp
    assert b"PixelXDimension" not in xmp and b"ImageWidth" not in xmp
    if suffix != ".webp":  # which has no place for it but EXIF
        assert again.metadata.dpi == pytest.approx((300, 300), rel=1e-5)


def test_a_deep_file_keeps_them_too(described: Path, tmp_path: Path, profile: bytes) -> None:
    picture = read_picture(described)
    deep = replace(picture, pixels=picture.pixels.astype(np.float32) / 255, bits=16)
    for suffix in (".png", ".tif"):
        again = saved(deep, tmp_path / f"out{suffix}")
        assert again.bits == 16 and again.metadata.icc == profile
        assert exif_of(again)[MAKE] == "Maker" and b"dc:title" in (again.metadata.xmp or b"")
        assert again.metadata.dpi == pytest.approx((300, 300), rel=1e-5)


def test_a_turned_tiff_keeps_what_describes_the_photo_alone(tmp_path: Path, pixels: Array) -> None:
    exif = Image.Exif()
    exif[ORIENTATION], exif[MAKE] = 8, "Maker"
    Image.fromarray(pixels).save(tmp_path / "in.tif", exif=exif)
    picture = read_picture(tmp_path / "in.tif")
    assert picture.pixels.shape == (30, 24, 3)
    assert dict(exif_of(picture)) == {ORIENTATION: 1, MAKE: "Maker"}


def test_a_preview_and_lists_of_other_pictures_are_dropped(tmp_path: Path, pixels: Array) -> None:
    exif = Image.Exif()
    exif[MAKE] = "Maker"
    raw = exif.tobytes()
    end = len(raw) - 6
    preview = b"\0\1" + b"\2\1\0\4\0\0\0\1\0\0\0\0" + b"\0\0\0\0"  # a second directory
    directory = 6 + 8 + 2 + 12
    raw = raw[:directory] + end.to_bytes(4, "big") + raw[directory + 4 :] + preview
    loaded = Image.Exif()
    loaded.load(raw)
    assert loaded.get_ifd(ExifTags.IFD.IFD1) == {0x0201: 0}
    path = tmp_path / "in.jpg"
    Image.fromarray(pixels).save(path, exif=raw, xmp=b"<Container:Directory/>")
    picture = read_picture(path)
    assert exif_of(picture).get_ifd(ExifTags.IFD.IFD1) == {} and exif_of(picture)[MAKE] == "Maker"
    assert picture.metadata.xmp is None


def test_damaged_exif_is_told_and_the_photo_read(tmp_path: Path, pixels: Array) -> None:
    Image.fromarray(pixels).save(tmp_path / "in.png", exif=b"Exif\0\0no directory at all")
    picture = read_picture(tmp_path / "in.png")
    np.testing.assert_array_equal(picture.pixels, pixels)
    assert picture.notes == ("its EXIF data are damaged and were ignored, orientation and all",)
    assert picture.metadata.exif is None


def test_exif_that_cannot_be_written_again_is_told(
    described: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("odd value")

    monkeypatch.setattr(Image.Exif, "tobytes", fail)
    picture = read_picture(described)
    assert picture.metadata.exif is None and picture.metadata.icc
    assert picture.notes[-1] == "its EXIF data cannot be kept: damaged (odd value)"


def test_a_profile_of_other_colours_is_left_out(
    tmp_path: Path, pixels: Array, profile: bytes
) -> None:
    Image.fromarray(pixels).convert("L").save(tmp_path / "in.png", icc_profile=profile)
    picture = read_picture(tmp_path / "in.png")
    assert picture.metadata.icc is None
    assert picture.notes == ("its colour profile is not for its kind of colours and was left out",)
    Image.fromarray(pixels).convert("CMYK").save(tmp_path / "in.jpg", icc_profile=profile)
    assert len(read_picture(tmp_path / "in.jpg").notes) == 1


def test_a_resolution_of_nothing_is_none(tmp_path: Path, pixels: Array) -> None:
    Image.fromarray(pixels).save(tmp_path / "in.tif", dpi=(0, 0))
    assert read_picture(tmp_path / "in.tif").metadata.dpi is None


def test_values_are_rounded_to_the_nearest_level_and_clipped(tmp_path: Path) -> None:
    row = np.array([-0.5, 0.0, 0.4 / 255, 0.6 / 255, 254.6 / 255, 1.0, 7.0], np.float64)
    pixels = np.repeat(row[None, :, None], 3, axis=2)
    assert save_picture(pixels, tmp_path / "a.png") == ()
    assert read_picture(tmp_path / "a.png").pixels[0, :, 0].tolist() == [0, 0, 0, 1, 255, 255, 255]
    save_picture(pixels * 255 / 65535, tmp_path / "b.tif", Picture(pixels, bits=16))
    levels = np.rint(read_picture(tmp_path / "b.tif").pixels[0, :, 0] * 65535)
    assert levels.tolist() == [0, 0, 0, 1, 255, 255, 1785]


def test_a_grey_photo_gets_the_mean_of_its_channels(tmp_path: Path, pixels: Array) -> None:
    save_picture(pixels, tmp_path / "a.png", Picture(pixels, grey=True))
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "L"
        wanted = pixels.astype(np.float64).mean(axis=2)
        assert np.abs(np.asarray(image) - wanted).max() <= 0.51


@pytest.mark.parametrize("suffix", [".jpg", ".bmp"])
def test_what_has_no_alpha_is_composed_on_white(tmp_path: Path, suffix: str) -> None:
    pixels = np.full((16, 16, 3), 100, np.uint8)
    alpha = np.full((16, 16), 0.5, np.float32)
    alpha[:, 8:] = 0
    notes = save_picture(pixels, tmp_path / f"a{suffix}", alpha=alpha, quality=100)
    assert len(notes) == 1 and notes[0].endswith("has no alpha: composed on white")
    found = read_picture(tmp_path / f"a{suffix}").pixels.astype(int)
    assert abs(found[8, 2] - 178).max() <= 1 and abs(found[8, 13] - 255).max() <= 1


def test_what_a_format_cannot_hold_is_told(described: Path, tmp_path: Path) -> None:
    picture = read_picture(described)
    deep = replace(picture, pixels=picture.pixels / np.float32(255), bits=16)
    notes = save_picture(deep.pixels, tmp_path / "a.bmp", deep)
    assert notes == (
        "saved with 8 bits a channel: BMP has no more",
        "BMP has no room for colour profile and EXIF data",
    )
    assert save_picture(picture.pixels, tmp_path / "b.png", deep) == ()  # uint8 has no more
    assert read_picture(tmp_path / "b.png").bits == 8
    grey = replace(picture, grey=True)
    assert (
        "grey colour profile was left out"
        in save_picture(grey.pixels, tmp_path / "c.webp", grey)[0]
    )
    assert read_picture(tmp_path / "c.webp").metadata.icc is None
    long = replace(picture, metadata=Metadata(exif=b"Exif\0\0" + bytes(70_000), xmp=XMP))
    notes = save_picture(long.pixels, tmp_path / "d.jpg", long)
    assert notes == ("its EXIF data are too long for a JPEG and were left out",)
    assert read_picture(tmp_path / "d.jpg").metadata.xmp


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_quality(tmp_path: Path, suffix: str) -> None:
    ramp = np.linspace(0, 255, 64 * 64).reshape(64, 64).astype(np.uint8)
    pixels = np.stack([ramp, ramp.T, 255 - ramp], axis=2)
    sizes, errors = [], []
    for quality in (30, 95):
        save_picture(pixels, tmp_path / f"a{suffix}", quality=quality)
        sizes.append((tmp_path / f"a{suffix}").stat().st_size)
        again = read_picture(tmp_path / f"a{suffix}").pixels
        errors.append(np.abs(again.astype(int) - pixels).mean())
    assert sizes[0] < sizes[1] and errors[1] < errors[0] and errors[1] < 2


def test_the_photo_is_the_picture_s_without_a_copy(tmp_path: Path, pixels: Array) -> None:
    Image.fromarray(pixels).save(tmp_path / "a.png")
    picture = read_picture(tmp_path / "a.png")
    assert picture.photo.pixels is picture.pixels
    assert picture.photo.source == str(tmp_path / "a.png")


def test_the_limit_of_memory_holds_here_too(tmp_path: Path, pixels: Array) -> None:
    Image.fromarray(pixels).save(tmp_path / "a.png")
    with pytest.raises(
        ImageError, match=r"may take 10,799 bytes of memory, this one claims 30 x 24"
    ):
        read_picture(tmp_path / "a.png", max_bytes=10_799)


@pytest.mark.parametrize(
    ("name", "shape", "dtype", "options", "words"),
    [
        ("a.gif", (4, 4, 3), "uint8", {}, r"saved as \.png \.jpg .*got '\.gif'"),
        ("a", (4, 4, 3), "uint8", {}, "got ''"),
        ("a.png", (4, 4), "uint8", {}, r"must be \(H, W, 3\)"),
        ("a.png", (0, 4, 3), "uint8", {}, r"must be \(H, W, 3\)"),
        ("a.png", (4, 4, 3), "int32", {}, "pixels must be uint8 or floating point, got int32"),
        ("a.png", (4, 4, 3), "uint8", {"alpha": np.ones((2, 4))}, "must have the photo's sides"),
        ("a.png", (4, 4, 3), "uint8", {"alpha": np.ones((4, 4), bool)}, "alpha must be uint8"),
        ("a.png", (4, 4, 3), "uint8", {"alpha": np.full((4, 4), np.nan)}, "alpha to save must be"),
        ("a.jpg", (4, 4, 3), "uint8", {"quality": 0}, "quality must be 1 to 100"),
    ],
)
def test_what_cannot_be_saved(
    tmp_path: Path, name: str, shape: tuple[int, ...], dtype: str, options: Any, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        save_picture(np.zeros(shape, dtype), tmp_path / name, **options)
    assert os.listdir(tmp_path) == []


def test_values_that_are_no_numbers(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="pixels to save must be finite"):
        save_picture(np.full((4, 4, 3), np.nan), tmp_path / "a.png")


def test_sides_that_a_format_has_not(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"WebP has sides of at most 16383 px.*save it as \.png"):
        save_picture(np.zeros((1, 16384, 3), np.uint8), tmp_path / "a.webp")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".bmp"])
@pytest.mark.parametrize("bits", [8, 16])
def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, pixels: Array, monkeypatch: pytest.MonkeyPatch, suffix: str, bits: int
) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OutputError, match="the disk is full"):
        save_picture(pixels / np.float32(255), path, Picture(pixels, bits=bits))
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == [path.name]
    with pytest.raises(OutputError, match="does not exist"):
        save_picture(pixels, tmp_path / "none" / path.name)


def test_the_same_pixels_give_the_same_bytes(described: Path, tmp_path: Path) -> None:
    picture = read_picture(described)
    deep = replace(picture, pixels=picture.pixels / np.float32(255), bits=16)
    for name, one in (("a.png", picture), ("b.png", deep), ("c.tif", deep), ("d.jpg", picture)):
        contents = []
        for _ in range(2):
            save_picture(one.pixels, tmp_path / name, one)
            contents.append((tmp_path / name).read_bytes())
        assert contents[0] == contents[1]


FILL = """
import resource, sys
import numpy as np
from kernelgan_fast.errors import OutputError
from kernelgan_fast.images import Picture, save_picture
pixels = np.random.default_rng(0).random((300, 300, 3))
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
for name in ("a.png", "a.jpg", "a.webp", "a.tif", "a.bmp", "old.png"):
    for bits in (8, 16):
        try:
            save_picture(pixels, name, Picture(pixels, bits=bits))
        except OutputError as error:
            assert f"cannot write {name}: the file is larger than" in str(error), error
        else:
            raise AssertionError(name)
"""


def test_a_disk_that_is_full_leaves_nothing_half_written(tmp_path: Path) -> None:
    (tmp_path / "old.png").write_bytes(b"old")
    done = subprocess.run(
        [sys.executable, "-c", FILL], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert os.listdir(tmp_path) == ["old.png"]
    assert (tmp_path / "old.png").read_bytes() == b"old"
