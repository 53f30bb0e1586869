"""Loss formulas, their constant gradients, and the ideal kernel."""

from __future__ import annotations

import torch

from kernelgan_fast.gan import losses


def maps(passes: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(0)
    return torch.rand(3, passes, 5, 5, generator=random, dtype=torch.float64, requires_grad=True)


def test_generator_gan_loss_and_its_gradient() -> None:
    d_map = maps(1)
    loss = losses.generator_gan_loss(d_map)
    assert torch.allclose(loss, (d_map - 1).abs().mean(dim=(1, 2, 3)))
    wanted = torch.autograd.grad(loss.sum(), d_map)[0]
    assert torch.allclose(losses.generator_map_gradient(d_map.detach()), wanted)


def test_discriminator_loss_and_its_gradient() -> None:
    d_map = maps(2)
    loss = losses.discriminator_loss(d_map)
    real, fake = (d_map[:, 0] - 1).abs(), d_map[:, 1].abs()
    assert torch.allclose(loss, (real.mean(dim=(1, 2)) + fake.mean(dim=(1, 2))) / 2)
    wanted = torch.autograd.grad(loss.sum(), d_map)[0]
    assert torch.allclose(losses.discriminator_map_gradient(d_map.detach()), wanted)


def test_ideal_kernel_is_centred_by_the_half_pixel_rule() -> None:
    for size, centre in ((13, 6.5), (11, 5.5), (9, 4.5)):
        kernel = losses.ideal_kernel(size)
        places = torch.arange(size, dtype=torch.float64)
        assert abs(float(kernel.sum()) - 1) < 1e-12
        assert abs(float((kernel.sum(dim=0) * places).sum()) - centre) < 1e-12
        assert torch.equal(kernel, kernel.T)


def test_ideal_kernel_has_the_bicubic_taps() -> None:
    taps = losses.ideal_kernel(13).sum(dim=0)
    wanted = torch.tensor([-3, -9, 29, 111, 111, 29, -9, -3], dtype=torch.float64) / 256
    assert torch.allclose(taps[3:11], wanted)
    assert not taps[:3].any()
    assert not taps[11:].any()


def test_ideal_kernel_is_cut_where_there_is_no_room() -> None:
    kernel = losses.ideal_kernel(5)
    assert kernel.shape == (5, 5)
    assert abs(float(kernel.sum()) - 1) < 1e-12


def test_boundary_mask_is_a_ring() -> None:
    mask = losses.boundary_mask(13)
    assert not mask[2:-2, 2:-2].any()
    assert (mask[:2] > 0).all()
    assert float(mask.max()) == float(mask[0, 0])
