"""Replayed segments give the bits of the eager loop; the fake graph runs on the CPU."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from tape import tape_graph

from kernelgan_fast.gan import batches, graph, losses, trainer
from kernelgan_fast.gan.batches import Problem
from kernelgan_fast.gan.config import TrainConfig, profile
from kernelgan_fast.gan.trainer import TrainedKernel
from kernelgan_fast.ops import native, reference
from kernelgan_fast.ops.capturing import CAPTURING

MakeProblem = Callable[..., Problem]


def replayed(problems: list[Problem], config: TrainConfig, **options: Any) -> list[TrainedKernel]:
    """What a GPU does, with its graph done on the CPU."""
    share = trainer._Share(
        problems, config, ops=options.get("ops", native), device="cpu", graph=tape_graph
    )
    share.train(lambda: False, options.get("progress"))
    return share.results()


def assert_same(got: list[TrainedKernel], wanted: list[TrainedKernel]) -> None:
    for one, other in zip(got, wanted, strict=True):
        assert np.array_equal(one.kernel, other.kernel)
        assert np.array_equal(one.iterations, other.iterations)
        for name, values in one.history.items():
            assert np.array_equal(values, other.history[name]), name
        assert one.similar_at == other.similar_at


def small(name: str, config: TrainConfig, **changes: Any) -> TrainConfig:
    """A profile's losses and thresholds at the sizes of the small recipe."""
    sizes = ("generator_sizes", "features", "discriminator_size", "discriminator_blocks", "crop")
    kept = {size: getattr(config, size) for size in sizes}
    return profile(name).replace(**kept, shave=0, **changes)


def late_threshold(problems: list[Problem], config: TrainConfig) -> float:
    """The `similar_below` with which the first problem becomes similar after iteration 20."""
    share = trainer._Share(problems, config.replace(similar_below=0.0), ops=native, device="cpu")
    share.train(lambda: False, None)
    ideal = share._trainer.ideal_losses(config.iterations)[:, 0]
    highest = ideal.unfold(0, config.similar_in_a_row, 1).amax(dim=1)
    first_late = 21 - (config.similar_in_a_row - 1)
    early, late = float(highest[:first_late].min()), float(highest[first_late:].min())
    assert late < early
    return (early + late) / 2


@pytest.mark.parametrize("name", ["paper", "corrected"])
@pytest.mark.parametrize("iterations", [1, 20, 21, 90])
def test_stretches_change_no_bit(
    name: str, iterations: int, small_config: TrainConfig, make_problem: MakeProblem
) -> None:
    """Rates, loss weights and records change between segments, more than once each."""
    changes = {"decay_every": 30, "ideal_every": 20, "learning_rate": 1e-3}
    problems = [make_problem(seed, side) for seed, side in enumerate((40, 52))]
    whole = small(name, small_config, iterations=90, **changes)
    config = whole.replace(iterations=iterations, similar_below=late_threshold(problems, whole))
    wanted = trainer.train(problems, config, ops=native)
    if iterations == 90:  # the first problem becomes similar late, as the segments' record tells
        assert wanted[0].similar_at is not None and wanted[0].similar_at > 20
    assert_same(replayed(problems, config), wanted)


def test_a_schedule_that_divides_nothing(
    small_config: TrainConfig, make_problem: MakeProblem
) -> None:
    config = small("corrected", small_config, iterations=33, decay_every=15, ideal_every=20)
    assert graph.segment_length(config) == 5
    wanted = trainer.train([make_problem(1)], config, ops=native)
    assert_same(replayed([make_problem(1)], config), wanted)


def test_problems_with_a_start_of_their_own(
    small_config: TrainConfig, make_problem: MakeProblem
) -> None:
    config = small("corrected", small_config, iterations=45, ideal_every=20, start="spectral")
    start = losses.ideal_kernel(config.kernel_size).numpy()
    problems = [
        dataclasses.replace(make_problem(1), start=start),
        dataclasses.replace(make_problem(2, 50), start=start.T[::-1].copy()),
    ]
    wanted = trainer.train(problems, config, ops=native)
    assert_same(replayed(problems, config), wanted)


def test_the_reference_ops_can_be_captured(
    small_config: TrainConfig, make_problem: MakeProblem
) -> None:
    config = small_config.replace(iterations=31)
    wanted = trainer.train([make_problem(1)], config, ops=reference)
    assert_same(replayed([make_problem(1)], config, ops=reference), wanted)


def test_progress_comes_from_replays_too(
    small_config: TrainConfig, make_problem: MakeProblem
) -> None:
    seen: list[int] = []
    config = small_config.replace(iterations=45)
    replayed([make_problem(1)], config, progress=lambda iteration, means: seen.append(iteration))
    assert seen == [0, 10, 20, 30, 40, 44]


def test_a_run_that_is_stopped_lets_go_of_its_graph(
    small_config: TrainConfig, make_problem: MakeProblem
) -> None:
    left: list[bool] = []

    @contextlib.contextmanager
    def watched() -> Iterator[graph.Capture]:
        with tape_graph() as capture:
            try:
                yield capture
            finally:
                left.append(True)

    def stop(iteration: int, means: dict[str, float]) -> None:
        if iteration == 30:
            raise KeyboardInterrupt

    config = small_config.replace(iterations=200)
    share = trainer._Share([make_problem(1)], config, ops=native, device="cpu", graph=watched)
    with pytest.raises(KeyboardInterrupt):
        share.train(lambda: False, stop)
    assert left == [True]


def test_blocks_of_draws_do_not_matter(
    small_config: TrainConfig, make_problem: MakeProblem, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = small_config.replace(iterations=75)
    whole = replayed([make_problem(1)], config)
    monkeypatch.setattr(graph, "DRAWN_BYTES", 2 * 10 * batches.bytes_per_iteration(config))
    assert_same(replayed([make_problem(1)], config), whole)


class Event:
    """Of a GPU that is behind: an event has happened once `now` has come."""

    now = 0

    def record(self) -> None:
        self.at, Event.now = Event.now, Event.now

    def query(self) -> bool:
        return Event.now > self.at

    def synchronize(self) -> None:
        Event.waited += 1
        Event.now = self.at + 1

    waited = 0


def test_reading_back_waits_only_when_far_behind() -> None:
    Event.now = Event.waited = 0
    readback = graph.Readback(on_gpu=True, event=Event, most=2)
    got: list[int] = []

    def send(iteration: int) -> None:
        readback.send(iteration, torch.full((1, 7), float(iteration)))
        got.extend(int(record[0, 0]) for _, record in readback.receive())

    send(0)
    send(10)
    assert (got, Event.waited) == ([], 0)
    send(20)  # one too many: the oldest is waited for, the others came with it
    assert (got, Event.waited) == ([0, 10, 20], 1)
    send(30)
    assert [iteration for iteration, _ in readback.receive(all_of_them=True)] == [30]
    assert Event.waited == 2


def test_what_is_sent_may_be_overwritten() -> None:
    Event.now = 0
    readback = graph.Readback(on_gpu=True, event=Event)
    record = torch.ones(2, 7)
    readback.send(0, record)
    record.zero_()
    ((_, values),) = readback.receive(all_of_them=True)
    assert values.dtype == torch.float64 and bool((values == 1).all())


class Card:
    """The few calls of torch.cuda that capturing makes."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            self.calls.append(name)
            return self if name == "CUDAGraph" else None

        return call


def test_capturing(monkeypatch: pytest.MonkeyPatch) -> None:
    card = Card()
    monkeypatch.setattr(torch, "cuda", card)
    with graph.cuda_graph() as capture:
        replay = capture(lambda: card.calls.append("work"))
        replay()
    begun = ["CUDAGraph", "synchronize", "empty_cache", "capture_begin"]
    assert card.calls == [*begun, "work", "capture_end", "replay", "reset"]


def test_a_capture_that_fails_is_ended_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    card = Card()

    def capture_end() -> None:
        card.calls.append("capture_end")
        raise RuntimeError("the capture was spoiled")

    def work() -> None:
        raise MemoryError("no memory")

    card.capture_end = capture_end  # type: ignore[attr-defined]
    monkeypatch.setattr(torch, "cuda", card)
    with pytest.raises(MemoryError, match="no memory"), graph.cuda_graph() as capture:
        capture(work)
    assert card.calls[-2:] == ["capture_end", "reset"]
    assert not CAPTURING.locked()


def test_the_precision_is_handed_to_the_ops(
    small_config: TrainConfig, make_problem: MakeProblem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the way to a GPU that is not there."""
    asked: list[str] = []

    @contextlib.contextmanager
    def cuda_matmul(precision: str) -> Iterator[None]:
        asked.append(precision)
        yield

    def nowhere(*args: Any, **options: Any) -> None:
        raise RuntimeError("no GPU here")

    monkeypatch.setattr(trainer, "on_device", contextlib.nullcontext)
    monkeypatch.setattr(trainer, "_Share", nowhere)
    for ops in (SimpleNamespace(cuda_matmul=cuda_matmul), SimpleNamespace()):
        with pytest.raises(RuntimeError, match="no GPU here"):
            config = small_config.replace(matmul="tf32")
            trainer.train([make_problem(1)], config, ops=ops, device="cuda")
    assert asked == ["tf32"]
