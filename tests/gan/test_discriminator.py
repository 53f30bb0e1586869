"""The discriminator equals torch's own layers and starts as its seed says."""

from __future__ import annotations

import math

import pytest
import torch

from kernelgan_fast.errors import InputError
from kernelgan_fast.gan.config import TrainConfig, profile
from kernelgan_fast.gan.discriminator import Discriminator
from kernelgan_fast.ops import reference

CONFIG = profile("corrected")


def test_published_size() -> None:
    discriminator = Discriminator(2, CONFIG)
    assert discriminator.weights.shape == (2, 30_977)
    assert discriminator.u.shape == (2, 385)


def test_literal_layers_equal_the_op() -> None:
    discriminator = Discriminator(2, CONFIG).double()
    with torch.no_grad():
        for name, view in discriminator.views().items():
            if name.endswith("bias"):
                view.normal_(generator=torch.Generator().manual_seed(len(name)))
    crops = torch.randn(2, 2, 3, 26, 26, dtype=torch.float64)
    literal, literal_u = discriminator.literal(crops)
    d_map, u_next = discriminator(crops, reference)
    assert d_map.shape == (2, 2, 20, 20)
    assert float((literal - d_map).detach().abs().max()) < 1e-12
    assert float((literal_u - u_next).abs().max()) < 1e-12


def test_literal_gradients_equal_the_op(small_config: TrainConfig) -> None:
    discriminator = Discriminator(1, small_config).double()
    crops = torch.randn(1, 2, 3, 6, 6, dtype=torch.float64)
    gradients = [
        torch.autograd.grad((d_map * d_map).sum(), discriminator.weights)[0]
        for d_map in (discriminator.literal(crops)[0], discriminator(crops, reference)[0])
    ]
    assert float((gradients[0] - gradients[1]).norm() / gradients[0].norm()) < 1e-10


def test_start() -> None:
    """Estimates of 64 values or more, each within 5 of its standard deviations or more.

    19 of them: 1e-5 of all seeds would fail.
    """
    discriminator = Discriminator(1, CONFIG)
    named = {name: view.detach() for name, view in discriminator.views().items()}
    for index, fan_in in enumerate([147, 64, 64, 64, 64, 64, 64]):
        weight = named[f"conv{index}.weight"]
        assert float(weight.abs().max()) <= 1 / math.sqrt(fan_in)
        # Of even numbers the deviation's own is √(1/5 n).
        tolerance = 5 / math.sqrt(5 * weight.numel())
        assert float(weight.std()) == pytest.approx(1 / math.sqrt(3 * fan_in), rel=tolerance)
        assert not named[f"conv{index}.bias"].any()
    for block in range(1, 6):
        scales = named[f"norm{block}.weight"]
        assert float(scales.mean()) == pytest.approx(1, abs=5 * 0.02 / math.sqrt(64))
        assert float(scales.std()) == pytest.approx(0.02, rel=5 / math.sqrt(2 * 64))
        assert not named[f"norm{block}.bias"].any()
    for vector in discriminator.u[0].split([64] * 6 + [1]):
        assert float(vector.norm()) == pytest.approx(1, rel=1e-5)


def test_start_depends_on_the_seed_alone() -> None:
    together = Discriminator(3, CONFIG, seeds=[5, 9, 5])
    alone = Discriminator(1, CONFIG, seeds=[9])
    assert torch.equal(together.weights[1], alone.weights[0])
    assert torch.equal(together.u[1], alone.u[0])
    assert not torch.equal(together.weights[0], together.weights[1])


def test_seeds_must_match() -> None:
    with pytest.raises(InputError, match="one a problem"):
        Discriminator(1, CONFIG, seeds=[1, 2])
