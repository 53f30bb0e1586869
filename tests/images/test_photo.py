"""Arrays and tensors as photos; files are in test_reading.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from image_writers import ALPHA, GREY
from numpy.typing import NDArray

from kernelgan_fast.errors import ImageError
from kernelgan_fast.images import as_photo

Array = NDArray[Any]


def test_a_fitting_array_is_shared_and_never_written_to(pixels: Array) -> None:
    pixels.setflags(write=False)
    photo = as_photo(pixels)
    assert np.shares_memory(photo.pixels, pixels)
    assert (photo.notes, photo.source) == ((), "array")
    floats = (pixels / 255).astype(np.float32)
    assert np.shares_memory(as_photo(floats).pixels, floats)
    assert as_photo(photo) is photo


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_become_float32(dtype: Any) -> None:
    array = np.linspace(0, 1, 48).reshape(4, 4, 3).astype(dtype)
    photo = as_photo(array)
    assert photo.pixels.dtype == np.float32
    np.testing.assert_array_equal(photo.pixels, array.astype(np.float32))


def test_uint16_becomes_float32(deep: Array) -> None:
    photo = as_photo(deep)
    assert photo.pixels.dtype == np.float32
    np.testing.assert_array_equal(photo.pixels, deep[:, :, :3].astype(np.float32) / 65535)


@pytest.mark.parametrize("shape", [(5, 4), (5, 4, 1)])
def test_grey_arrays_serve_as_all_three_channels(shape: tuple[int, ...]) -> None:
    grey = np.arange(20, dtype=np.uint8).reshape(shape)
    photo = as_photo(grey)
    assert photo.notes == (GREY,)
    for channel in range(3):
        np.testing.assert_array_equal(photo.pixels[:, :, channel], grey.reshape(5, 4))


def test_alpha_is_ignored_and_views_are_made_contiguous(pixels: Array) -> None:
    photo = as_photo(np.dstack([pixels, pixels[:, :, :1]]))
    assert photo.notes == (ALPHA,)
    np.testing.assert_array_equal(photo.pixels, pixels)
    flipped = as_photo(pixels[:, ::-1])
    assert flipped.pixels.flags.c_contiguous
    np.testing.assert_array_equal(flipped.pixels, pixels[:, ::-1])


UNIT = np.full((4, 4, 3), 0.5)

BAD: list[tuple[Any, str]] = [
    (np.full((4, 4, 3), 255.0), "divide by 255"),
    (np.full((4, 4, 3), 6e4), "divide by 65535"),
    (np.full((4, 4, 3), 1.01), r"got 1.01..1.01; clip them to \[0, 1\]"),
    (UNIT - 0.51, "clip them"),
    (UNIT * np.array([-1, 1, 2]), r"use \(x \+ 1\) / 2"),
    (np.where(np.arange(3) == 1, np.nan, UNIT), "finite"),
    (np.full((4, 4, 3), np.inf), "finite"),
    (np.zeros((4, 4, 3), np.int64), "got int64; convert with astype"),
    (np.zeros((4, 4, 3), bool), "got bool"),
    (np.zeros((3, 4, 5), np.uint8), r"got \(3, 4, 5\); use numpy.moveaxis"),
    (np.zeros((5, 4, 2), np.uint8), "give one photo, channels last"),
    (np.zeros((2, 4, 4, 3), np.uint8), "give one photo"),
    (np.zeros((0, 4, 3), np.uint8), "must have pixels"),
    ([[1, 2], [3, 4]], "got list; convert it with numpy.asarray"),
    (None, "got NoneType"),
    (torch.zeros(5, 4, 3), r"got \(5, 4, 3\); put the channels first"),
    (torch.zeros(1, 3, 4, 5), "give several photos as a list"),
    (torch.full((3, 4, 4), 255.0), "tensor: .*divide by 255"),
]


@pytest.mark.parametrize(("array", "words"), BAD)
def test_unfit_arrays_are_refused_with_advice(array: Any, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        as_photo(array)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64, torch.bfloat16])
def test_tensors_have_their_channels_first(pixels: Array, dtype: torch.dtype) -> None:
    tensor = torch.from_numpy(pixels).permute(2, 0, 1)
    wanted: Array = pixels
    if dtype.is_floating_point:
        tensor = (tensor.double() / 255).to(dtype).requires_grad_()
        wanted = tensor.detach().float().permute(1, 2, 0).numpy()
    photo = as_photo(tensor)
    assert photo.source == "tensor"
    assert photo.pixels.flags.c_contiguous
    np.testing.assert_array_equal(photo.pixels, wanted)


@pytest.mark.parametrize("shape", [(6, 5), (1, 6, 5)])
def test_grey_tensors(shape: tuple[int, ...]) -> None:
    photo = as_photo(torch.arange(30, dtype=torch.uint8).reshape(shape))
    assert photo.pixels.shape == (6, 5, 3)
    assert photo.notes == (GREY,)
