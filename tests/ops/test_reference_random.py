"""The random reference implementations: Philox vectors, statistics of noise and corners."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from kernelgan_fast.ops.reference_random import gaussian_noise, philox, sample_crops

FULL = 0xFFFFFFFF


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ((0, 0, 0, 0), (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ((FULL,) * 4, (FULL,) * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
)
def test_known_answers(counter: tuple[int, ...], key: tuple[int, ...], words: str) -> None:
    """The vectors published with Random123."""
    assert " ".join(f"{int(word):08x}" for word in philox(counter, key)) == words


def test_noise_is_standard_normal() -> None:
    """Six estimates, each within 5 of its standard deviations: 3e-6 of all seeds would fail."""
    noise = gaussian_noise(torch.tensor([3, -5]), 1, 0, 20, (3, 41, 40)).double()
    assert noise.shape == (20, 2, 3, 41, 40)
    count = noise.numel()
    assert abs(float(noise.mean())) < 5 / count**0.5
    assert abs(float(noise.var()) - 1) < 5 * (2 / count) ** 0.5
    assert abs(float((noise**3).mean())) < 5 * (15 / count) ** 0.5
    assert abs(float((noise**4).mean()) - 3) < 5 * (96 / count) ** 0.5
    for one, other in ((noise[1:], noise[:-1]), (noise[:, 0], noise[:, 1])):
        assert abs(float((one * other).mean())) < 5 / one.numel() ** 0.5


def test_noise_depends_on_seed_stream_and_step_only() -> None:
    seeds = torch.tensor([7, 8, 7 + (1 << 40)])
    whole = gaussian_noise(seeds, 2, 5, 4, (3, 5, 5))
    assert torch.equal(gaussian_noise(seeds[1:2], 2, 7, 1, (3, 5, 5))[0, 0], whole[2, 1])
    assert not torch.equal(whole[:, 0], whole[:, 2])
    assert not torch.equal(gaussian_noise(seeds, 1, 5, 4, (3, 5, 5)), whole)


def test_noise_follows_box_and_muller() -> None:
    words = philox((1, 6, 2, 1), (9, 0))
    radius = torch.sqrt(-2 * torch.log((words[2] + 0.5) / 2**32))
    angle = 2 * torch.pi * (words[3] + 0.5) / 2**32
    noise = gaussian_noise(torch.tensor([9]), 2, 6, 1, (8,))[0, 0]
    assert float(noise[6]) == pytest.approx(float(radius * torch.cos(angle)), rel=1e-6)
    assert float(noise[7]) == pytest.approx(float(radius * torch.sin(angle)), rel=1e-6)


def draw(image: Tensor, cdf: Tensor, steps: int, noise: float = 0.0) -> tuple[Tensor, Tensor]:
    return sample_crops([image], [cdf], torch.tensor([11]), 0, 0, steps, 4, noise)


def test_corners_follow_their_distribution() -> None:
    chances = torch.tensor([[1.0, 0.0, 3.0], [2.0, 4.0, 0.0]], dtype=torch.float64) / 10
    cdf = chances.flatten().cumsum(0).reshape(2, 3)
    cdf /= cdf[-1, -1].clone()
    steps = 4000
    corners = draw(torch.zeros(3, 6, 8), cdf, steps)[1][:, 0]
    assert (corners % 2 == 0).all()
    counts = torch.bincount(corners[:, 0] // 2 * 3 + corners[:, 1] // 2, minlength=6).double()
    wanted = chances.flatten() * steps
    assert (counts[wanted == 0] == 0).all()
    used = wanted > 0
    chi_square = float(((counts - wanted)[used].square() / wanted[used]).sum())
    # Exceeded with a probability of 1e-4: scipy.stats.chi2.isf(1e-4, 4 - 1).
    assert chi_square < 21.1


def test_crops_are_cut_at_their_corners_and_scaled() -> None:
    image = torch.arange(3 * 8 * 10, dtype=torch.uint8).reshape(3, 8, 10)
    cdf = torch.linspace(1 / 12, 1, 12, dtype=torch.float64).reshape(3, 4)
    crops, corners = draw(image, cdf, 9)
    assert crops.dtype == torch.float32
    for crop, (row, col) in zip(crops[:, 0], corners[:, 0].tolist(), strict=True):
        assert torch.equal(crop, image[:, row : row + 4, col : col + 4] / 127.5 - 1)
    from_float, _ = draw(image / 255, cdf, 9)
    assert torch.allclose(from_float, crops, atol=1e-6)
    seeds = torch.tensor([11, 11])
    mixed = sample_crops([image, image / 255], [cdf, cdf], seeds, 0, 0, 9, 4, 0.0)[0]
    assert torch.allclose(mixed, torch.cat((crops, from_float), dim=1))
    assert int(image.max()) == 239  # the photo itself is never written to


def test_noise_of_crops_has_its_deviation() -> None:
    cdf = torch.ones(1, 1, dtype=torch.float64)
    crops, _ = draw(torch.full((3, 4, 4), 0.5), cdf, 500, noise=0.25)
    # 5 standard deviations of the estimate: 6e-7 of all seeds would fail.
    assert float(crops.std()) == pytest.approx(0.25, rel=5 / (2 * crops.numel()) ** 0.5)
    wanted = 0.25 * gaussian_noise(torch.tensor([11]), 0, 0, 500, (3, 4, 4))
    assert torch.allclose(crops, wanted, atol=1e-6)
