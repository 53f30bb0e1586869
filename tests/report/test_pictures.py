"""Pictures are small, upright and without metadata; photos are found again."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms
from small_results import gaussian, photo, record, write_upscaled

from kernelgan_fast.errors import ImageError
from kernelgan_fast.report.folder import Enlarged
from kernelgan_fast.report.pictures import (
    before_and_after,
    crop_map,
    find_photo,
    kernel_png,
    open_photo,
    sizes_for,
    webp,
)


def picture(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


def test_fewer_bytes_for_more_photos() -> None:
    sizes = [sizes_for(count) for count in (1, 120, 121, 1000, 4000, 4001, 10**6)]
    assert [one.thumbnail for one in sizes] == [640, 640, 320, 320, 208, 128, 128]
    assert sizes[0].inline and not sizes[2].inline and sizes[-1].slider == 0


def test_a_jpeg_upright_and_without_its_exif(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a camera"
    pixels = np.zeros((400, 1200, 3), np.uint8)
    pixels[:, :600] = 255
    Image.fromarray(pixels).save(tmp_path / "a.jpg", exif=exif)
    opened = open_photo(tmp_path / "a.jpg", 100)
    assert opened.size == (400, 1200) and opened.small.size == (33, 100)
    assert opened.small.getpixel((16, 20)) == (255, 255, 255)
    coded = base64.b64decode(webp(opened.small).partition(",")[2])
    assert b"camera" not in coded and b"EXIF" not in coded


def test_a_jpeg_whose_exif_is_damaged(tmp_path: Path) -> None:
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\xff\xff"
    Image.new("RGB", (120, 64)).save(tmp_path / "a.jpg", exif=exif)
    assert open_photo(tmp_path / "a.jpg", 100).size == (120, 64)


def test_photos_of_16_bits(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 64 * 80).reshape(64, 80).astype(np.uint16)
    Image.fromarray(ramp).save(tmp_path / "a.png")
    small = np.asarray(open_photo(tmp_path / "a.png", 80).small)
    assert small.shape == (64, 80, 3) and small.min() < 5 and small.max() > 250


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_colours_are_those_of_the_profile(tmp_path: Path, suffix: str) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # A profile whose red is green, and the other way round.
    swapped = srgb.replace(b"rXYZ", b"kept").replace(b"gXYZ", b"rXYZ").replace(b"kept", b"gXYZ")
    file = tmp_path / f"a.{suffix}"
    Image.new("RGB", (80, 64), (255, 0, 0)).save(file, icc_profile=swapped)
    red, green, _ = open_photo(file, 80).small.getpixel((40, 32))  # type: ignore[misc]
    assert red < 30 and green > 220
    Image.new("RGB", (80, 64), (255, 0, 0)).save(file, icc_profile=b"no profile")
    assert open_photo(file, 80).small.getpixel((40, 32))[0] > 250  # type: ignore[index]


def test_crops_are_taken_where_the_contrast_is(tmp_path: Path) -> None:
    opened = open_photo(photo(tmp_path / "a.png", 200, 120), 640)
    assert opened.small.size == (200, 120)  # never enlarged
    assert opened.heat.shape == (24, 40) and opened.heat.max() == 255
    assert opened.heat[:, :10].max() < 60 and opened.likeliest[0] > 0.5


def test_the_map_of_a_photo_without_contrast() -> None:
    assert (crop_map(np.zeros((30, 40, 3), np.uint8), 2.0) == 255).all()


@pytest.mark.parametrize("content", [b"", b"no photo", b"\xff\xd8\xff\xe0 cut short"])
def test_damaged_photos(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(ImageError):
        open_photo(tmp_path / "a.jpg", 100)


def test_a_photo_is_found_again(tmp_path: Path) -> None:
    there = photo(tmp_path / "then" / "a.png")
    source = record(there)["source"]
    found = find_photo(source["path"], source["sha256"], source["bytes"], [])
    assert found is not None and (found.path, found.same) == (there, True)
    other = photo(tmp_path / "other" / "a.png", seed=5)  # another photo of this name
    now = there.rename(photo(tmp_path / "now" / "a.png"))
    found = find_photo(
        source["path"], source["sha256"], source["bytes"], [other.parent, now.parent]
    )
    assert found is not None and (found.path, found.same) == (now, True)
    found = find_photo(source["path"], source["sha256"], source["bytes"], [other.parent])
    assert found is not None and (found.path, found.same) == (other, False)
    assert find_photo(source["path"], None, None, []) is None
    assert find_photo("", None, None, []) is None and find_photo("a\0.png", None, None, []) is None


def test_before_and_after_show_the_same_place(tmp_path: Path) -> None:
    source = photo(tmp_path / "a.png", 200, 120)
    enlarged = Enlarged(write_upscaled(tmp_path, "a", source), 2, "unfold")
    opened = open_photo(source, 640)
    before, after = (
        np.asarray(picture(uri).convert("L"), dtype=float)
        for uri in before_and_after(source, opened, enlarged, 100)
    )
    assert before.shape == after.shape == (100, 100)
    apart = [np.abs(before - np.roll(after, shift, axis=1)).mean() for shift in (-2, 0, 2)]
    assert apart[1] < 0.5 * min(apart[0], apart[2])


def test_an_enlarged_photo_of_another_size(tmp_path: Path) -> None:
    source = photo(tmp_path / "a.png")
    enlarged = Enlarged(source, 2, "unfold")
    with pytest.raises(ImageError, match="must be 2 times as large as the photo, got 96 x 64 px"):
        before_and_after(source, open_photo(source, 640), enlarged, 100)


def test_a_kernel_in_a_few_bytes() -> None:
    uri = kernel_png(gaussian())
    image = picture(uri).convert("RGB")
    assert image.size == (13, 13) and len(uri) < 500
    assert image.getpixel((6, 6)) == (253, 231, 37) and image.getpixel((0, 0)) == (68, 1, 84)
