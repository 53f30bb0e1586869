"""JPEG compression: from the file's table and from the pixels, and none where there was none."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from photos import COLOSSEUM, OSPREY, decoded, drawing, jpeg, photo, with_noise
from PIL import Image

from kernelgan_fast.analysis import analyse_photo
from kernelgan_fast.analysis.compression import ijg_table, measure_compression, nearest_quality
from kernelgan_fast.images import as_photo, read_image

QUALITIES = (95, 90, 75, 50, 30)


def saved(pixels: NDArray[np.uint8], quality: int) -> bytes:
    """A JPEG file; from 95 on with all colours, as cameras and Photoshop write those."""
    return jpeg(pixels, quality, subsampling=0 if quality >= 95 else 2)


def error_of(large: NDArray[np.uint8], small: NDArray[np.uint8]) -> float:
    return float(np.sqrt(np.mean((large.astype(np.float64) - small) ** 2)))


@pytest.mark.parametrize("name", [OSPREY, COLOSSEUM])
@pytest.mark.parametrize("sigma", [0, 4])
@pytest.mark.parametrize("quality", QUALITIES)
def test_the_quality_is_recognised_in_the_pixels(name: str, sigma: float, quality: int) -> None:
    original = with_noise(photo(name), sigma)
    pixels = decoded(saved(original, quality))
    found, noise = measure_compression(pixels)
    assert found is not None and noise is not None
    assert found.quality == pytest.approx(quality, abs=2)
    assert found.offset == (0, 0) and not found.from_file
    assert 0.5 < found.error / error_of(original, pixels) < 2


@pytest.mark.parametrize("quality", [75, 50, 30])
@pytest.mark.parametrize("cut", [(3, 5), (0, 1), (7, 4)])
def test_the_grid_of_a_crop(quality: int, cut: tuple[int, int]) -> None:
    pixels = decoded(jpeg(photo(), quality))[cut[0] :, cut[1] :]
    found, _ = measure_compression(pixels)
    assert found is not None and found.quality == pytest.approx(quality, abs=2)
    assert found.offset == tuple(-side % 8 for side in cut)


@pytest.mark.parametrize("quality", [90, 50])
def test_a_turned_photo(quality: int) -> None:
    pixels = decoded(jpeg(photo(COLOSSEUM), quality)).swapaxes(0, 1)
    found, _ = measure_compression(pixels)
    assert found is not None and found.quality == pytest.approx(quality, abs=2)
    assert np.array_equal(found.table, ijg_table(found.quality).T)


def test_noise_beneath_weak_compression() -> None:
    _, noise = measure_compression(decoded(jpeg(with_noise(photo(), 10.0), 95)))
    assert noise is not None and noise.measured
    assert noise.level == pytest.approx(10.0, rel=0.3)


@pytest.mark.parametrize("quality", QUALITIES)
def test_the_table_of_the_file(tmp_path: Path, quality: int) -> None:
    path = tmp_path / "a.jpg"
    original = photo(COLOSSEUM)
    path.write_bytes(saved(original, quality))
    found = analyse_photo(read_image(path)).compression
    assert found is not None and found.from_file and found.quality == quality
    assert np.array_equal(found.table, ijg_table(quality))
    assert 0.5 < found.error / error_of(original, read_image(path).pixels) < 2


def test_a_photo_turned_upright_has_its_table_turned(tmp_path: Path) -> None:
    table = ijg_table(60)
    table[1:, 0] = 3 * table[1:, 0]  # far from symmetric
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    path = tmp_path / "a.jpg"
    stream = io.BytesIO()
    pixels = Image.fromarray(with_noise(photo(), 8.0))
    pixels.save(stream, "JPEG", qtables=[[int(step) for step in table.ravel()]] * 2, exif=exif)
    path.write_bytes(stream.getvalue())
    found = analyse_photo(read_image(path)).compression
    assert found is not None and np.array_equal(found.table, table.T)


def test_a_table_with_zeros_is_survived() -> None:
    found, _ = measure_compression(photo(), np.zeros((8, 8), int).tolist())
    assert found is not None and np.isfinite(found.error)


@pytest.mark.parametrize("name", [OSPREY, COLOSSEUM])
@pytest.mark.parametrize("sigma", [0, 2, 10])
def test_photos_without_compression(name: str, sigma: float) -> None:
    pixels = with_noise(photo(name), sigma)
    assert measure_compression(pixels) == (None, None)
    assert measure_compression(pixels / np.float32(255)) == (None, None)


def test_drawings_without_compression() -> None:
    assert analyse_photo(as_photo(drawing())).compression is None


@pytest.mark.parametrize("sigma", [0.0, 1.0])
@pytest.mark.parametrize("shape", ["rows", "diagonal", "radial", "waves"])
def test_gradients_are_not_compressed(shape: str, sigma: float) -> None:
    """Gradients have the same coefficients in all blocks, which may be multiples of anything."""
    row, col = np.mgrid[:192, :192].astype(np.float64)
    values = {
        "rows": 0.77 * row + 20,
        "diagonal": 0.4 * col + 0.3 * row + 30,
        "radial": 240 - 1.3 * np.hypot(row - 96, col - 96),
        "waves": 128 + 60 * np.sin(col / 40 + row / 31),
    }[shape]
    pixels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    pixels = with_noise(np.repeat(pixels[:, :, None], 3, axis=2), sigma)
    assert measure_compression(pixels) == (None, None)


def test_qualities_and_tables() -> None:
    assert [nearest_quality(ijg_table(quality)) for quality in QUALITIES] == list(QUALITIES)
    assert (ijg_table(100) == 1).all() and ijg_table(1).max() == 255
