from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kernelgan_fast.errors import OutputError
from kernelgan_fast.kernels import BlurKernel, recentre, save_picture
from kernelgan_fast.kernels.picture import draw

BRIGHT, DARK = (253, 231, 37), (68, 1, 84)


def corner_kernel(size: int) -> BlurKernel:
    array = np.zeros((size, size))
    array[0, -1] = 1
    return BlurKernel(array, 2)


def test_writes_a_large_png_and_the_same_bytes_again(tmp_path: Path) -> None:
    array = recentre(np.random.default_rng(0).random((13, 13)), 2)
    for name in ("a.png", "b.png"):
        save_picture(BlurKernel(array), tmp_path / name, title="Kernel of a photo")
    with Image.open(tmp_path / "a.png") as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (800, 840))
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize("size", [3, 13, 25])
def test_cells_lie_as_the_array_does(size: int) -> None:
    picture = draw(corner_kernel(size))
    assert picture.getpixel((84 + 588 - 2, 76)) == BRIGHT  # top right
    assert picture.getpixel((87, 74 + 588 - 3)) == DARK  # bottom left


@pytest.mark.parametrize("size", [1, 101])
def test_draws_the_smallest_and_the_largest(size: int) -> None:
    assert draw(corner_kernel(size)).size == (800, 840)


def test_centre_of_mass_and_target_are_marked_where_they_are() -> None:
    array = np.zeros((13, 13))
    array[3, 9] = 1
    picture = np.asarray(draw(BlurKernel(array, 2)))[74:662, 84:672].astype(int)
    cell = 588 / 13
    red = np.argwhere((picture == (255, 88, 56)).all(axis=-1)).mean(axis=0)
    assert red == pytest.approx([3.5 * cell, 9.5 * cell], abs=1.0)
    white = np.argwhere((picture == 255).all(axis=-1)).mean(axis=0)
    assert white == pytest.approx([7.0 * cell, 7.0 * cell], abs=1.0)  # between cells 6 and 7


def test_lobes_stretch_the_colours_below_0() -> None:
    array = np.full((5, 5), 1 / 25)
    array[0, 0] = -0.2
    array[4, 4] += 1 - array.sum()
    picture = draw(BlurKernel(array))
    assert picture.getpixel((88, 78)) == DARK
    assert picture.getpixel((84 + 584, 74 + 584)) == BRIGHT
    assert picture.getpixel((84 + 300, 78)) not in (DARK, BRIGHT)


def test_a_long_title_shrinks_to_fit() -> None:
    picture = draw(corner_kernel(13), title="a very long name of a photo " * 8)
    margin = np.asarray(picture)[:70, [0, 10, 790, 799]]
    assert (margin == 255).all()
    assert (np.asarray(picture)[:60] < 128).any()


def test_a_missing_folder_is_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="the folder does not exist"):
        save_picture(corner_kernel(13), tmp_path / "missing" / "k.png")
    assert os.listdir(tmp_path) == []
