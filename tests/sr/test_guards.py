"""What every method keeps: means, neutral colours and dark backgrounds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from photos import COLOSSEUM, grey, photo, stars
from torch import Tensor

from kernelgan_fast.degradation.blur_models import draw
from kernelgan_fast.kernels import BlurKernel
from kernelgan_fast.sr import prepare
from kernelgan_fast.sr.guards import Guarded
from kernelgan_fast.sr.tiling import as_tensor
from kernelgan_fast.sr.upscaler import Options

KERNELS = {
    name: BlurKernel(draw(name, 2, seed=1, name="").array, 2) for name in ("bicubic", "div2krk")
}
METHODS = pytest.mark.parametrize("method", ["backprojection", "tv", "unfold"])


def enlarged(
    method: str, pixels: NDArray[np.uint8], kernel: str, *, dark_background: bool = False
) -> NDArray[np.float64]:
    """(sH, sW, 3) in grey levels, clipped as a picture is."""
    low = as_tensor(pixels)
    ready = prepare(method, KERNELS[kernel], Options(), low)
    guarded = Guarded(ready, KERNELS[kernel], dark_background=dark_background)
    high = guarded(low).clamp(0, 1)[0].permute(1, 2, 0)
    return 255 * high.detach().double().numpy()


@METHODS
@pytest.mark.parametrize("kernel", KERNELS)
def test_neutral_stays_neutral(method: str, kernel: str) -> None:
    high = enlarged(method, grey(photo(COLOSSEUM)), kernel)
    assert (high.max(axis=2) - high.min(axis=2)).max() <= 1


def patches() -> dict[str, NDArray[np.uint8]]:
    row, col = np.mgrid[:48, :48]
    return {
        "checkerboard": np.where((row + col) % 2, 255, 0),
        "rows": np.where(row % 2, 255, 0),
        "columns": np.where(col % 2, 255, 0),
        "faint": np.where((row + col) % 2, 140, 110),
        "flat": np.full((48, 48), 128),
    }


@METHODS
@pytest.mark.parametrize("pattern", patches())
def test_patterns_of_one_pixel_keep_their_mean(method: str, pattern: str) -> None:
    patch = np.repeat(patches()[pattern].astype(np.uint8)[:, :, None], 3, axis=2)
    high = enlarged(method, patch, "bicubic")
    inside = high[16:-16, 16:-16]
    assert inside.mean() == pytest.approx(patch[8:-8, 8:-8].mean(), abs=2)
    assert np.sqrt(np.square(inside - inside.mean(axis=2, keepdims=True)).mean()) <= 2


@METHODS
def test_no_dark_rings_around_stars(method: str) -> None:
    background = 20
    high = enlarged(method, stars(64, background), "div2krk", dark_background=True)
    assert high.min() >= 0.8 * background


class Constant:
    """A method that answers with one colour."""

    scale, context, multiple = 2, 0, 1

    def __call__(self, low: Tensor) -> Tensor:
        height, width = low.shape[-2:]
        colour = torch.tensor([0.9, 0.1, 0.4]).reshape(1, 3, 1, 1)
        return colour.expand(1, 3, 2 * height, 2 * width)


def test_a_method_that_shifts_and_tints_is_corrected() -> None:
    low = as_tensor(np.full((24, 24, 3), 100, np.uint8))
    high = Guarded(Constant(), KERNELS["bicubic"], dark_background=False)(low)
    assert torch.allclose(high, torch.full_like(high, 100 / 255), atol=1e-3)


def test_the_context_is_as_far_as_the_result_reaches() -> None:
    guarded = Guarded(Constant(), KERNELS["div2krk"], dark_background=True)
    low = torch.rand(1, 3, 64, 64)
    changed = low.clone()
    changed[..., 0] = 1 - changed[..., 0]
    difference = (guarded(low) - guarded(changed)).abs().amax(dim=(0, 1, 2))
    assert difference[2 * (guarded.context + 1) :].max() == 0
