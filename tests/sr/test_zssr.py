"""A few iterations of a network that learns from the photo it enlarges."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from degraded import Degraded
from degraded import degraded as make_degraded
from torch import Tensor

from kernelgan_fast.errors import ImageError, InputError, TrainingDiverged
from kernelgan_fast.kernels import BlurKernel, kernel_x4
from kernelgan_fast.sr import prepare
from kernelgan_fast.sr.bicubic import enlarge
from kernelgan_fast.sr.factor_x4 import x2_of_x4
from kernelgan_fast.sr.forward_model import ForwardModel
from kernelgan_fast.sr.upscaler import Options
from kernelgan_fast.sr.zssr import ZeroShot, make_pair, project_back

FEW = Options(iterations=12)


@pytest.fixture(autouse=True)
def small_crops(monkeypatch: pytest.MonkeyPatch) -> None:
    """Crops of a quarter of the work."""
    monkeypatch.setattr("kernelgan_fast.sr.zssr._CROP", 16)


@pytest.fixture(scope="module")
def x2() -> Degraded:
    return make_degraded(2)


def gaussian(variances: tuple[float, float], size: int = 13, scale: int = 2) -> BlurKernel:
    offsets = np.arange(size) - size // 2 - (scale - 1) / 2
    down, right = (np.exp(-(offsets**2) / 2 / variance) for variance in variances)
    array = np.outer(down, right)
    return BlurKernel(array / array.sum(), scale)


def test_it_improves_on_bicubic_and_back_projection(degraded: Degraded) -> None:
    low, kernel = degraded.low, degraded.kernel
    high = prepare("zssr", kernel, Options(iterations=25), low)(low)
    assert high.shape == degraded.high.shape and high.dtype == torch.float32
    gain = degraded.psnr(high) - degraded.psnr(enlarge(low, kernel.scale))
    plain = degraded.psnr(prepare("backprojection", kernel, Options(), low)(low))
    assert gain > (1.5 if kernel.scale == 2 else 0.5)
    assert degraded.psnr(high) > plain - 0.1


def test_training_lessens_the_loss_on_its_own_pair(x2: Degraded) -> None:
    upscaler = ZeroShot(x2.kernel, Options(iterations=30), x2.low)
    model = ForwardModel(torch.tensor(x2.kernel.array, dtype=torch.float32), 2)
    small = model.down(x2.low.reshape(3, 1, *x2.low.shape[2:])).reshape(1, 3, 28, 40)
    start = project_back(enlarge(small, 2), small, model, 8)
    before, after = ((each - x2.low).abs().mean() for each in (start, upscaler(small)))
    assert after < 0.97 * before


def test_the_seed_decides(x2: Degraded) -> None:
    copy = x2.low.clone()
    with torch.no_grad():
        first, again, other = (
            ZeroShot(x2.kernel, Options(iterations=5, seed=seed), x2.low)(x2.low)
            for seed in (3, 3, 4)
        )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(x2.low, copy)


def test_bfloat16_is_near(x2: Degraded) -> None:
    wide, narrow = (
        ZeroShot(x2.kernel, Options(iterations=5, precision=precision), x2.low)(x2.low)
        for precision in ("float32", "bfloat16")
    )
    assert narrow.dtype == torch.float32
    assert 0 < (wide - narrow).abs().max() < 0.03


def test_tiles_fit_together(degraded: Degraded) -> None:
    upscaler = ZeroShot(degraded.kernel, FEW, degraded.low)
    low = torch.nn.functional.interpolate(degraded.low, (72, 72))
    first = 72 - 24 - upscaler.context
    part = upscaler(low[..., first:])[..., degraded.kernel.scale * upscaler.context :]
    whole = upscaler(low)[..., degraded.kernel.scale * 48 :]
    assert (part - whole).abs().max() < 0.25 / 255


def test_noise_goes_with_neither_projection_nor_ringing(x2: Degraded) -> None:
    torch.manual_seed(0)
    low = x2.low + 8 / 255 * torch.randn_like(x2.low)
    told = ZeroShot(x2.kernel, Options(iterations=25, noise=8.0), low)(low)
    untold = ZeroShot(x2.kernel, Options(iterations=25), low)(low)
    assert x2.psnr(told) > x2.psnr(untold) + 1


def test_progress_is_told_and_can_stop(x2: Degraded) -> None:
    told: list[float] = []
    ZeroShot(x2.kernel, Options(iterations=4, progress=told.append), x2.low)
    assert told == [0.25, 0.5, 0.75, 1.0]

    class Enough(Exception):
        pass

    def stop(part: float) -> None:
        told.append(part)
        raise Enough

    with pytest.raises(Enough):
        ZeroShot(x2.kernel, Options(iterations=4, progress=stop), x2.low)
    assert len(told) == 5


@pytest.mark.parametrize("noise", [None, 8.0])
def test_one_step_is_captured_and_the_rest_are_its_replays(
    x2: Degraded, noise: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = Options(iterations=6, noise=noise)
    plain = ZeroShot(x2.kernel, options, x2.low)(x2.low)
    places: list[set[int]] = []

    @contextlib.contextmanager
    def capturing(device: torch.device) -> Iterator[Any]:
        def capture(step: Callable[[], None]) -> Callable[[], None]:
            def replay() -> None:
                training: Any = step.__self__  # type: ignore[attr-defined]
                read = (training._rows, training._cols, training._rate, training._grain)
                written = [weight.grad for weight in training._network.parameters()]
                places.append({each.data_ptr() for each in (*read, *written)})
                step()

            return replay

        yield capture

    monkeypatch.setattr("kernelgan_fast.sr.zssr.capturing", capturing)
    assert torch.equal(ZeroShot(x2.kernel, options, x2.low)(x2.low), plain)
    # A graph reads and writes the same memory every time.
    assert len(places) == 3 and places[0] == places[1] == places[2]


@pytest.mark.parametrize(("height", "width"), [(16, 16), (17, 31), (19, 90)])
def test_small_and_odd_photos(x2: Degraded, height: int, width: int) -> None:
    low: Tensor = torch.nn.functional.interpolate(x2.low, (height, width))
    high = ZeroShot(x2.kernel, Options(iterations=2), low)(low)
    assert high.shape == (1, 3, 2 * height, 2 * width)


def test_crops_of_a_pair_show_the_same_place(x2: Degraded) -> None:
    model = ForwardModel(torch.tensor(x2.kernel.array, dtype=torch.float32), 2)
    pair = make_pair(x2.low, model, 8)
    assert pair.wanted.shape == (3, 21, 33, 16, 16) and pair.seen.shape == (3, 21, 33, 32, 32)
    assert torch.equal(pair.wanted[:, 2, 3], x2.low[0, :, 4:20, 6:22])
    assert (pair.seen[:, 2, 3, 8:-8, 8:-8] - pair.wanted[:, 2, 3]).abs().mean() < 0.1


def test_of_a_large_photo_the_middle_is_learned_from(
    x2: Degraded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kernelgan_fast.sr.zssr._MOST_SIDE", 32)
    part = ZeroShot(x2.kernel, Options(iterations=3), x2.low[..., 12:44, 24:56])(x2.low)
    assert torch.equal(part, ZeroShot(x2.kernel, Options(iterations=3), x2.low)(x2.low))


def test_what_it_cannot_use(x2: Degraded) -> None:
    with pytest.raises(ImageError, match="at least 16x16 px, got 80x15"):
        ZeroShot(x2.kernel, FEW, x2.low[..., :15, :])
    with pytest.raises(InputError, match="trains in float32 or bfloat16, got precision 'float16'"):
        ZeroShot(x2.kernel, Options(precision="float16"), x2.low)
    with pytest.raises(TrainingDiverged, match="weights must stay finite"):
        ZeroShot(x2.kernel, Options(iterations=2), torch.full_like(x2.low, torch.nan))


def test_half_of_a_composed_kernel() -> None:
    first = gaussian((1.2, 2.5))
    half = x2_of_x4(kernel_x4(first))
    assert half.scale == 2
    assert np.abs(half.array - first.array).max() < 0.02 * first.array.max()


def test_half_of_a_sharp_kernel_still_has_a_width() -> None:
    half = x2_of_x4(gaussian((0.3, 8.0), size=25, scale=4))
    assert np.isfinite(half.array).all() and half.widths.minor > 0.3
