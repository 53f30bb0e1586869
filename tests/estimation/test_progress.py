"""Progress events: what is done, what is left."""

from __future__ import annotations

import time

import pytest

from kernelgan_fast.estimation.result import Clock, ProgressEvent


def test_time_left_follows_the_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    events: list[ProgressEvent] = []
    clock = Clock(4, 100, events.append)
    now[0] = 107.0  # reading and loading, which is no measure of what follows
    first = ["a", "b"]
    report = clock.start(first)
    for iteration, moment in ((0, 110.0), (49, 114.9), (99, 119.9)):
        now[0] = moment
        report(iteration, {"gan_g": 0.5})
    clock.end(first)
    clock.done = 2
    clock.start(["c", "d"])
    assert [event.iteration for event in events] == [0, 1, 50, 100, 0]
    assert [event.remaining for event in events[:2]] == [None, None]
    # 49 iterations of two photos took 4.9 s: 50 + 100 more at 0.1 s each are left.
    assert events[2].remaining == pytest.approx(15.0)
    assert events[3].remaining == pytest.approx(10.0)
    assert events[4].remaining == pytest.approx(10.0)
    assert events[2].elapsed == pytest.approx(14.9)
    assert [event.fraction for event in events] == [0.0, 0.005, 0.25, 0.5, 0.5]
    assert events[2].batch == ("a", "b")


def test_batches_on_two_gpus_are_told_of_together(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    events: list[ProgressEvent] = []
    clock = Clock(4, 100, events.append)
    batches = ["a", "b", "c"], ["d"]
    reports = [clock.start(batch) for batch in batches]
    for seconds, (report, iteration) in enumerate(((0, 19), (1, 59), (0, 39)), start=1):
        now[0] = float(seconds)
        reports[report](iteration, {})
    assert events[-1].batch == ("a", "b", "c", "d")
    assert [event.iteration for event in events[2:]] == [15, 30, 45]
    clock.end(batches[0])
    clock.done = 3
    reports[1](99, {})
    assert events[-1].batch == ("d",) and events[-1].fraction == 1.0
    fractions = [event.fraction for event in events]
    assert fractions == sorted(fractions)
    # 30 more iterations of four photos took two seconds, from the first report on.
    assert events[-2].remaining == pytest.approx(2 / 1.2 * (4 - 1.8))


def test_a_batch_that_joins_takes_nothing_back() -> None:
    events: list[ProgressEvent] = []
    clock = Clock(8, 10, events.append)
    report = clock.start(["a", "b"])
    report(0, {})
    other = clock.start(["c", "d", "e"])
    for iteration in range(10):
        report(iteration, {})
    other(9, {})
    fractions = [event.fraction for event in events]
    assert fractions[1] > 0 and fractions == sorted(fractions)
    assert fractions[-1] == 5 / 8


def test_without_a_listener_nothing_happens() -> None:
    Clock(1, 10, None).start(["a"])(5, {})


def test_an_empty_run_has_a_fraction() -> None:
    event = ProgressEvent(0, 0, 0, 0, {}, 0.0, None, ())
    assert event.fraction == 0.0
