"""A kernel per region."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from kernelgan_fast.degradation import shapes
from kernelgan_fast.errors import ImageError, InputError
from kernelgan_fast.estimation.spectral import estimate_spectral, estimate_tiles, grid_for

MakePhoto = Callable[..., NDArray[np.uint8]]


@pytest.fixture(scope="module")
def halves(make_photo: MakePhoto) -> NDArray[np.uint8]:
    """Sharp on the left, blurred on the right."""
    sharp, blurred = (
        make_photo(shapes.gaussian(np.eye(2) * s**2, 25, 2), side=512) for s in (1.1, 1.8)
    )
    photo = sharp.copy()
    photo[:, 256:] = blurred[:, 256:]
    return photo


def test_each_region_has_its_own_width(halves: NDArray[np.uint8]) -> None:
    tiles = estimate_tiles(halves, (2, 4))
    assert tiles.grid == (2, 4)
    assert tiles.widths.shape == (2, 4, 3)
    widths = np.sqrt(tiles.widths[:, :, 0] * tiles.widths[:, :, 1])
    assert widths[:, :2].mean() == pytest.approx(1.1, rel=0.15)
    assert widths[:, 2:].mean() == pytest.approx(1.8, rel=0.15)
    assert widths[:, 2:].min() > widths[:, :2].max()
    one = tiles.tiles[1][3]
    assert one is not None
    assert tiles.kernel(1, 3) is one.kernel
    assert (one.kernel.scale, one.kernel.size) == (2, 13)


def test_the_whole_is_the_photo_s_estimate(halves: NDArray[np.uint8]) -> None:
    whole = estimate_tiles(halves, (3, 2)).whole
    alone = estimate_spectral(halves)
    np.testing.assert_allclose(whole.kernel.array, alone.kernel.array, atol=1e-6)
    assert whole.quality.blocks == alone.quality.blocks
    assert whole.quality.rejected == pytest.approx(alone.quality.rejected)


def test_a_region_with_nothing_to_see_keeps_the_photo_s_kernel(
    halves: NDArray[np.uint8],
) -> None:
    sky = halves.copy()
    sky[:280] = 210
    tiles = estimate_tiles(sky, (2, 2), scale=4)
    assert tiles.tiles[0] == (None, None)
    assert tiles.kernel(0, 1) is tiles.whole.kernel
    assert np.isnan(tiles.widths[0]).all() and np.isfinite(tiles.widths[1]).all()


def test_edges_are_in_pixels_of_the_photo(halves: NDArray[np.uint8]) -> None:
    rows, cols = estimate_tiles(halves[:, :301], (2, 3)).edges
    assert rows.tolist() == [0, 256, 512]
    assert cols.tolist() == [0, 100, 200, 301]


@pytest.mark.parametrize(
    ("size", "grid"),
    [
        ((48, 48), (1, 1)),
        ((288, 288), (1, 1)),
        ((480, 480), (3, 3)),
        ((678, 1020), (3, 5)),
        ((1020, 678), (5, 3)),
        ((3000, 4000), (7, 9)),
        ((20000, 500), (15, 3)),
    ],
)
def test_a_grid_is_odd_and_its_regions_about_square(
    size: tuple[int, int], grid: tuple[int, int]
) -> None:
    assert grid_for(*size) == grid


def test_arguments_out_of_range_are_refused(halves: NDArray[np.uint8]) -> None:
    with pytest.raises(InputError, match="at least 1 row"):
        estimate_tiles(halves, (2, 0))
    with pytest.raises(InputError, match="scale must be"):
        estimate_tiles(halves, (2, 2), scale=0)
    with pytest.raises(ImageError, match="must have contrast"):
        estimate_tiles(np.full((96, 96, 3), 5, np.uint8), (2, 2))
