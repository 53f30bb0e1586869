"""H, its adjoint and the data step."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from kernelgan_fast.degradation.blur_models import draw
from kernelgan_fast.ops import reference
from kernelgan_fast.sr.forward_model import ForwardModel, convolve

CASES = [(2, 11), (2, 13), (2, 1), (4, 31), (4, 3), (3, 7)]


def random_model(scale: int, size: int, dtype: torch.dtype = torch.float64) -> ForwardModel:
    kernel = torch.rand(size, size, dtype=dtype, generator=torch.Generator().manual_seed(size))
    return ForwardModel(kernel / kernel.sum(), scale)


def planes(*shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.rand(*shape, dtype=dtype, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("scale", "size"), CASES)
def test_down_is_the_op_that_made_the_photo_small(scale: int, size: int) -> None:
    model, high = random_model(scale, size), planes(2, 1, scale * 20, scale * 24)
    inner = slice(model.reach, -model.reach or None)
    expected = reference.downscale(high, model.kernel[None], scale)[..., inner, inner]
    assert torch.allclose(model.down(high)[..., inner, inner], expected, atol=1e-14)


def test_the_compiled_op_and_the_phases_agree_up_to_the_border() -> None:
    model, high = random_model(2, 11, torch.float32), planes(2, 1, 30, 34, dtype=torch.float32)
    by_phases = model.down(high.clone().requires_grad_())
    assert torch.allclose(model.down(high), by_phases, atol=1e-6)


@pytest.mark.parametrize(("scale", "size"), CASES)
def test_the_adjoint_is_one(scale: int, size: int) -> None:
    model, low = random_model(scale, size), planes(1, 1, 18, 20)
    margin = scale * (model.reach + 1)  # inside it nothing is repeated beyond the border
    high = torch.zeros(1, 1, scale * 18, scale * 20, dtype=torch.float64)
    inner = (..., slice(margin, -margin), slice(margin, -margin))
    high[inner] = planes(*high[inner].shape)
    assert torch.allclose((model.down(high) * low).sum(), (high * model.adjoint(low)).sum())


@pytest.mark.parametrize("scale", [2, 4])
def test_the_data_step_minimises_what_it_says(scale: int) -> None:
    model = ForwardModel(torch.tensor(draw("div2krk", scale, seed=0, name="").array), scale)
    tau = torch.tensor(0.02, dtype=torch.float64)
    near, low = planes(1, 1, scale * 64, scale * 64), planes(1, 1, 64, 64)
    found = model.data_step(near, low, model.inverse_filter(tau))
    slope = model.adjoint(model.down(found) - low) + tau * (found - near)
    middle = (..., slice(24 * scale, -24 * scale), slice(24 * scale, -24 * scale))
    before = model.adjoint(model.down(near) - low)
    assert slope[middle].abs().max() < 1e-5 * before[middle].abs().max()


def test_a_filter_by_fft_is_the_filter() -> None:
    taps = planes(31, 31)
    taps = taps + taps.flip(0, 1)
    image = planes(2, 1, 17, 40)
    expected = functional.conv2d(image, taps[None, None], padding=15)
    assert torch.allclose(convolve(image, taps), expected)


def test_gradients_of_the_data_step() -> None:
    model = random_model(2, 5)
    high, low = planes(1, 1, 12, 16).requires_grad_(), planes(1, 1, 6, 8)
    tau = torch.tensor(0.05, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda z, t: model.data_step(z, low, model.inverse_filter(t)), (high, tau)
    )
