"""What a picture shows: frames, drawings, few colours, interlaced rows, neutral colours, stars."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from photos import (
    COLOSSEUM,
    OSPREY,
    decoded,
    drawing,
    grey,
    jpeg,
    photo,
    resized,
    stars,
    with_noise,
)
from PIL import Image

from kernelgan_fast.analysis import PhotoAnalysis, analyse_photo, effective_white
from kernelgan_fast.images import as_photo

PHOTOS = pytest.mark.parametrize("name", [OSPREY, COLOSSEUM])
NOTES = ("interlaced", "enlarged before", "64 colours", "drawn")


def analysis_of(pixels: NDArray[np.generic]) -> PhotoAnalysis:
    return analyse_photo(as_photo(pixels))


@PHOTOS
@pytest.mark.parametrize("sigma", [0, 6])
def test_a_plain_photo_is_nothing_else(name: str, sigma: float) -> None:
    analysis = analysis_of(with_noise(photo(name), sigma))
    assert not any(analysis.frame) and not analysis.neutral and not analysis.drawn
    assert not analysis.quantised and not analysis.interlaced and not analysis.night_sky
    assert analysis.enlarged is None and analysis.white == 1 and not analysis.bicubic_only
    assert analysis.notes == ()


@PHOTOS
@pytest.mark.parametrize("value", [0, 16, 255])
@pytest.mark.parametrize("bars", [(20, 30, 0, 0), (0, 0, 9, 2), (4, 5, 6, 7)])
def test_frames(name: str, value: int, bars: tuple[int, int, int, int]) -> None:
    inside = np.clip(photo(name), 40, 230)
    top, bottom, left, right = bars
    pixels = np.pad(inside, ((top, bottom), (left, right), (0, 0)), constant_values=value)
    assert analysis_of(pixels).frame == bars
    assert analysis_of(pixels / np.float32(255)).frame == bars


@PHOTOS
@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("quality", [95, 75, 30])
def test_frames_of_compressed_pictures(name: str, value: int, quality: int) -> None:
    """As of video: compression spreads the content's edge into the bars."""
    bars = ((18, 20), (0, 0), (0, 0))
    pixels = decoded(jpeg(np.pad(photo(name), bars, constant_values=value), quality))
    assert analysis_of(pixels).frame == (18, 20, 0, 0)
    turned = np.ascontiguousarray(pixels.swapaxes(0, 1))
    assert analysis_of(turned).frame == (0, 0, 18, 20)


def test_compression_alone_makes_no_frame() -> None:
    for quality in (95, 75, 30):
        assert not any(analysis_of(decoded(jpeg(photo(), quality))).frame)
        dark = np.pad(photo() // 8, ((30, 30), (0, 0), (0, 0)), mode="linear_ramp")
        assert not any(analysis_of(decoded(jpeg(dark, quality))).frame)


def test_a_photo_that_fades_has_no_frame() -> None:
    fade = np.clip(np.arange(112) / 50, 0, 1)[:, None, None]
    assert not any(analysis_of(np.rint(photo() * fade).astype(np.uint8)).frame)


def test_a_photo_of_frame_alone_is_analysed() -> None:
    pixels = np.zeros((120, 120, 3), np.uint8)
    pixels[58:62, 58:62] = 200
    analysis = analysis_of(pixels)
    assert min(analysis.frame.inside(pixels).shape[:2]) >= 8


def test_drawings() -> None:
    analysis = analysis_of(drawing())
    assert analysis.drawn and analysis.noise.level == 0
    assert any("drawn" in note or "64 colours" in note for note in analysis.notes)


@PHOTOS
def test_few_colours(name: str) -> None:
    image = Image.fromarray(photo(name))
    assert analysis_of(np.asarray(image.quantize(32).convert("RGB"))).quantised
    assert analysis_of(np.asarray(image.convert("1").convert("RGB"))).quantised
    # Grey photos have up to 256 colours, which are gradations enough.
    assert not analysis_of(grey(photo(name))).quantised


@PHOTOS
def test_interlaced_rows(name: str) -> None:
    pixels = photo(name)
    moved = pixels.copy()
    moved[1::2] = np.roll(pixels, 4, axis=1)[1::2]
    analysis = analysis_of(moved)
    assert analysis.interlaced and analysis.bicubic_only and "interlaced" in analysis.notes[0]
    part = pixels.copy()
    part[30:80] = moved[30:80]
    assert analysis_of(part).interlaced
    assert not analysis_of(np.roll(pixels, 4, axis=1)).interlaced  # progressive


@PHOTOS
def test_neutral_photos(name: str) -> None:
    neutral = grey(photo(name))
    assert analysis_of(neutral).neutral
    neutral[-1, -1, 0] ^= 8
    assert not analysis_of(neutral).neutral


def test_night_skies() -> None:
    assert analysis_of(stars()).night_sky
    assert analysis_of(stars(background=8)).night_sky
    assert not analysis_of(photo() // 4).night_sky


@pytest.mark.parametrize("method", [Image.Resampling.BICUBIC, Image.Resampling.LANCZOS])
@pytest.mark.parametrize("factor", [1.5, 2, 4])
def test_earlier_enlargement(factor: float, method: Image.Resampling) -> None:
    analysis = analysis_of(resized(photo(), factor, method))
    assert analysis.enlarged == factor
    assert any("enlarged before" in note for note in analysis.notes)


def test_the_effective_white() -> None:
    pixels = photo()
    assert effective_white(pixels) == 1
    deep = as_photo(pixels.astype(np.uint16) * 257).pixels
    assert effective_white(deep) == 1
    largest = int(pixels.max()) * 16
    twelve = effective_white(as_photo(pixels.astype(np.uint16) * 16).pixels)
    assert largest / 65535 < twelve < 1.05 * largest / 65535
    assert effective_white(np.zeros((4, 4, 3), np.float32)) == 1


def test_the_facts_of_any_photo_are_json() -> None:
    import json

    for pixels in (photo(), drawing(), np.zeros((3, 5, 3), np.uint8), np.zeros((70, 90, 3))):
        facts = analysis_of(np.asarray(pixels)).facts()
        assert json.loads(json.dumps(facts, allow_nan=False))["white"] == 1
