"""Kernels from photos: known ones come back, and the result tells what it is worth."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from kernelgan_fast.degradation import shapes
from kernelgan_fast.errors import ImageError, InputError
from kernelgan_fast.estimation.spectral import SpectralEstimate, estimate_spectral
from kernelgan_fast.evaluation import metrics
from kernelgan_fast.images import read_image
from kernelgan_fast.kernels import BlurKernel, centre_of_mass, target_centre

MakePhoto = Callable[..., NDArray[np.uint8]]
DATA = Path(__file__).parents[2] / "data"


def gaussian(major: float, minor: float, angle: float, scale: int = 2) -> NDArray[np.float64]:
    return shapes.gaussian(shapes.covariance_matrix(major, minor, angle), 25, scale)


def error(estimate: SpectralEstimate, true: NDArray[np.float64]) -> float:
    truth = BlurKernel(true, estimate.kernel.scale)
    return metrics.compare(estimate.kernel, truth, psnr_size=11).relative_l2


@pytest.mark.parametrize(
    ("major", "minor", "angle"), [(1.2, 1.2, 0.0), (2.0, 0.9, 30.0), (1.8, 1.1, -70.0)]
)
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_gaussians_come_back(
    make_photo: MakePhoto, major: float, minor: float, angle: float, scale: int
) -> None:
    true = gaussian(major * scale / 2, minor * scale / 2, angle, scale)
    estimate = estimate_spectral(make_photo(true, scale=scale), scale=scale)
    assert estimate.shape == "gaussian"
    assert error(estimate, true) < 0.15
    widths = estimate.widths
    assert (widths.major, widths.minor) == pytest.approx(
        (major * scale / 2, minor * scale / 2), rel=0.12
    )
    if major != minor:
        assert abs((widths.angle - angle + 90) % 180 - 90) < 6
    assert 1.9 < estimate.exponent < 2.9
    assert estimate.quality.residual < 0.2


@pytest.mark.parametrize("name", ["bicubic", "lanczos", "box", "disk"])
def test_other_shapes_come_back(make_photo: MakePhoto, name: str) -> None:
    true = shapes.disk(3.0, 25, 2) if name == "disk" else shapes.resampler(name, 25, 2)
    estimate = estimate_spectral(make_photo(true, side=256, exponent=2.8))
    assert estimate.shape == name
    assert error(estimate, true) < 0.15
    assert estimate.probabilities[name] > 0.7
    assert sum(estimate.probabilities.values()) == pytest.approx(1)


def test_motion_is_noticed_and_better_than_a_constant(make_photo: MakePhoto) -> None:
    path = shapes.camera_path(np.random.default_rng(3), 4.5)
    true = shapes.path_kernel(path, 25, 2)
    estimate = estimate_spectral(make_photo(true))
    constant = metrics.compare(metrics.constant_gaussian(2), BlurKernel(true)).relative_l2
    assert estimate.shape == "motion"
    assert error(estimate, true) < 0.85 * constant
    assert estimate.quality.expected_error > 0.5
    assert "motion blur" in estimate.warnings[0]
    widths = BlurKernel(true).widths
    assert abs((estimate.widths.angle - widths.angle + 90) % 180 - 90) < 10
    assert estimate.widths.major == pytest.approx(widths.major, rel=0.2)


def test_noise_is_measured_and_does_not_narrow_the_kernel(make_photo: MakePhoto) -> None:
    true = gaussian(1.7, 1.3, 20)
    clean, noisy = (estimate_spectral(make_photo(true, noise=sigma)) for sigma in (0.0, 4.0))
    assert clean.noise < 1
    assert noisy.noise == pytest.approx(4.0, rel=0.1)
    assert error(noisy, true) < error(clean, true) + 0.08


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_the_kernel_keeps_the_contract(make_photo: MakePhoto, scale: int) -> None:
    photo = make_photo(gaussian(1.5, 1.0, 40), side=96)
    kept = photo.copy()
    kernel = estimate_spectral(photo, scale=scale).kernel
    np.testing.assert_array_equal(photo, kept)
    assert (kernel.scale, kernel.size) == (scale, 6 * scale + 1)
    assert centre_of_mass(kernel.array) == pytest.approx(
        [target_centre(kernel.size, scale)] * 2, abs=1e-9
    )
    provenance = json.loads(json.dumps(dict(kernel.provenance)))
    assert provenance["method"] == "spectral"
    assert set(provenance) == {"method", "shape", "probability", "residual", "expected_error"}
    assert estimate_spectral(photo, scale=scale, size=6 * scale + 5).kernel.size == 6 * scale + 5


def test_the_same_photo_gives_the_same_kernel(make_photo: MakePhoto) -> None:
    photo = make_photo(gaussian(1.5, 1.0, 40), side=128)
    one, other = estimate_spectral(photo), estimate_spectral(photo, threads=2)
    assert one.kernel == other.kernel
    assert "gaussian at" in repr(one)
    with pytest.raises(ValueError, match="read-only"):
        one.covariance[0, 0] = 0


def test_a_photo_too_small_for_the_gan_has_a_kernel(make_photo: MakePhoto) -> None:
    true = gaussian(1.6, 1.2, 0)
    estimate = estimate_spectral(make_photo(true, side=48))
    assert error(estimate, true) < 0.35
    assert any("only 4 blocks" in warning for warning in estimate.warnings)
    assert max(estimate.quality.width_errors) > 0.03
    with pytest.raises(ImageError, match="at least 48 px"):
        estimate_spectral(make_photo(true, side=47))


def test_what_is_wrong_with_a_photo_is_said(make_photo: MakePhoto) -> None:
    photo = make_photo(gaussian(1.6, 1.2, 0))
    assert estimate_spectral(photo).warnings == ()
    barred = photo.copy()
    barred[:150] = 0
    assert "flat or clipped and was left out" in estimate_spectral(barred).warnings[0]
    stripes = np.full_like(photo, 60)
    stripes[::40, ::40] = 200
    assert "normally left out" in estimate_spectral(stripes).warnings[0]
    y, x = np.indices(photo.shape[:2])
    checked = (photo // 2 + (60 * ((y // 2 + x // 3) % 2))[:, :, None]).astype(np.uint8)
    warnings = estimate_spectral(checked).warnings
    assert any("fits no kernel known here" in warning for warning in warnings)
    noise = np.random.default_rng(0).integers(100, 140, photo.shape).astype(np.uint8)
    assert any("width is unsure" in warning for warning in estimate_spectral(noise).warnings)


def test_an_ambiguous_shape_is_said_and_mixed(make_photo: MakePhoto) -> None:
    # A Gaussian as wide as the bilinear kernel looks like it.
    photo = make_photo(gaussian(0.92, 0.92, 0))
    estimate = estimate_spectral(photo)
    others = 1 - max(estimate.probabilities.values())
    assert estimate.quality.expected_error > 0.1
    if others > 0.4:
        assert any("shape is unsure" in warning for warning in estimate.warnings)


@pytest.mark.parametrize(
    ("name", "variances"),
    [("roman-colosseum_160x112.png", (0.60, 1.59)), ("perched-osprey_112x112.png", (0.42, 4.72))],
)
def test_small_photos_of_the_world(name: str, variances: tuple[float, float]) -> None:
    estimate = estimate_spectral(read_image(DATA / name).pixels)
    minor, major = np.sqrt(variances)
    assert estimate.widths.major == pytest.approx(major, rel=0.3)
    assert estimate.widths.minor == pytest.approx(minor, rel=0.5)


def test_the_expected_error_is_larger_where_the_error_is(make_photo: MakePhoto) -> None:
    true = gaussian(1.6, 1.2, 0)
    sure = estimate_spectral(make_photo(true, side=384))
    unsure = estimate_spectral(make_photo(true, side=64, noise=12.0))
    assert unsure.quality.expected_error > 1.3 * sure.quality.expected_error
    assert sure.quality.expected_error >= 0.08


@pytest.mark.parametrize("scale", [0, 9, 2.0, True, "2"])
def test_scales_out_of_range_are_refused(make_photo: MakePhoto, scale: object) -> None:
    with pytest.raises(InputError, match="scale must be an integer from 1 to 8"):
        estimate_spectral(np.zeros((64, 64, 3), np.uint8), scale=scale)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [12, 3])
def test_sizes_out_of_range_are_refused(size: int) -> None:
    with pytest.raises(InputError, match="must be odd and at least 5"):
        estimate_spectral(np.zeros((64, 64, 3), np.uint8), size=size)
