"""A whole photo through a method: frames, ranges and tiles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from photos import COLOSSEUM, decoded, jpeg, photo, with_noise

from kernelgan_fast.analysis import PhotoAnalysis, analyse_photo
from kernelgan_fast.analysis.compression import measure_compression
from kernelgan_fast.degradation.blur_models import draw
from kernelgan_fast.degradation.degrade import degrade
from kernelgan_fast.images import as_photo
from kernelgan_fast.kernels import BlurKernel
from kernelgan_fast.sr import prepare
from kernelgan_fast.sr.conditioning import AUTO, condition
from kernelgan_fast.sr.restoration import restore
from kernelgan_fast.sr.tiling import as_tensor
from kernelgan_fast.sr.upscaler import Options, Upscaler

KERNEL = BlurKernel(draw("div2krk", 2, seed=1, name="photo").array, 2)


def enlarged(pixels: NDArray[Any], method: str = "unfold", **options: Any) -> NDArray[Any]:
    read = as_photo(pixels).pixels
    analysis = options.pop("analysis", None) or analyse_photo(as_photo(pixels))
    noise = condition(analysis, AUTO).noise

    def ready(content: NDArray[Any]) -> Upscaler:
        return prepare(method, KERNEL, Options(noise=noise), as_tensor(content))

    return restore(read, analysis, KERNEL, ready, **options).pixels


def low_and_high() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    high = photo(COLOSSEUM)
    return degrade(high, KERNEL.array, 2), high


def psnr(result: NDArray[Any], truth: NDArray[Any]) -> float:
    """With a peak of 1, 8 px cut off each side."""
    error = (result - truth)[8:-8, 8:-8]
    return float(-10 * np.log10(np.square(error).mean()))


@pytest.mark.parametrize("method", ["unfold", "tv", "backprojection"])
def test_bars_do_not_ring_into_the_content(method: str) -> None:
    low, high = low_and_high()
    barred = np.pad(low, ((20, 20), (0, 0), (0, 0)))
    result = enlarged(barred, method).astype(np.float64) / 255
    assert result.shape == (2 * barred.shape[0], 2 * barred.shape[1], 3)
    assert not result[:40].any() and not result[-40:].any()
    alone = enlarged(low, method).astype(np.float64) / 255
    truth = high / 255
    assert psnr(result[40:-40], truth) > psnr(alone, truth) - 0.5
    beside, expected = result[40:46] - truth[:6], alone[:6] - truth[:6]
    assert np.square(beside).mean() < 1.1 * np.square(expected).mean() + 1e-6


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_data_that_fill_a_part_of_their_range(bits: int) -> None:
    low, high = low_and_high()
    low, high = np.asarray(low), high / 255
    full = enlarged(np.rint(low / 255.0 * 65535).astype(np.uint16))
    peak = 2**bits - 1
    deep = np.rint(low / 255.0 * peak).astype(np.uint16)
    part = enlarged(deep) * (65535 / peak)
    assert abs(psnr(part, high) - psnr(full, high)) < 0.3
    assert part.mean() == pytest.approx(deep.mean() / peak, rel=1e-3)


@pytest.mark.parametrize("method", ["unfold", "tv", "backprojection"])
@pytest.mark.parametrize("kind", ["clean", "noisy", "compressed", "deep"])
def test_tiles_show_no_seams(method: str, kind: str) -> None:
    low = photo(COLOSSEUM)
    pixels: NDArray[Any] = {
        "clean": low,
        "noisy": with_noise(low, 8.0),
        "compressed": decoded(jpeg(low, 60)),
        "deep": low.astype(np.uint16) * 16,
    }[kind]
    analysis = analyse_photo(as_photo(pixels))
    whole = enlarged(pixels, method, analysis=analysis, tile=0).astype(np.float64)
    tiled = enlarged(pixels, method, analysis=analysis, tile=48).astype(np.float64)
    level = 1 if whole.max() > 1 else 1 / 255
    assert np.abs(whole - tiled).max() <= level


def test_no_kernel_explains_a_palette() -> None:
    """Nor interlaced rows: bicubic is as good as it gets."""
    low = photo() // 64 * 64
    analysis = analyse_photo(as_photo(low))
    assert analysis.bicubic_only
    assert np.array_equal(enlarged(low, "tv"), enlarged(low, "bicubic"))


def test_the_photo_is_not_written_to() -> None:
    pixels = np.pad(photo(), ((9, 9), (9, 9), (0, 0)))
    before = pixels.copy()
    enlarged(pixels, "backprojection")
    assert np.array_equal(pixels, before)


def test_a_given_noise_is_of_the_full_range() -> None:
    analysis = PhotoAnalysis(analyse_photo(as_photo(photo())).noise, white=0.25)
    assert condition(analysis, 2.0).noise == 8.0
    assert condition(analysis, 0.0).noise == 0.0
    assert condition(analysis, 200.0).noise == 255.0
    automatic = condition(analysis, AUTO, kernel_error=0.2, added_noise=3.0)
    assert automatic.noise == pytest.approx(np.hypot(analysis.noise.level, 3.0))
    assert automatic.total_noise == automatic.noise
    assert automatic.kernel_error == 0.2


def test_methods_that_know_noise_only_get_the_compression_error_as_noise() -> None:
    compression, noise = measure_compression(decoded(jpeg(photo(), 60)))
    assert compression is not None and noise is not None
    found = condition(PhotoAnalysis(noise, compression), AUTO)
    assert found.compression == compression.level > 0
    measured = noise.level if noise.measured else 0.0
    assert found.noise == measured
    assert found.total_noise == pytest.approx(np.hypot(measured, compression.error))
