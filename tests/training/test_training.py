"""Training end to end, at a size that takes seconds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from quick import write_photo

from kernelgan_fast.errors import InputError
from kernelgan_fast.sr import weights
from kernelgan_fast.sr.forward_model import ForwardModel
from kernelgan_fast.sr.unfolding_network import FOLD, Architecture, UnfoldingNetwork
from kernelgan_fast.training.__main__ import main
from kernelgan_fast.training.bank import estimated_pairs, stored_pairs
from kernelgan_fast.training.batches import Batch, Spoiling, draw_spoiling, make_batch
from kernelgan_fast.training.drawings import drawing
from kernelgan_fast.training.fourier import FourierModel
from kernelgan_fast.training.kernel_pairs import (
    KernelPair,
    distance,
    draw_pair,
    draw_true,
    perturbed,
)
from kernelgan_fast.training.photos import PhotoStore, split
from kernelgan_fast.training.train import SCALE_ORDER, Plan, Training

CPU = torch.device("cpu")
TINY = Plan(Architecture(2, 8, 1, 6), side=24, batch=2, bank=0, precision="float32", warm_up=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("photos")
    for seed, name in enumerate("abc"):
        write_photo(place / f"{name}.png", 240, 260, seed=seed)
    return place


@pytest.fixture(scope="module")
def photos(folder: Path) -> PhotoStore:
    return PhotoStore(sorted(folder.iterdir()), TINY.crop, CPU)


def random() -> np.random.Generator:
    return np.random.default_rng(0)


def exact(scale: int, seed: int = 0) -> KernelPair:
    kernel = draw_true(scale, np.random.default_rng(seed))
    return KernelPair(kernel, kernel, 0.0)


def clean(
    photos: PhotoStore, pairs: Sequence[KernelPair], scale: int, spoiling: Spoiling | None = None
) -> Batch:
    spoilings = [spoiling or Spoiling()] * len(pairs)
    return make_batch(photos, pairs, scale, side=24, random=random(), spoilings=spoilings)


def test_crops_are_parts_of_the_photos(photos: PhotoStore) -> None:
    crops = photos.crops(5, 40, random())
    assert crops.shape == (5, 3, 40, 40) and crops.dtype == torch.float32
    assert float(crops.min()) >= 0 and 0.3 < float(crops.max()) <= 1
    assert torch.equal(crops, photos.crops(5, 40, random()))
    assert photos.least == 240  # their halves are too small to cut crops from


def test_some_crops_show_drawings_and_some_are_grey(folder: Path) -> None:
    kept = PhotoStore(sorted(folder.iterdir()), 96, CPU, drawings=8)
    crops = kept.crops(150, 32, random())
    grey = (crops[:, 0] == crops[:, 1]).all(dim=(1, 2)) & (crops[:, 2] == crops[:, 1]).all(
        dim=(1, 2)
    )
    assert 4 < int(grey.sum()) < 45


def test_drawings_of_many_kinds_with_neutral_ones() -> None:
    draws = random()
    drawn = [drawing(64, draws) for _ in range(40)]
    assert all(each.shape == (64, 64, 3) and each.dtype == np.uint8 for each in drawn)
    neutral = [each for each in drawn if (each == each[..., :1]).all()]
    assert 10 < len(neutral) < 35
    assert sum(int(each.max()) - int(each.min()) > 60 for each in drawn) > 30


def test_photos_are_held_out_by_seed(folder: Path) -> None:
    kept, out = split(folder, 1, seed=0)
    assert len(kept) == 2 and len(out) == 1 and sorted([*kept, *out]) == sorted(folder.iterdir())
    assert len({split(folder, 1, seed)[1][0] for seed in range(12)}) > 1
    with pytest.raises(InputError, match="must be 1 to 2 of the 3"):
        split(folder, 3, seed=0)


def test_photos_that_are_all_too_small(folder: Path) -> None:
    with pytest.raises(InputError, match="sides of 500 px or more, of 3 photos none"):
        PhotoStore(sorted(folder.iterdir()), 500, CPU)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_low_crops_are_the_high_ones_degraded(photos: PhotoStore, scale: int) -> None:
    pairs = [exact(scale, 1), exact(scale, 2)]  # of two sizes, each crop with its own
    batch = clean(photos, pairs, scale)
    assert batch.low.shape == (2, 3, 24, 24) and batch.high.shape[-1] == 24 * scale
    for low, high, pair in zip(batch.low, batch.high, pairs, strict=True):
        model = ForwardModel(torch.tensor(pair.true, dtype=torch.float32), scale)
        again = model.down(high[:, None])[:, 0]
        inner = slice(model.reach, -model.reach or None)
        missing = (again - low)[..., inner, inner].abs().max()
        assert missing <= 0.5 / 255 + 1e-5  # rounding to whole levels


def test_noise_and_compression_are_given(photos: PhotoStore) -> None:
    pairs = [exact(2)] * 3
    base = clean(photos, pairs, 2)
    noisy = clean(photos, pairs, 2, Spoiling(noise=8.0))
    found = float((noisy.low - base.low).std()) * 255
    assert found == pytest.approx(8.0, rel=0.1)  # clipping takes a little of it
    assert torch.allclose(noisy.conditions.noise * 255, torch.tensor(8.0))
    assert not noisy.conditions.compression.any()
    stored = clean(photos, pairs, 2, Spoiling(quality=60))
    assert (stored.conditions.compression > 0.3).all()
    assert torch.allclose(stored.conditions.noise * 255, torch.tensor(12**-0.5))
    drawn = [draw_spoiling(np.random.default_rng(seed)) for seed in range(300)]
    assert 0.2 < np.mean([each == Spoiling(deep=each.deep) for each in drawn]) < 0.4
    assert 0.25 < np.mean([each.quality is not None for each in drawn]) < 0.45
    noises = [each.noise for each in drawn if each.noise]
    assert max(noises) > 20 and np.mean(np.array(noises) < 15) > 0.55


def test_a_sharpened_crop_comes_with_an_uncertain_kernel(photos: PhotoStore) -> None:
    batch = clean(photos, [exact(2)] * 2, 2, Spoiling(sharpening=0.5))
    assert (batch.conditions.kernel_error >= 0.3).all()
    assert not torch.equal(batch.low, clean(photos, [exact(2)] * 2, 2).low)


def test_given_kernels_are_wrong_as_often_as_they_should() -> None:
    draws = random()
    pairs = [draw_pair(2, [], draws) for _ in range(60)]
    known = [pair for pair in pairs if pair.told is pair.true]
    # Two of five; 4.1 standard deviations of a binomial count: 4e-5 of all seeds would fail.
    assert abs(len(known) - 60 * 0.4) < 4.1 * (60 * 0.4 * 0.6) ** 0.5
    assert all(pair.error == 0 for pair in known)
    wrong = [pair for pair in pairs if pair.told is not pair.true]
    told, real = zip(*((pair.error, distance(pair.told, pair.true)) for pair in wrong), strict=True)
    assert np.corrcoef(told, np.minimum(real, 1))[0, 1] > 0.5


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_a_perturbed_kernel_is_near(scale: int) -> None:
    draws = random()
    true = draw_true(scale, draws)
    near = perturbed(true, scale, draws)
    assert near.sum() == pytest.approx(1) and (near >= 0).all()
    assert 0 < distance(near, true) < 0.8


def test_the_bank_holds_estimates_and_is_kept(
    photos: PhotoStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = stored_pairs(tmp_path / "bank.npz", photos, 2, 4, random())
    assert made and all(0 < pair.error < 0.7 for pair in made)
    monkeypatch.setattr("kernelgan_fast.training.bank.estimated_pairs", None)
    read = stored_pairs(tmp_path / "bank.npz", photos, 2, 4, random())
    assert len(read) == len(made)
    for one, other in zip(read, made, strict=True):
        assert np.array_equal(one.told, other.told) and one.error == other.error
    monkeypatch.undo()
    assert len(estimated_pairs(photos, 2, 4, random())) == len(made)
    drawn = draw_pair(2, made, np.random.default_rng(5))
    ForwardModel(torch.tensor(drawn.told), 2)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_the_data_step_by_fft_is_that_by_convolution(scale: int) -> None:
    kernels = [draw_true(scale, np.random.default_rng(seed)) for seed in (0, 1)]
    side = 48
    low = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    high = torch.rand(2, 3, scale * side, scale * side, generator=torch.Generator().manual_seed(1))
    tau = torch.tensor([0.05, 0.4])
    folded = torch.nn.functional.pixel_unshuffle(high, scale)
    corrections = FourierModel(kernels, scale, side, CPU).correction(folded, low, tau)
    corrections = torch.nn.functional.pixel_shuffle(corrections, scale)
    inner = (..., slice(20 * scale, -20 * scale), slice(20 * scale, -20 * scale))
    for index, kernel in enumerate(kernels):
        model = ForwardModel(torch.tensor(kernel, dtype=torch.float32), scale)
        planes = high[index][:, None]
        inverse = model.inverse_filter(tau[index])
        expected = model.data_step(planes, low[index][:, None], inverse) - planes
        assert torch.allclose(corrections[index][inner], expected[:, 0][inner], atol=2e-3)


def test_the_gradient_of_the_data_step() -> None:
    model = FourierModel([draw_true(2, random())], 2, 24, CPU)
    state = torch.Generator().manual_seed(0)
    low = torch.rand(1, 3, 24, 24, generator=state)
    estimate = torch.rand(1, 12, 24, 24, generator=state, requires_grad=True)
    tau = torch.tensor([0.1], requires_grad=True)
    weight, change = torch.zeros(1, 12, 24, 24), torch.zeros(1, 12, 24, 24)
    # Near the border the gradient is not exact, on purpose.
    weight[..., 10:14, 10:14] = torch.randn(1, 12, 4, 4, generator=state)
    change[..., 10:14, 10:14] = torch.randn(1, 12, 4, 4, generator=state)

    def value(at: torch.Tensor, with_tau: torch.Tensor) -> torch.Tensor:
        return (model.correction(at, low, with_tau) * weight).sum()

    value(estimate, tau).backward()
    assert estimate.grad is not None and tau.grad is not None
    with torch.no_grad():  # it is linear in the estimate
        along = (value(estimate + change, tau) - value(estimate - change, tau)) / 2
        assert float((estimate.grad * change).sum()) == pytest.approx(float(along), rel=1e-3)
        step = torch.tensor([0.002])
        along = (value(estimate, tau + step) - value(estimate, tau - step)) / 0.004
        assert float(tau.grad) == pytest.approx(float(along), rel=1e-2)


def test_it_learns(photos: PhotoStore) -> None:
    training = Training(TINY, photos, CPU)
    training.draw = lambda: batch  # type: ignore[method-assign]
    batch = clean(photos, [exact(2)] * 2, 2)
    losses = [training.one_step() for _ in range(60)]
    assert losses[-1] < losses[0] - 0.2  # of the logarithm of the squared error


def test_all_scales_are_trained(photos: PhotoStore) -> None:
    plan = Plan(TINY.architecture, side=24, batch=1, bank=0, precision="float32")
    training = Training(plan, photos, CPU)
    before = {name: weight.clone() for name, weight in training.network.state_dict().items()}
    training.run(len(SCALE_ORDER))
    assert set(SCALE_ORDER) == set(FOLD)
    after = training.network.state_dict()
    assert all(not torch.equal(before[name], after[name]) for name in before)


def test_the_rate_falls_to_nothing_in_a_cooldown(photos: PhotoStore) -> None:
    training = Training(TINY, photos, CPU)
    rates: list[float] = []
    training.run(8)
    training.run(
        10,
        lambda step, loss: rates.append(training._optimiser.param_groups[0]["lr"]),
        cooldown=True,
    )
    assert rates[0] == TINY.rate and rates[-1] == pytest.approx(TINY.rate / 10)
    assert rates == sorted(rates, reverse=True)


def test_a_resumed_run_is_the_same(photos: PhotoStore, tmp_path: Path) -> None:
    straight, first, second = (Training(TINY, photos, CPU) for _ in range(3))
    for _ in range(8):
        straight.one_step()
    for _ in range(4):
        first.one_step()
    first.save(tmp_path / "checkpoint")
    second.restore(tmp_path / "checkpoint")
    assert second.step == 4
    for _ in range(4):
        second.one_step()
    for one, other in zip(
        straight.averaged.parameters(), second.averaged.parameters(), strict=True
    ):
        assert torch.equal(one, other)


def test_another_architecture_is_not_resumed(photos: PhotoStore, tmp_path: Path) -> None:
    Training(TINY, photos, CPU).save(tmp_path / "checkpoint")
    other = Training(Plan(Architecture(2, 8, 1, 4), side=24, batch=2, bank=0), photos, CPU)
    with pytest.raises(InputError, match=r"the architecture must be .*'coarse_width': 4"):
        other.restore(tmp_path / "checkpoint")
    weights.save(UnfoldingNetwork(TINY.architecture), tmp_path / "w.safetensors", {})
    with pytest.raises(InputError, match="the architecture must be"):
        other.start_from(tmp_path / "w.safetensors")


def test_the_command(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("kernelgan_fast.training.validation._CROPS", 1)
    out = tmp_path / "weights.safetensors"
    arguments = [
        str(folder), "--out", str(out), "--steps", "2", "--held-out", "1", "--batch", "2",
        "--side", "24", "--architecture", "2,8,1,6", "--bank", "1", "--drawings", "2",
        "--bank-folder", str(tmp_path),
    ]  # fmt: skip
    assert main([*arguments, "--baseline"]) == 0 and not out.exists()
    assert main([*arguments, "--cooldown", "2"]) == 2
    assert "no checkpoint to cool down from; train first" in capsys.readouterr().err
    assert main(arguments) == 0
    network, about = weights.load(out)
    assert isinstance(network, UnfoldingNetwork) and network.architecture.width == 8
    assert about["steps"] == 2 and len(about["held_out"]) == 1  # type: ignore[arg-type]
    assert {"x2", "x4", "x2 noise 10"} <= set(about["gain_over_bicubic"])  # type: ignore[call-overload]
    checkpoint = Path(f"{out}.checkpoint")
    kept = checkpoint.read_bytes()
    assert main([*arguments, "--cooldown", "3"]) == 0
    assert weights.load(out)[1]["cooldown"] == 3 and checkpoint.read_bytes() == kept
    assert main([*arguments, "--resume"]) == 0 and weights.load(out)[1]["steps"] == 4
    assert main([*arguments, "--from-weights", str(out)]) == 0
    curve = [json.loads(line) for line in Path(f"{out}.curve.jsonl").read_text().splitlines()]
    assert [point["step"] for point in curve] == [2, 5, 4, 2]
    assert main([str(tmp_path / "none"), "--out", str(out)]) == 2
    assert "no image found there" in capsys.readouterr().err
