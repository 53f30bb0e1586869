from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from kernelgan_fast.errors import InputError
from kernelgan_fast.kernels import centre_of_mass, flip, recentre, shift, target_centre

Array = NDArray[np.float64]


def gaussian(row: float, col: float, sigma: float = 1.4, size: int = 13) -> Array:
    rows, cols = np.indices((size, size))
    array: Array = np.exp(-((rows - row) ** 2 + (cols - col) ** 2) / (2 * sigma**2))
    array /= array.sum()
    return array


def downscale(image: Array, kernel: Array, scale: int) -> Array:
    """The convention, spelt out with scipy, whose "reflect" is half-sample symmetric."""
    blurred: Array = ndimage.correlate(image, kernel, mode="reflect")
    return blurred[::scale, ::scale]


def delta(row: int, col: int, size: int = 13) -> Array:
    array = np.zeros((size, size))
    array[row, col] = 1
    return array


@pytest.mark.parametrize(
    ("size", "scale", "centre"),
    [(13, 2, 6.5), (25, 4, 13.5), (17, 2, 8.5), (31, 4, 16.5), (13, 1, 6.0), (13, 3, 7.0)],
)
def test_the_target_follows_the_half_pixel_rule(size: int, scale: int, centre: float) -> None:
    assert target_centre(size, scale) == centre


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_the_first_lr_pixel_sits_in_the_middle_of_the_first_hr_pixels(scale: int) -> None:
    # A ramp blurred by a centred kernel reads off the position of each LR pixel.
    ramp = np.tile(np.arange(96.0), (96, 1))
    kernel = recentre(gaussian(6, 6), scale)
    inner = downscale(ramp, kernel, scale)[12, 12:18]
    np.testing.assert_allclose(inner, scale * np.arange(12, 18) + (scale - 1) / 2, atol=1e-8)


def test_an_impulse_shows_the_kernel_flipped() -> None:
    rng = np.random.default_rng(0)
    kernel = rng.random((5, 5))
    image = np.zeros((21, 21))
    image[10, 10] = 1
    seen = downscale(image, kernel, 1)[8:13, 8:13]
    np.testing.assert_array_equal(seen, flip(kernel))


def test_flip_turns_correlation_into_convolution() -> None:
    rng = np.random.default_rng(1)
    kernel, image = rng.random((5, 5)), rng.random((12, 12))
    convolved = ndimage.convolve(image, flip(kernel), mode="reflect")
    np.testing.assert_allclose(downscale(image, kernel, 1), convolved, rtol=1e-12)
    np.testing.assert_array_equal(flip(flip(kernel)), kernel)


def test_the_adjoint_scatters_the_unflipped_kernel() -> None:
    # <Ax, y> = <x, A'y> away from the border, A' adding y times the kernel at scale * (i, j).
    rng = np.random.default_rng(2)
    kernel, image, lr = rng.random((5, 5)), rng.random((24, 24)), np.zeros((12, 12))
    lr[2:-2, 2:-2] = rng.random((8, 8))
    scattered = np.zeros_like(image)
    for row, col in np.argwhere(lr):
        scattered[2 * row - 2 : 2 * row + 3, 2 * col - 2 : 2 * col + 3] += lr[row, col] * kernel
    left = (downscale(image, kernel, 2) * lr).sum()
    assert left == pytest.approx((image * scattered).sum(), rel=1e-12)


def test_shift_moves_down_and_right() -> None:
    np.testing.assert_allclose(shift(delta(3, 4), (2, -1)), delta(5, 3), atol=1e-12)
    assert centre_of_mass(shift(gaussian(6, 6, 1.2), (0.3, -0.4))) == pytest.approx(
        (6.3, 5.6), abs=1e-3
    )


def test_shift_is_the_rule_the_div2krk_images_were_made_by(shared: Any) -> None:
    from PIL import Image
    from scipy.io import loadmat

    name = "perched-osprey_224x224"
    folder = shared / "data" / "ship_cc0"
    hr = np.asarray(Image.open(folder / "hr" / f"{name}.png").convert("RGB"), dtype=np.float64)
    for scale in (2, 4):
        kernel = loadmat(folder / f"gt_k_x{scale}" / f"{name}.mat")["Kernel"]
        row, col = centre_of_mass(kernel)
        target = target_centre(len(kernel), scale)
        moved = shift(kernel, (target - row, target - col))
        lr = np.stack([downscale(hr[:, :, c], moved, scale) for c in range(3)], axis=-1)
        stored = np.asarray(Image.open(folder / f"lr_x{scale}" / f"{name}.png").convert("RGB"))
        np.testing.assert_array_equal(np.floor(np.clip(lr, 0, 255)), stored)


def sparse(seed: int) -> Array:
    rng = np.random.default_rng(seed)
    return rng.random((13, 13)) ** 40


AWKWARD = {
    "delta in the middle": delta(6, 6),
    "delta in a corner": delta(0, 0),
    "delta in the far corner": delta(12, 12),
    "two corners": delta(0, 0) + delta(12, 12),
    "two corners of one side": delta(0, 0) + delta(12, 0),
    "flat": np.ones((13, 13)),
    "a line": np.eye(13)[:, [6] * 13].T,
    "a line on the edge": np.eye(13)[:, [0] * 13].T,
    "wide": gaussian(6, 6, 6.0),
    "narrow": gaussian(6.2, 5.9, 0.4),
    "far off": gaussian(2.5, 9.5, 1.4),
    "with negative values": gaussian(6, 6, 1.4) - 0.002,
    "sparse": sparse(3),
}


@pytest.mark.parametrize("name", AWKWARD)
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_recentre_is_exact_for_any_kernel(name: str, scale: int) -> None:
    source = AWKWARD[name].copy()
    kernel = recentre(source, scale)
    target = target_centre(13, scale)
    assert kernel.shape == (13, 13)
    assert kernel.min() >= 0
    assert kernel.sum() == pytest.approx(1, abs=1e-12)
    assert centre_of_mass(kernel) == pytest.approx((target, target), abs=1e-6)
    np.testing.assert_array_equal(source, AWKWARD[name])  # never written to
    np.testing.assert_allclose(recentre(kernel, scale), kernel, atol=1e-9)


@pytest.mark.parametrize("row, col", [(6.0, 6.0), (4.3, 8.1), (6.5, 6.5)])
def test_recentre_keeps_the_shape_of_a_gaussian(row: float, col: float) -> None:
    wanted = gaussian(6.5, 6.5)
    error = np.linalg.norm(recentre(gaussian(row, col), 2) - wanted) / np.linalg.norm(wanted)
    assert error < 5e-3


def test_recentre_refuses_a_frame_too_small_for_the_target() -> None:
    with pytest.raises(InputError, match="larger frame"):
        recentre(np.ones((1, 1)), 2)


def test_recentre_refuses_a_kernel_without_positive_values() -> None:
    with pytest.raises(InputError, match="without a positive value"):
        recentre(-np.ones((3, 3)), 2)


def test_a_zero_sum_has_no_centre() -> None:
    with pytest.raises(InputError, match="no centre of mass"):
        centre_of_mass(np.zeros((3, 3)))


@pytest.mark.parametrize("array", [np.ones((3, 4)), np.ones(3), np.ones((0, 0))])
def test_only_square_arrays_are_kernels(array: Array) -> None:
    for function in (centre_of_mass, flip, lambda a: shift(a, (0, 0)), lambda a: recentre(a, 2)):
        with pytest.raises(InputError, match="square array"):
            function(array)


def test_kernels_are_finite() -> None:
    with pytest.raises(InputError, match="finite"):
        centre_of_mass(np.full((3, 3), np.inf))
