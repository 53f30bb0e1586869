"""Convolutions on blocks are those on pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

from kernelgan_fast.export.blocks import correlation, placed, windows
from kernelgan_fast.sr.forward_model import ForwardModel


@pytest.mark.parametrize("size", [3, 9, 13])
@pytest.mark.parametrize(("scale", "block"), [(2, 2), (2, 8), (4, 8), (1, 4), (1, 1)])
def test_blocks(size: int, scale: int, block: int) -> None:
    random = torch.Generator().manual_seed(0)
    kernel = torch.rand(size, size, generator=random)
    blocked = correlation(size, scale, block)
    weight = torch.from_numpy(placed(kernel.numpy(), blocked.index))
    assert weight.shape == ((block // scale) ** 2, block**2, blocked.size, blocked.size)

    high = torch.rand(1, 1, 4 * block, 5 * block, generator=random)
    frame = (blocked.before, blocked.after) * 2
    cut = functional.pad(functional.pixel_unshuffle(high, block), frame)
    down = functional.pixel_shuffle(functional.conv2d(cut, weight), block // scale)
    expected = functional.conv2d(high, kernel[None, None], padding=size // 2, stride=scale)
    assert torch.allclose(down, expected, atol=1e-5)

    low = torch.rand(expected.shape, generator=random)
    ends = blocked.adjoint
    turned = torch.from_numpy(placed(kernel.numpy(), ends.index))
    cut = functional.pad(
        functional.pixel_unshuffle(low, block // scale), (ends.before, ends.after) * 2
    )
    up = functional.pixel_shuffle(functional.conv2d(cut, turned), block)
    assert torch.allclose(up, ForwardModel(kernel, scale).adjoint(low), atol=1e-5)


def test_windows() -> None:
    kernel = torch.rand(5, 5, generator=torch.Generator().manual_seed(0))
    weight = torch.from_numpy(placed(kernel.numpy(), windows(5, 2, 4)))
    high = torch.rand(1, 1, 11 + 8, 11 + 16)
    small = functional.pixel_shuffle(functional.conv2d(high, weight, stride=8), 4)
    assert torch.allclose(small, functional.conv2d(high, kernel[None, None], stride=2), atol=1e-6)


@pytest.mark.parametrize("index", [correlation(13, 2, 8).index, windows(13, 2, 4)])
def test_every_tap_is_read_once_by_each_pixel(index: NDArray[np.int64]) -> None:
    for pixel in index:
        taps = np.sort(pixel[pixel < 169])
        assert np.array_equal(taps, np.arange(169))
