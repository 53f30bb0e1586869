"""HR photo and kernel make the LR photo, to the grey level."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from kernelgan_fast.degradation import shapes
from kernelgan_fast.degradation.blur_models import draw, from_file, generator
from kernelgan_fast.degradation.degrade import degrade, shrink
from kernelgan_fast.errors import ImageError, InputError
from kernelgan_fast.images import read_image


def by_scipy(levels: NDArray[Any], kernel: NDArray[np.float64], scale: int) -> NDArray[np.float64]:
    """The convention spelt out: correlation, mirrored borders, every scale-th pixel."""
    channels = [
        ndimage.correlate(levels[..., c].astype(np.float64), kernel, mode="reflect")
        for c in range(3)
    ]
    return np.stack(channels, axis=-1)[::scale, ::scale]


@pytest.mark.parametrize("scale", [2, 4])
def test_published_pairs_come_out_to_the_grey_level(shared: Path, scale: int) -> None:
    folder = shared / "data" / "ship_cc0"
    photos = sorted((folder / "hr").glob("*.png"))
    assert len(photos) == 3
    for photo in photos:
        kernel = from_file(folder / f"gt_k_x{scale}" / f"{photo.stem}.mat", scale)
        made = degrade(read_image(photo), kernel.array, scale)
        with Image.open(folder / f"lr_x{scale}" / photo.name) as published:
            assert np.array_equal(made, np.asarray(published)[..., :3])


@pytest.mark.parametrize("blur_model", ["div2krk", "lanczos", "motion"])
@pytest.mark.parametrize("scale", [2, 4])
def test_the_rule(pixels: NDArray[Any], blur_model: str, scale: int) -> None:
    kernel = draw(blur_model, scale, seed=0, name="a").array
    exact = by_scipy(pixels, kernel, scale)
    assert shrink(pixels.astype(np.float32), kernel, scale) == pytest.approx(exact, abs=1e-6)
    made = degrade(pixels, kernel, scale)
    assert made.dtype == np.uint8 and made.shape == (24 // scale, -(-30 // scale), 3)
    assert np.array_equal(made, np.floor(np.clip(exact + 1e-6, 0, 255)))


@pytest.mark.parametrize("blur_model", ["div2krk", "bicubic", "disk", "motion"])
def test_a_flat_photo_keeps_its_grey(blur_model: str) -> None:
    """Rounding errors just below a whole number must not become a grey level."""
    for grey in (1, 77, 254, 255):
        photo = np.full((40, 40, 3), grey, np.uint8)
        for name in "abc":
            made = degrade(photo, draw(blur_model, 2, seed=0, name=name).array, 2)
            assert (made == grey).all()


def test_sixteen_bits_are_kept(deep: NDArray[Any]) -> None:
    kernel = draw("gaussian", 2, seed=0, name="a").array
    made = degrade(deep, kernel, 2)
    exact = by_scipy(deep[..., :3], kernel, 2)
    assert made.dtype == np.uint16
    assert np.abs(made - np.floor(exact)).max() <= 1
    assert (made == np.floor(exact)).mean() > 0.9


def test_noise_is_drawn_as_asked_before_rounding() -> None:
    photo = np.full((256, 256, 3), 100, np.uint8)
    kernel = shapes.resampler("box", 17, 2)
    made = degrade(photo, kernel, 2, noise=3.0, random=generator(0, "noise"))
    # 5 standard deviations of each estimate: 2e-6 of all seeds would fail.
    rounded = (3.0**2 + 1 / 12) ** 0.5  # to whole levels
    assert made.std() == pytest.approx(rounded, rel=5 / (2 * made.size) ** 0.5)
    assert made.mean() == pytest.approx(99.5, abs=5 * 3.0 / made.size**0.5)  # the rule rounds down
    again = degrade(photo, kernel, 2, noise=3.0, random=generator(0, "noise"))
    assert np.array_equal(made, again)
    deep = degrade(photo / 255.0, kernel, 2, noise=3.0, random=generator(0, "noise"))
    assert deep.dtype == np.uint16
    assert deep.std() == pytest.approx(3.0 * 257, rel=5 / (2 * deep.size) ** 0.5)


def test_jpeg_leaves_its_marks(pixels: NDArray[Any]) -> None:
    kernel = shapes.resampler("box", 17, 2)
    plain = degrade(pixels, kernel, 2).astype(int)
    errors = []
    for quality in (95, 30):
        made = degrade(pixels, kernel, 2, jpeg=quality)
        assert made.dtype == np.uint8 and made.shape == plain.shape
        errors.append(np.abs(made - plain).mean())
    assert 0 < errors[0] < errors[1]
    assert degrade(pixels / 255.0, kernel, 2, jpeg=90).dtype == np.uint8


def test_the_photo_is_not_written_to(pixels: NDArray[Any]) -> None:
    before = pixels.copy()
    degrade(pixels, shapes.resampler("box", 17, 2), 2, noise=1, random=generator(0), jpeg=90)
    assert np.array_equal(pixels, before)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"noise": -1}, "noise must be 0 to 255 grey levels, got -1"),
        ({"noise": float("nan")}, "got nan"),
        ({"noise": 2}, "give random="),
        ({"jpeg": 0}, "1 to 95, got 0"),
        ({"jpeg": 96}, "1 to 95, got 96"),
    ],
)
def test_wrong_options(pixels: NDArray[Any], options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=re.escape(words)):
        degrade(pixels, shapes.resampler("box", 17, 2), 2, **options)


def test_a_wrong_photo() -> None:
    with pytest.raises(ImageError, match="channels last"):
        degrade(np.zeros((3, 9, 9, 3)), shapes.resampler("box", 17, 2), 2)
