"""The generator is one correlation, starts as its seed says and can be set to a kernel."""

from __future__ import annotations

import math

import pytest
import torch

from kernelgan_fast.errors import InputError
from kernelgan_fast.gan.config import TrainConfig, profile
from kernelgan_fast.gan.generator import Generator
from kernelgan_fast.ops import reference

CONFIG = profile("corrected")


def gaussian(wide: float, high: float) -> torch.Tensor:
    places = torch.arange(13, dtype=torch.float64) - 6.5
    kernel = torch.outer(
        torch.exp(-places.square() / (2 * high**2)), torch.exp(-places.square() / (2 * wide**2))
    )
    return kernel / kernel.sum()


def test_published_size() -> None:
    assert Generator(2, CONFIG).weights.shape == (2, 150_656)


def test_layers_as_convolutions_equal_one_correlation() -> None:
    generator = Generator(2, CONFIG).double()
    crops = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    literal, composed = generator.literal(crops), generator(crops, reference)
    assert composed.shape == (2, 3, 26, 26)
    assert float((literal - composed).detach().norm() / literal.detach().norm()) < 1e-12


def test_layers_are_views() -> None:
    generator = Generator(1, CONFIG)
    with torch.no_grad():
        generator.layers()[1][0, 2, 3, 4, 4] = 77.0
    assert (generator.weights == 77).sum() == 1


def test_start_is_xavier_with_gain_a_tenth() -> None:
    """Each layer's deviation within 5 of its standard deviations: 3e-6 of all seeds would fail."""
    for layer in Generator(1, CONFIG).layers():
        _, out, into, size, _ = layer.shape
        wanted = 0.1 * math.sqrt(2 / ((into + out) * size * size))
        tolerance = 5 / math.sqrt(2 * layer.numel())
        assert float(layer.detach().std()) == pytest.approx(wanted, rel=tolerance)


def test_start_depends_on_the_seed_alone() -> None:
    together = Generator(3, CONFIG, seeds=[5, 1 << 40, 5]).weights
    assert torch.equal(together[1], Generator(1, CONFIG, seeds=[1 << 40]).weights[0])
    assert torch.equal(together[0], together[2])
    assert not torch.equal(together[0], together[1])


def test_seeds_must_match() -> None:
    with pytest.raises(InputError, match="one a problem"):
        Generator(2, CONFIG, seeds=[1])


def test_fit_to_composes_to_the_kernels() -> None:
    kernels = torch.stack([gaussian(1.7, 1.2), gaussian(2.5, 0.8)])
    fitted = []
    for _ in range(2):
        generator = Generator(2, CONFIG)
        generator.fit_to(kernels)
        fitted.append(generator.weights.detach())
    composed = generator.kernel().detach().double()
    error = (composed - kernels).flatten(1).norm(dim=1) / kernels.flatten(1).norm(dim=1)
    assert float(error.max()) < 1e-5
    assert torch.equal(*fitted)


def test_fit_to_some_of_the_problems() -> None:
    kernels = torch.stack([gaussian(1.7, 1.2), gaussian(2.5, 0.8)])
    generator = Generator(3, CONFIG)
    before = generator.weights.detach().clone()
    generator.fit_to(kernels, problems=[2, 0])
    assert torch.equal(generator.weights[1], before[1])
    for index, kernel in ((2, kernels[0]), (0, kernels[1])):
        alone = Generator(1, CONFIG, seeds=[index])
        alone.fit_to(kernel)
        assert torch.equal(generator.weights[index], alone.weights[0])


def test_fit_to_leaves_a_start_that_can_be_trained() -> None:
    """An Adam step, all weights by the learning rate, moves the kernel by a part of itself only."""
    generator = Generator(1, CONFIG)
    generator.fit_to(gaussian(1.7, 1.2))
    kernel = generator.kernel()
    (
        kernel * torch.randn(kernel.shape, generator=torch.Generator().manual_seed(0))
    ).sum().backward()
    assert generator.weights.grad is not None
    with torch.no_grad():
        generator.weights -= CONFIG.learning_rate * generator.weights.grad.sign()
        moved = float((generator.kernel() - kernel).norm() / kernel.norm())
    assert 0.01 < moved < 0.3


@pytest.mark.parametrize(
    ("kernel", "words"),
    [
        (torch.ones(11, 11), "kernel must be"),
        (torch.zeros(13, 13), "finite and not all zero"),
        (torch.full((13, 13), torch.nan), "finite and not all zero"),
    ],
)
def test_fit_to_refuses(kernel: torch.Tensor, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Generator(1, CONFIG).fit_to(kernel)


def test_fit_to_refuses_what_the_layers_cannot_compose() -> None:
    generator = Generator(1, TrainConfig(generator_sizes=(3, 3), features=1, crop=26))
    before = generator.weights.detach().clone()
    with pytest.raises(InputError, match="more features"):
        generator.fit_to(torch.eye(5))
    assert torch.equal(generator.weights, before)
