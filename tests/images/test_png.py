"""PNG files of 8 and 16 bits come back as they were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kernelgan_fast.errors import InputError, OutputError
from kernelgan_fast.images import read_image, save_png


def test_eight_bits(pixels: NDArray[Any], tmp_path: Path) -> None:
    save_png(pixels, tmp_path / "a.png")
    assert np.array_equal(read_image(tmp_path / "a.png").pixels, pixels)


def test_sixteen_bits(deep: NDArray[Any], tmp_path: Path) -> None:
    save_png(deep[..., :3], tmp_path / "a.png")
    read = read_image(tmp_path / "a.png")
    assert read.pixels.dtype == np.float32 and read.notes == ()
    assert np.array_equal(np.rint(read.pixels * 65535), deep[..., :3])


@pytest.mark.parametrize("array", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)])
def test_other_arrays_are_refused(array: NDArray[Any], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\(H, W, 3\) uint8 or uint16"):
        save_png(array, tmp_path / "a.png")


def test_a_missing_folder(pixels: NDArray[Any], tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="does not exist"):
        save_png(pixels, tmp_path / "none" / "a.png")
