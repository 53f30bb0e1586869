"""Training end to end, at a size that takes seconds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from quick import write_photo

from kernelgan_fast.errors import InputError
from kernelgan_fast.evaluation.blur_laws import draw
from kernelgan_fast.sr import weights
from kernelgan_fast.sr.forward_model import ForwardModel
from kernelgan_fast.sr.unfold_net import Shape
from kernelgan_fast.training.__main__ import main
from kernelgan_fast.training.bank import estimated_pairs
from kernelgan_fast.training.batches import make_batch
from kernelgan_fast.training.kernel_pairs import (
    KernelPair,
    distance,
    draw_pair,
    draw_true,
    perturbed,
)
from kernelgan_fast.training.photos import PhotoStore, split
from kernelgan_fast.training.train import Plan, Training

CPU = torch.device("cpu")
TINY = Plan(minutes=1.0, shape=Shape(2, (6, 8), 1), side=32, batch=2, bank=0, precision="float32")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("photos")
    for seed, name in enumerate("abc"):
        write_photo(place / f"{name}.png", 240, 260, seed=seed)
    return place


@pytest.fixture(scope="module")
def photos(folder: Path) -> PhotoStore:
    return PhotoStore(sorted(folder.iterdir()), 96, CPU)


def random() -> np.random.Generator:
    return np.random.default_rng(0)


def test_crops_are_parts_of_the_photos(photos: PhotoStore) -> None:
    crops = photos.crops(5, 40, random())
    assert crops.shape == (5, 3, 40, 40) and crops.dtype == torch.float32
    assert float(crops.min()) >= 0 and 0.3 < float(crops.max()) <= 1
    assert torch.equal(crops, photos.crops(5, 40, random()))
    assert photos.least == 120  # half of 240


def test_photos_are_held_out_by_seed(folder: Path) -> None:
    kept, out = split(folder, 1, seed=0)
    assert len(kept) == 2 and len(out) == 1 and sorted([*kept, *out]) == sorted(folder.iterdir())
    assert len({split(folder, 1, seed)[1][0] for seed in range(12)}) > 1
    with pytest.raises(InputError, match="must be 1 to 2 of the 3"):
        split(folder, 3, seed=0)


def test_photos_that_are_all_too_small(folder: Path) -> None:
    with pytest.raises(InputError, match="sides of 500 px or more, of 3 photos none"):
        PhotoStore(sorted(folder.iterdir()), 500, CPU)


@pytest.mark.parametrize("scale", [2, 4])
def test_low_crops_are_the_high_ones_degraded(photos: PhotoStore, scale: int) -> None:
    kernel = draw("div2krk", scale, seed=0, name="").array
    pair = KernelPair(kernel, kernel, 0.0)
    batch = make_batch(photos, pair, scale, count=2, side=48, random=random(), clean=True)
    assert batch.low.shape == (2, 3, 48 // scale, 48 // scale)
    again = batch.model.down(batch.high.reshape(6, 1, 48, 48)).reshape(batch.low.shape)
    inner = slice(batch.model.reach, -batch.model.reach)
    missing = (again - batch.low)[..., inner, inner].abs().max()
    assert missing <= 0.5 / 255 + 1e-6  # rounding to whole levels


def test_noise_is_told(photos: PhotoStore) -> None:
    kernel = np.ones((1, 1))
    draws = np.random.default_rng(3)
    told, found = [], []
    for _ in range(12):
        pair = KernelPair(kernel, kernel, 0.0)
        batch = make_batch(photos, pair, 2, count=2, side=48, random=draws)
        told.append(batch.noise)
        found.append(float((batch.low - batch.high[..., ::2, ::2]).std()))
    assert max(told) > 3 * min(told)
    assert np.corrcoef(told, found)[0, 1] > 0.98


def test_told_kernels_are_wrong_as_often_as_they_should() -> None:
    draws = random()
    pairs = [draw_pair(2, [], draws) for _ in range(60)]
    exact = [pair for pair in pairs if pair.told is pair.true]
    # Two of five; 4.1 standard deviations of a binomial count: 4e-5 of all seeds would fail.
    assert abs(len(exact) - 60 * 0.4) < 4.1 * (60 * 0.4 * 0.6) ** 0.5
    assert all(pair.error == 0 for pair in exact)
    wrong = [pair for pair in pairs if pair.told is not pair.true]
    told, real = zip(*((pair.error, distance(pair.told, pair.true)) for pair in wrong), strict=True)
    assert np.corrcoef(told, np.minimum(real, 1))[0, 1] > 0.5


def test_a_perturbed_kernel_is_near() -> None:
    draws = random()
    true = draw_true(4, draws)
    near = perturbed(true, 4, draws)
    assert near.sum() == pytest.approx(1) and (near >= 0).all()
    assert 0 < distance(near, true) < 0.8


def test_the_bank_holds_estimates(photos: PhotoStore) -> None:
    bank = estimated_pairs(photos, 2, 4, random())
    assert bank and all(0 < pair.error < 0.6 for pair in bank)
    assert all(pair.told.shape == (13, 13) for pair in bank)
    drawn = draw_pair(2, bank, np.random.default_rng(5))
    ForwardModel(torch.tensor(drawn.told), 2)


def test_it_learns(photos: PhotoStore, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = draw("div2krk", 2, seed=0, name="").array
    pair = KernelPair(kernel, kernel, 0.0)
    batch = make_batch(photos, pair, 2, count=2, side=32, random=random(), clean=True)
    monkeypatch.setattr("kernelgan_fast.training.train.make_batch", lambda *_, **__: batch)
    training = Training(TINY, photos, CPU)
    training.spent = 2.0  # past the warm-up
    losses = [training.one_step() for _ in range(60)]
    assert losses[-1] < 0.8 * losses[0]


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


def test_another_plan_is_not_resumed(photos: PhotoStore, tmp_path: Path) -> None:
    Training(TINY, photos, CPU).save(tmp_path / "checkpoint")
    other = Training(
        Plan(shape=TINY.shape, side=32, batch=3, bank=0, precision="float32"), photos, CPU
    )
    with pytest.raises(InputError, match="trained with another batch"):
        other.restore(tmp_path / "checkpoint")


def test_the_command(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "weights.safetensors"
    arguments = [
        str(folder), "--out", str(out), "--minutes", "0.005", "--held-out", "1", "--batch", "2",
        "--side", "32", "--widths", "6,8", "--bank", "1",
    ]  # fmt: skip
    assert main(arguments) == 0
    network, about = weights.load(out)
    assert network.shape.widths == (6, 8)
    assert json.dumps(about["photos"]) and len(about["held_out"]) == 1  # type: ignore[arg-type]
    assert set(about["gain_over_bicubic"]) == {"x2", "x4"}  # type: ignore[call-overload]
    paused = tmp_path / "paused.safetensors"
    arguments[2] = str(paused)
    assert main([*arguments, "--minutes", "9", "--pause-after", "0"]) == 130
    assert "go on with --resume" in capsys.readouterr().err and not paused.exists()
    assert main([*arguments, "--resume"]) == 0 and paused.exists()
    assert main([str(tmp_path / "none"), "--out", str(out)]) == 2
    assert "no image found there" in capsys.readouterr().err
