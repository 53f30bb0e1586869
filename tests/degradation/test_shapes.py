"""Kernels by formula: their moments, their place, and what other programs make of the same."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from kernelgan_fast.degradation import shapes
from kernelgan_fast.errors import InputError
from kernelgan_fast.kernels import BlurKernel, centre_of_mass, target_centre
from kernelgan_fast.kernels.geometry import RESAMPLERS


@pytest.mark.parametrize("angle", [-90.0, -30.0, 0.0, 45.0, 80.0])
def test_a_covariance_has_the_widths_it_was_made_of(angle: float) -> None:
    covariance = shapes.covariance_matrix(2.0, 1.0, angle)
    kernel = BlurKernel(shapes.gaussian(covariance, 25, 2), 2)
    assert kernel.widths == pytest.approx((2.0, 1.0, angle), abs=1e-3)
    assert kernel.centre_of_mass == pytest.approx((12.5, 12.5), abs=1e-6)


def test_a_gaussian_needs_width() -> None:
    with pytest.raises(InputError, match="widths above 0"):
        shapes.gaussian(np.diag([1.0, 0.0]), 13, 2)


@pytest.mark.parametrize(("radius", "scale"), [(2.2, 2), (3.2, 2), (6.5, 4)])
def test_a_disk_covers_its_area(radius: float, scale: int) -> None:
    array = shapes.disk(radius, 8 * scale + 1, scale)
    area = math.pi * radius**2
    assert array.max() == pytest.approx(1 / area, rel=1e-3)
    kernel = BlurKernel(array, scale)
    # A pixel's own width adds about 1/12 to the variance of a disk, r²/4.
    assert kernel.covariance == pytest.approx(np.eye(2) * (radius**2 / 4 + 1 / 12), abs=0.04)
    target = target_centre(kernel.size, scale)
    assert kernel.centre_of_mass == pytest.approx((target, target), abs=1e-3)
    edge = (array > 0) & (array < 0.999 * array.max())
    assert edge.sum() > 4 * radius  # grey pixels all around: no stairs


def test_a_disk_needs_a_radius() -> None:
    with pytest.raises(InputError, match="above 0, got 0"):
        shapes.disk(0.0, 13, 2)


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("name", list(RESAMPLERS))
def test_a_resampler_does_what_pillow_does(name: str, scale: int) -> None:
    photo = np.random.default_rng(0).random((96, 96)).astype(np.float32)
    kernel = shapes.resampler(name, 8 * scale + 1, scale)
    ours = ndimage.correlate(photo.astype(np.float64), kernel, mode="reflect")[::scale, ::scale]
    side = 96 // scale
    filters = Image.Resampling
    choice = {
        "bicubic": filters.BICUBIC,
        "bilinear": filters.BILINEAR,
        "lanczos": filters.LANCZOS,
        "box": filters.BOX,
    }[name]
    theirs = np.asarray(Image.fromarray(photo).resize((side, side), choice))
    inside = slice(4, -4)  # Pillow crops the kernel at the border instead of mirroring the photo
    assert np.abs(ours - theirs)[inside, inside].max() < 1e-5


def test_a_camera_path_is_smooth_and_reaches_as_far_as_asked() -> None:
    path = shapes.camera_path(np.random.default_rng(3), 5.0)
    assert path.mean(axis=0) == pytest.approx((0, 0), abs=1e-9)
    assert np.hypot(*path.T).max() == pytest.approx(5.0)
    steps = np.diff(path, axis=0)
    assert np.hypot(*steps.T).max() < 0.1  # far less than a pixel
    turns = np.abs(np.diff(steps, axis=0)).max()
    assert turns < 0.02 * np.abs(steps).max()  # no corners
    speeds = np.hypot(*steps.T)
    assert speeds[0] > 0 and speeds[-1] > 0.01 * speeds.max()


@pytest.mark.parametrize("scale", [2, 4])
def test_a_path_kernel_has_the_path_s_moments_to_a_part_of_a_pixel(scale: int) -> None:
    path = shapes.camera_path(np.random.default_rng(4), 1.2 * scale)
    size, target = 8 * scale + 1, target_centre(8 * scale + 1, scale)
    for offset in ((0.0, 0.0), (0.3, -0.45)):
        kernel = BlurKernel(shapes.path_kernel(path + offset, size, scale), scale)
        centre = (target + offset[0], target + offset[1])
        assert kernel.centre_of_mass == pytest.approx(centre, abs=1e-9)
        expected = np.cov(path.T, bias=True) + np.eye(2) * (scale // 2) ** 2 / 3
        assert kernel.covariance == pytest.approx(expected, abs=1e-9)


def test_a_resting_camera_leaves_a_spline() -> None:
    array = shapes.path_kernel(np.zeros((1, 2)), 17, 2)
    assert centre_of_mass(array) == pytest.approx((8.5, 8.5))
    assert (array > 0).sum() == 16
