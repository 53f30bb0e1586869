"""What every method has to do: improve on bicubic, and neither shift, tint nor frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from degraded import DATA, Degraded
from degraded import degraded as make_degraded
from PIL import Image

from kernelgan_fast.degradation.blur_models import draw
from kernelgan_fast.degradation.degrade import degrade
from kernelgan_fast.degradation.shapes import gaussian
from kernelgan_fast.errors import InputError
from kernelgan_fast.images import read_image
from kernelgan_fast.kernels import BlurKernel
from kernelgan_fast.sr import METHODS, check_method, prepare
from kernelgan_fast.sr.upscaler import Options

# dB over bicubic with the true kernel on this photo, by scale; measured, less a quarter.
GAINS = {
    "backprojection": {2: 1.5, 4: 1.0},
    "tv": {2: 2.0, 4: 1.0},
    "unfold": {2: 2.0, 4: 1.0},
}


def kernel_of(scale: int, blur_model: str = "anisotropic") -> BlurKernel:
    if scale in (1, 3):  # which blur models do not have
        return BlurKernel(gaussian(np.diag([0.8, 1.1]) * scale**2, 6 * scale + 1, scale), scale)
    return BlurKernel(draw(blur_model, scale, seed=5, name="kernel").array, scale)


def run(method: str, kernel: BlurKernel, low: torch.Tensor, **options: object) -> torch.Tensor:
    return prepare(method, kernel, Options(**options), low)(low)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", GAINS)
def test_it_gains_on_bicubic(method: str, degraded: Degraded) -> None:
    plain = degraded.psnr(run("bicubic", degraded.kernel, degraded.low))
    better = degraded.psnr(run(method, degraded.kernel, degraded.low))
    assert better > plain + GAINS[method][degraded.kernel.scale]


@pytest.mark.parametrize("method", GAINS)
@pytest.mark.parametrize("scale", [1, 3])
def test_it_gains_at_the_other_scales_too(method: str, scale: int) -> None:
    high = read_image(DATA / "roman-colosseum_160x112.png").pixels[:111, :159]
    kernel = kernel_of(scale)
    photos = (
        torch.from_numpy(np.moveaxis(pixels, 2, 0).copy())[None].float() / 255
        for pixels in (degrade(high, kernel.array, scale), high)
    )
    photo = Degraded(*photos, kernel)
    results = (
        prepare(each, kernel, Options(), torch.empty(1, 3, 0, 0))(photo.low)
        for each in (method, "bicubic")
    )
    found, bicubic = map(photo.psnr, results)
    assert found > bicubic + 0.7


@pytest.mark.parametrize("method", GAINS)
def test_a_flipped_kernel_is_worse(method: str, degraded: Degraded) -> None:
    kernel = degraded.kernel
    flipped = BlurKernel(kernel.array[::-1, ::-1], kernel.scale)
    right = degraded.psnr(run(method, kernel, degraded.low))
    assert degraded.psnr(run(method, flipped, degraded.low)) < right - 1


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("method", ["bicubic", *GAINS])
def test_a_ramp_stays_where_it_is(method: str, scale: int) -> None:
    low = torch.linspace(0.2, 0.8, 48).expand(1, 3, 40, 48)
    result = run(method, kernel_of(scale), low)
    place = (torch.arange(48 * scale) + 0.5) / scale - 0.5
    expected = 0.2 + 0.6 / 47 * place
    middle = slice(12 * scale, -12 * scale)
    assert (result[..., middle] - expected[middle]).abs().max() < 2e-3


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("method", ["bicubic", *GAINS])
def test_one_colour_stays_one_colour(method: str, scale: int) -> None:
    low = torch.tensor([0.9, 0.5, 0.1]).view(1, 3, 1, 1).expand(1, 3, 21, 19)
    result = run(method, kernel_of(scale), low)
    assert result.shape == (1, 3, 21 * scale, 19 * scale)
    # A learned prior knows flat areas only as well as it has learned them: to one grey level.
    tolerance = 1 / 255 if method == "unfold" else 1e-3
    assert torch.allclose(result, low[..., :1, :1].expand_as(result), atol=tolerance)


def test_bicubic_is_pillows() -> None:
    low = torch.rand(1, 3, 20, 24, generator=torch.Generator().manual_seed(0))
    pillow = Image.fromarray(low[0, 0].numpy()).resize((48, 40), Image.Resampling.BICUBIC)
    result = run("bicubic", kernel_of(2), low)[0, 0]
    assert torch.allclose(result, torch.from_numpy(np.array(pillow)), atol=1e-6)


def test_told_of_noise_it_is_smoother(degraded: Degraded) -> None:
    noise = torch.randn(degraded.low.shape, generator=torch.Generator().manual_seed(0))
    noisy = degraded.low + noise * 5 / 255
    ignorant = degraded.psnr(run("tv", degraded.kernel, noisy))
    assert degraded.psnr(run("tv", degraded.kernel, noisy, noise=5.0)) > ignorant + 1


def test_told_that_the_kernel_may_be_wrong_it_rings_less() -> None:
    photo = make_degraded(2)  # by a kernel of widths 1.7
    wide = draw("gaussian", 2, seed=0, name="", fixed={"sigma": 2.2}).array
    trusting, wary = (
        photo.psnr(run("tv", BlurKernel(wide, 2), photo.low, kernel_error=error))
        for error in (0.0, 0.3)
    )
    assert wary > trusting + 0.1


def test_more_iterations_obey_the_photo_more(degraded: Degraded) -> None:
    few, many = (
        run("backprojection", degraded.kernel, degraded.low, iterations=count) for count in (1, 12)
    )
    assert degraded.psnr(many) > degraded.psnr(few) + 0.3


def test_unknown_methods_and_scales_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean zssr"):
        check_method("zsr")
    photo = torch.zeros(1, 3, 8, 8)
    with pytest.raises(InputError, match=f"one of {', '.join(METHODS)}"):
        prepare("magic", kernel_of(2), Options(), photo)
    with pytest.raises(InputError, match="tv enlarges 1, 2, 3, 4 times, got a kernel for 5"):
        prepare("tv", BlurKernel(kernel_of(2).array, 5), Options(), photo)
    with pytest.raises(InputError, match="zssr enlarges 2, 4 times, got a kernel for 3"):
        prepare("zssr", kernel_of(3), Options(), photo)
