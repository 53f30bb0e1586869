"""Grey TIFF files whose white is zero (photometric interpretation 0), in every depth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from image_writers import tiff
from numpy.typing import NDArray
from PIL import Image

from kernelgan_fast.images import Picture, read_picture

Array = NDArray[Any]

PHOTOMETRIC = 262


def written(path: Path, content: bytes) -> Picture:
    path.write_bytes(content)
    return read_picture(path)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_16_bits(tmp_path: Path, deep: Array, order: str, packed: bool) -> None:
    grey = deep[:, :, :1]
    content = tiff(65535 - grey, order=order, packed=packed, photometric=0)
    picture = written(tmp_path / "a.tif", content)
    assert picture.grey and picture.bits == 16 and picture.notes == ()
    np.testing.assert_array_equal(np.rint(picture.pixels[:, :, :1] * 65535), grey)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("channels", [1, 2])
def test_8_bits_with_and_without_alpha(
    tmp_path: Path, pixels: Array, channels: int, packed: bool
) -> None:
    stored = pixels[:, :, :channels].copy()
    stored[:, :, 0] = 255 - stored[:, :, 0]  # alpha is no colour: it is never inverted
    picture = written(tmp_path / "a.tif", tiff(stored, packed=packed, photometric=0))
    assert picture.grey and picture.bits == 8
    np.testing.assert_array_equal(picture.pixels[:, :, 0], pixels[:, :, 0])
    assert (picture.alpha is None) == (channels == 1)
    if picture.alpha is not None:
        np.testing.assert_array_equal(picture.alpha, pixels[:, :, 1])


def test_floating_point(tmp_path: Path) -> None:
    values = np.linspace(0, 1, 30, dtype=np.float32).reshape(5, 6, 1)
    picture = written(tmp_path / "a.tif", tiff(1 - values, photometric=0, format=3))
    np.testing.assert_allclose(picture.pixels[:, :, :1], values, atol=2**-24)


@pytest.mark.parametrize("compression", [None, "group3", "group4", "packbits", "tiff_lzw"])
@pytest.mark.parametrize("photometric", [0, 1])
def test_1_bit(tmp_path: Path, pixels: Array, compression: str | None, photometric: int) -> None:
    bits = Image.fromarray(pixels[:, :, 0] > 127)
    options = {"compression": compression} if compression else {}
    bits.save(tmp_path / "a.tif", tiffinfo={PHOTOMETRIC: photometric}, **options)
    with Image.open(tmp_path / "a.tif") as image:
        wanted = np.array(image.convert("L"))  # Pillow is right about 1 bit
        assert image.tag_v2[PHOTOMETRIC] == photometric  # type: ignore[attr-defined]
    picture = read_picture(tmp_path / "a.tif")
    np.testing.assert_array_equal(picture.pixels[:, :, 0], wanted)


def test_colours_are_not_inverted(tmp_path: Path, deep: Array) -> None:
    picture = written(tmp_path / "a.tif", tiff(deep[:, :, :3]))
    np.testing.assert_array_equal(np.rint(picture.pixels * 65535), deep[:, :, :3])
