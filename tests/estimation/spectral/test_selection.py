"""The kernel to enlarge with: the estimate where it is certain, a safer one where it is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from kernelgan_fast.analysis import PhotoAnalysis
from kernelgan_fast.analysis.compression import Compression, ijg_table
from kernelgan_fast.analysis.noise import Noise
from kernelgan_fast.estimation.spectral.estimate import FitQuality, SpectralEstimate
from kernelgan_fast.estimation.spectral.selection import expected_error, select_kernel
from kernelgan_fast.estimation.spectral.shapes import SHAPES, default_size, draw
from kernelgan_fast.kernels import BlurKernel

QUALITY = FitQuality(
    residual=0.2, blocks=500, rejected=0.0, width_errors=(0.02, 0.02), expected_error=0.12
)
SCALES = pytest.mark.parametrize("scale", [2, 4])


def clean(noise: float = 0.3) -> PhotoAnalysis:
    return PhotoAnalysis(Noise((noise,) * 3, noise, 0.0))


def certain(scale: int = 2, width: float = 0.7, **quality: Any) -> SpectralEstimate:
    """An estimate of a photo without any doubt; `width` in LR px."""
    covariance = np.diag([1.2, 0.8]) * (width * scale) ** 2
    array = draw(SHAPES[0], covariance, scale, default_size(scale))
    return SpectralEstimate(
        kernel=BlurKernel(array / array.sum(), scale),
        covariance=covariance,
        shape=SHAPES[0].name,
        probabilities={SHAPES[0].name: 1.0},
        exponent=2.6,
        noise=0.2,
        quality=replace(QUALITY, **quality),
        warnings=(),
    )


def width(kernel: BlurKernel) -> float:
    return float(np.sqrt(np.trace(kernel.covariance)))


def test_a_certain_estimate_is_kept() -> None:
    estimate = certain()
    selected = select_kernel(estimate, clean())
    assert np.allclose(selected.kernel.array, estimate.kernel.array, rtol=0, atol=1e-12)
    assert selected.narrowed == 1 and selected.noise == 0 and not selected.replaced
    assert selected.error == estimate.quality.expected_error


def test_at_scale_4_the_kernel_is_a_standard_error_narrower() -> None:
    estimate = certain(4, width_errors=(0.06, 0.08))
    selected = select_kernel(estimate, clean())
    assert selected.narrowed == pytest.approx(np.exp(-0.07))
    assert width(selected.kernel) == pytest.approx(selected.narrowed * width(estimate.kernel), 0.01)


def test_texture_beneath_a_compression_is_doubted_at_scale_4() -> None:
    compressed = replace(clean(2.0), compression=Compression(75, ijg_table(75), 3.0, True))
    smooth, textured = (replace(certain(4), noise=noise) for noise in (0.1, 1.0))
    kept, doubted = (select_kernel(each, compressed).narrowed for each in (smooth, textured))
    assert doubted < 0.8 < kept


def test_the_expected_error_grows_with_the_compression() -> None:
    errors = [
        expected_error(certain(), replace(clean(), compression=compression))
        for compression in (None, *(Compression(q, ijg_table(q), 3.0, True) for q in (90, 75, 50)))
    ]
    assert errors == sorted(errors) and errors[0] == QUALITY.expected_error
    assert 2 < errors[-1] / errors[0] < 3


@SCALES
def test_doubt_makes_the_kernel_narrower(scale: int) -> None:
    wide = certain(scale, width=1.4)
    steep = replace(certain(scale), exponent=3.6)
    unsure = replace(certain(scale, width_errors=(0.1, 0.1)), noise=1.0)
    for estimate in (wide, steep, unsure):
        selected = select_kernel(estimate, clean())
        assert not selected.replaced and 0.5 <= selected.narrowed < 1
        assert width(selected.kernel) < width(estimate.kernel)
        assert selected.error > estimate.quality.expected_error
        assert selected.kernel.array.sum() == pytest.approx(1)


def test_more_doubt_means_narrower() -> None:
    narrowed = [
        select_kernel(certain(width=each), clean()).narrowed for each in (1.1, 1.25, 1.35, 1.5)
    ]
    assert narrowed == sorted(narrowed, reverse=True) and narrowed[0] == 1


def test_a_doubtful_axis_is_no_longer_than_that_of_a_downscaling_kernel() -> None:
    estimate = certain()
    long = replace(estimate, covariance=np.diag([4.4**2, 1.6**2]))
    selected = select_kernel(long, clean()).kernel
    assert np.allclose(np.sqrt(np.diag(selected.covariance)), [0.8 * 2.5, 0.8 * 1.6], rtol=0.05)


def test_an_enlarged_photo_is_doubted() -> None:
    selected = select_kernel(certain(), replace(clean(), enlarged=2.0))
    assert selected.narrowed == pytest.approx(0.8) and selected.noise > 0


def test_drawings_get_the_bicubic_kernel() -> None:
    selected = select_kernel(certain(), replace(clean(), drawn=True))
    assert selected.replaced and selected.kernel.array.min() < 0
    assert selected.kernel.array.sum() == pytest.approx(1)


def test_a_spectrum_that_the_model_does_not_describe() -> None:
    assert select_kernel(certain(residual=0.9), clean()).replaced
    partly = select_kernel(certain(residual=0.65), clean())
    assert not partly.replaced and partly.kernel.array.min() < 0


def test_motion_is_not_believed_of_noisy_and_compressed_photos() -> None:
    estimate = certain()
    line = np.zeros_like(estimate.kernel.array)
    line[6, 2:11] = 1 / 9
    motion = replace(estimate, kernel=BlurKernel(line, 2), shape="motion")
    assert select_kernel(motion, clean()).kernel == motion.kernel
    compressed = replace(clean(), compression=Compression(50, ijg_table(50), 5.0, from_file=True))
    # As much noise as the fit finds.
    for doubtful, noise in ((clean(6.0), 4.0), (compressed, 0.2)):
        selected = select_kernel(replace(motion, noise=noise), doubtful)
        assert np.allclose(selected.kernel.array, estimate.kernel.array)


def test_widths_without_an_error_are_uncertain() -> None:
    unknown = replace(certain(width_errors=(np.inf, np.inf)), noise=2.0)
    assert select_kernel(unknown, clean()).narrowed < 1
