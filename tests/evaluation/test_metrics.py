"""What a kernel's errors are, on kernels whose errors are known."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from kernelgan_fast.degradation import shapes
from kernelgan_fast.errors import InputError
from kernelgan_fast.evaluation import metrics
from kernelgan_fast.evaluation.metrics import bicubic, centred, compare, constant_gaussian
from kernelgan_fast.kernels import BlurKernel, load, target_centre


def ellipse(
    major: float, minor: float, angle: float = 0.0, *, size: int = 33, scale: int = 2
) -> BlurKernel:
    covariance = shapes.covariance_matrix(major, minor, angle)
    return BlurKernel(shapes.gaussian(covariance, size, scale), scale)


def round_errors(one: float, other: float) -> float:
    """‖g1 - g2‖ / ‖g2‖ of two round Gaussians, in closed form."""
    overlap = 1 / (2 * math.pi * (one**2 + other**2))
    norms = [1 / (4 * math.pi * width**2) for width in (one, other)]
    return math.sqrt((norms[0] + norms[1] - 2 * overlap) / norms[1])


@pytest.mark.parametrize(("one", "other"), [(1.7, 1.2), (1.2, 2.0), (1.5, 1.6)])
def test_the_error_of_a_wrong_width_is_the_formula_s(one: float, other: float) -> None:
    errors = compare(ellipse(one, one), ellipse(other, other))
    assert errors.relative_l2 == pytest.approx(round_errors(one, other), rel=1e-4)
    assert errors.width == pytest.approx(abs(one / other - 1), rel=1e-4)
    assert errors.width_bias == pytest.approx(one / other - 1, rel=1e-4)
    assert errors.covariance == pytest.approx(abs((one / other) ** 2 - 1), rel=1e-4)
    true_norm = math.sqrt(1 / (4 * math.pi * other**2))
    distance = errors.relative_l2 * true_norm
    assert errors.psnr == pytest.approx(20 * math.log10(11 / distance), abs=0.01)
    assert errors.angle is None and errors.angle_weight == 0


def test_a_kernel_equals_itself() -> None:
    kernel = ellipse(2.0, 1.0, 30)
    errors = compare(kernel, kernel)
    assert errors.relative_l2 == 0 and errors.psnr is None
    assert (errors.covariance, errors.width, errors.width_bias, errors.angle) == (0, 0, 0, 0)


@pytest.mark.parametrize("size", [17, 25, 33, 41])
def test_place_and_frame_do_not_count(size: int) -> None:
    truth = ellipse(1.8, 1.2, 20, size=21)
    other = ellipse(1.8, 1.2, 20, size=size)
    assert compare(other, truth).relative_l2 < 1e-3
    moved = BlurKernel(np.roll(other.array, (1, -1), (0, 1)), 2)
    assert compare(moved, truth).relative_l2 < 1e-3
    assert compare(moved, truth).off_centre == pytest.approx(math.sqrt(2), abs=1e-3)
    # Around the middle tap, as DIV2KRK stores its kernels.
    around = BlurKernel(ellipse(1.8, 1.2, 20, size=size, scale=1).array, 2)
    assert around.centre_of_mass == pytest.approx((size // 2, size // 2), abs=1e-3)
    assert compare(around, truth).relative_l2 < 1e-2


def test_centring_moves_the_centre_of_mass_and_keeps_lobes() -> None:
    kernel = BlurKernel(shapes.resampler("lanczos", 17, 1), 2)
    for canvas in (33, 35):
        array = centred(kernel, canvas)
        target = target_centre(canvas, 2)
        moved = BlurKernel(array / array.sum(), 2)
        assert array.shape == (canvas, canvas) and array.min() < -0.01
        assert moved.centre_of_mass == pytest.approx((target, target), abs=1e-6)


@pytest.mark.parametrize(
    ("found", "true", "error"), [(10, 30, 20), (85, -85, 10), (-90, 89, 1), (0, 90, 90)]
)
def test_angles_are_equal_after_half_a_turn(found: float, true: float, error: float) -> None:
    errors = compare(ellipse(2.0, 1.0, found), ellipse(2.4, 1.2, true))
    assert errors.angle == pytest.approx(error, abs=0.05)
    assert errors.angle_weight == pytest.approx(0.6, abs=0.01)


@pytest.mark.parametrize(
    ("found", "true"), [((1.5, 1.4), (2.0, 1.0)), ((2.0, 1.0), (1.5, 1.4)), ((1.5, 1.5), (2, 1))]
)
def test_a_round_kernel_has_no_angle(found: tuple[float, float], true: tuple[float, float]) -> None:
    assert compare(ellipse(*found), ellipse(*true)).angle is None


def test_lobes_leave_no_widths_to_compare() -> None:
    errors = compare(ellipse(1.5, 1.0), bicubic(2))
    assert errors.covariance is None and errors.width is None and errors.width_bias is None
    assert errors.relative_l2 > 0.5 and errors.angle is None


def test_psnr_is_stated_on_the_size_asked_for() -> None:
    one, other = ellipse(1.5, 1.5), ellipse(1.7, 1.7)
    psnr = [compare(one, other, psnr_size=size).psnr for size in (11, 22)]
    assert psnr[0] is not None and psnr[1] is not None
    assert psnr[1] - psnr[0] == pytest.approx(20 * math.log10(2))
    large = [ellipse(3.0, 3.0, scale=4), ellipse(3.8, 3.8, scale=4)]
    default = compare(large[0], large[1]).psnr
    assert default == compare(large[0], large[1], psnr_size=31).psnr


@pytest.mark.parametrize(("scale", "sigma"), [(2, 1.7), (4, 3.8)])
def test_the_baselines(scale: int, sigma: float) -> None:
    constant, cubic = constant_gaussian(scale), bicubic(scale)
    target = target_centre(33, scale)
    for kernel in (constant, cubic):
        assert kernel.size == 33 and kernel.scale == scale
        assert kernel.centre_of_mass == pytest.approx((target, target), abs=1e-3)
    assert constant.widths.major == pytest.approx(sigma, rel=2e-3)
    assert cubic.array.min() < 0 and (cubic.array != 0).sum() == (4 * scale) ** 2


def test_kernels_of_two_scales_are_not_compared() -> None:
    with pytest.raises(InputError, match="same scale to be compared, got 2 and 4"):
        compare(constant_gaussian(2), constant_gaussian(4))


def test_scales_without_baselines_are_refused() -> None:
    with pytest.raises(InputError, match="scale 2 and 4, got 3"):
        constant_gaussian(3)
    with pytest.raises(InputError, match="give psnr_size"):
        metrics.default_psnr_size(3)


@pytest.mark.parametrize(("scale", "expected"), [(2, 0.28), (4, 0.27)])
def test_the_published_kernels_give_the_known_figures(
    shared: Path, scale: int, expected: float
) -> None:
    """The mean over all 100 is known; a part of them comes near."""
    folder = shared / "data" / "research_only" / "div2krk" / f"gt_k_x{scale}"
    truths = [load(file, scale=scale) for file in folder.glob("*.mat")]
    if not truths:
        pytest.skip(f"needs the kernels in {folder}")
    errors = [compare(constant_gaussian(scale), truth) for truth in truths]
    assert np.mean([error.relative_l2 for error in errors]) == pytest.approx(expected, abs=0.03)
    known = {2: 46.95, 4: 64.08}[scale]
    assert np.mean([error.psnr for error in errors if error.psnr]) == pytest.approx(known, abs=0.7)
