"""When the learning rate falls and the loss weights change."""

from __future__ import annotations

import pytest
import torch

from kernelgan_fast.gan.config import TrainConfig, profile
from kernelgan_fast.gan.schedule import Schedule, first_similar, learning_rate

CONFIG = profile("paper")
HIGH, LOW = 1.0, 0.1


def make(count: int, config: TrainConfig = CONFIG) -> Schedule:
    return Schedule(count, config, dtype=torch.float64, device="cpu")


def test_learning_rate() -> None:
    rates = [learning_rate(i, CONFIG) for i in (0, 749, 750, 1500, 2999)]
    assert rates == pytest.approx([2e-4, 2e-4, 2e-5, 2e-6, 2e-7])


def test_first_similar() -> None:
    ideal = torch.full((10, 4), HIGH)
    ideal[2:5, 0] = LOW
    ideal[[1, 2, 4, 5, 7, 8], 1] = LOW  # never three in a row
    ideal[7:, 2] = LOW
    ideal[:, 3] = torch.nan
    assert first_similar(ideal, CONFIG).tolist() == [4, -1, 9, -1]
    assert first_similar(ideal[:2], CONFIG).tolist() == [-1] * 4


def test_due_at_multiples_of_200() -> None:
    due = [i for i in range(1001) if make(1).is_due(i)]
    assert due == [200, 400, 600, 800, 1000]


def test_weights_of_a_problem_that_becomes_similar_and_of_one_that_does_not() -> None:
    schedule = make(2)
    ideal = torch.full((600, 2), HIGH)
    ideal[100:103, 0] = LOW
    weights, penalties = [], []
    for iteration in (200, 400, 600):
        schedule.update(ideal[:iteration])
        weights.append(schedule.ideal.tolist())
        penalties.append(schedule.penalties.tolist())
    assert [w[0] for w in weights] == pytest.approx([5e-2, 5e-4, 5e-6])
    assert [w[1] for w in weights] == [5.0] * 3
    assert [p[0] for p in penalties] == [[0.5, 0.5, 0, 0], *[[0.5, 0.5, 1, 5]] * 2]
    assert [p[1] for p in penalties] == [[0.5, 0.5, 0, 0]] * 3
    schedule.update(ideal)
    assert schedule.ideal.tolist() == pytest.approx([5e-6, 5.0])


def test_weights_stay_where_they_are_in_memory() -> None:
    schedule = make(1)
    places = (schedule.ideal.data_ptr(), schedule.penalties.data_ptr())
    schedule.update(torch.full((200, 1), LOW))
    assert places == (schedule.ideal.data_ptr(), schedule.penalties.data_ptr())


def test_an_ideal_weight_below_the_floor_is_not_raised() -> None:
    schedule = make(1, CONFIG.replace(weight_ideal=1e-6))
    schedule.update(torch.full((200, 1), LOW))
    assert schedule.ideal.tolist() == pytest.approx([1e-6])
