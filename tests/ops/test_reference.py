"""The reference implementations: gradients against differences, values against numpy and scipy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate
from torch import Tensor
from torch.autograd import gradcheck

from kernelgan_fast.gan.losses import boundary_mask
from kernelgan_fast.ops import reference
from kernelgan_fast.ops.layout import discriminator_lengths, discriminator_shapes

FEATURES, SIZE, BLOCKS = 4, 3, 2


def normal(*shape: int, seed: int = 0) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=random, dtype=torch.float64)


def discriminator(count: int) -> tuple[Tensor, Tensor]:
    """Weights and u vectors of N small discriminators."""
    shapes = discriminator_shapes(3, FEATURES, SIZE, BLOCKS)
    weights = normal(count, sum(discriminator_lengths(shapes, FEATURES)), seed=1)
    vectors = [
        torch.nn.functional.normalize(normal(count, shape[0], seed=index), dim=1)
        for index, shape in enumerate(shapes)
    ]
    return weights, torch.cat(vectors, dim=1)


def test_gradient_of_extract_kernel() -> None:
    weights = normal(2, 9 * 3 + 9 * 9 + 3).requires_grad_()
    assert gradcheck(lambda w: reference.extract_kernel(w, (3, 3, 1), 3), weights)


def test_extract_kernel_is_the_full_convolution_of_the_layers() -> None:
    first, second = np.arange(9.0).reshape(3, 3), np.array([[1.0, -2.0], [0.5, 3.0]])
    weights = torch.from_numpy(np.concatenate([first.ravel(), second.ravel()]))[None]
    wanted = np.zeros((4, 4))
    for (row, col), value in np.ndenumerate(second):
        wanted[row : row + 3, col : col + 3] += value * first
    assert np.allclose(reference.extract_kernel(weights, (3, 2), 1)[0], wanted)


@pytest.mark.parametrize("weights", [[0.5, 0.5, 1.0, 5.0], [0.0, 0.5, 0.0, 0.0]])
def test_gradient_of_kernel_regularizers(weights: list[float]) -> None:
    kernel = (normal(2, 13, 13).abs() / 169 + 1e-3) * normal(2, 13, 13, seed=2).sign()
    kernel = (kernel + 0.02).requires_grad_()
    scale = torch.tensor([weights, weights[::-1]], dtype=torch.float64)

    def loss(kernel: Tensor) -> Tensor:
        return reference.kernel_regularizers(kernel, boundary_mask(13), scale, 0.2)[0]

    assert gradcheck(loss, kernel)


def test_kernel_regularizers_values() -> None:
    kernel = torch.zeros(1, 5, 5, dtype=torch.float64)
    kernel[0, 1, 3] = 0.5
    mask = torch.full((5, 5), 2.0, dtype=torch.float64)
    weights = torch.tensor([[1.0, 2.0, 3.0, 4.0]], dtype=torch.float64)
    loss, terms = reference.kernel_regularizers(kernel, mask, weights, 0.5)
    # The centre of a 5 x 5 kernel belongs at 2.5.
    wanted = [0.5, 1 / 25, (1.5**2 + 0.5**2) / 2, 0.5**0.5 / 25]
    assert terms[0].tolist() == pytest.approx(wanted)
    assert float(loss) == pytest.approx(float(np.dot(weights[0].numpy(), wanted)))


def test_idle_terms_of_a_zero_kernel_do_no_harm() -> None:
    kernel = torch.zeros(2, 5, 5, dtype=torch.float64, requires_grad=True)
    weights = torch.tensor([[1.0, 1.0, 0.0, 1.0]] * 2, dtype=torch.float64)
    loss, terms = reference.kernel_regularizers(kernel, torch.ones_like(kernel[0]), weights, 0.2)
    loss.sum().backward()
    assert loss.tolist() == [1.0, 1.0]
    assert not terms.requires_grad
    assert kernel.grad is not None
    assert (kernel.grad == -1).all()


def test_downscale_crops() -> None:
    crops, kernel = normal(2, 3, 10, 10), normal(2, 4, 4, seed=3).requires_grad_()
    assert gradcheck(lambda k: reference.downscale_crops(crops, k), kernel)
    small = reference.downscale_crops(crops, kernel)
    assert small.shape == (2, 3, 4, 4)
    wanted = (crops[1, 2, 2:6, 4:8] * kernel[1]).sum()
    assert small[1, 2, 1, 2].item() == pytest.approx(wanted.item())
    crops.requires_grad_()
    assert torch.autograd.grad(small.sum(), crops, allow_unused=True) == (None,)


def test_gradient_of_discriminate() -> None:
    weights, u = discriminator(2)
    # The power iteration carries no gradient, which differences cannot know: start from its limit.
    for _ in range(100):
        u = reference.discriminate(normal(2, 1, 3, 6, 6), weights, u, FEATURES, SIZE, BLOCKS)[1]
    crops = normal(2, 2, 3, 6, 6, seed=4).requires_grad_()
    weights.requires_grad_()

    def judge(crops: Tensor, weights: Tensor) -> Tensor:
        return reference.discriminate(crops, weights, u, FEATURES, SIZE, BLOCKS)[0]

    assert gradcheck(judge, (crops, weights), atol=1e-6)


def test_passes_hand_on_their_u() -> None:
    weights, u = discriminator(1)
    crops = normal(1, 2, 3, 6, 6)
    both, last = reference.discriminate(crops, weights, u, FEATURES, SIZE, BLOCKS)
    for index in range(2):
        one, u = reference.discriminate(
            crops[:, index : index + 1], weights, u, FEATURES, SIZE, BLOCKS
        )
        assert torch.equal(one[:, 0], both[:, index])
    assert torch.equal(u, last)


@pytest.mark.parametrize(("side", "scale"), [(5, 1), (3, 2), (7, 3)])
def test_downscale(side: int, scale: int) -> None:
    images, kernel = normal(2, 2, 9, 6), normal(2, side, side, seed=5)
    small = reference.downscale(images, kernel, scale)
    for place in np.ndindex(2, 2):
        full = correlate(images[place].numpy(), kernel[place[0]].numpy(), mode="reflect")
        assert np.allclose(small[place], full[::scale, ::scale])
    shared = reference.downscale(images, kernel[:1], scale)
    assert torch.allclose(shared[0], small[0])
    inputs = (images[:, :, :4, :5].clone().requires_grad_(), kernel[:1].requires_grad_())
    assert gradcheck(lambda x, k: reference.downscale(x, k, scale), inputs)


def test_downscale_reflects_more_than_once() -> None:
    image = torch.arange(2.0)[None, None, None]
    kernel = torch.ones(1, 9, 9)
    assert reference.downscale(image, kernel, 1).flatten().tolist() == [36.0, 45.0]
