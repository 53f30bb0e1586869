"""A batch shared out to cores: the same bits as alone, one torch thread a share, stopping."""

from __future__ import annotations

import gc
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from patience import wait_until
from torch import Tensor

from kernelgan_fast.gan import steps, trainer, workers
from kernelgan_fast.gan.config import TrainConfig, profile
from kernelgan_fast.gan.trainer import Batch, Problem, TrainedKernel, Trainer, train
from kernelgan_fast.gan.workers import Stopped
from kernelgan_fast.ops import native, reference

MakeProblem = Callable[..., Problem]


@pytest.fixture
def two_torch_threads() -> Iterator[None]:
    """A caller whose torch has threads of its own, so that losing them shows."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def assert_same(one: TrainedKernel, other: TrainedKernel) -> None:
    assert np.array_equal(one.kernel, other.kernel)
    assert np.array_equal(one.iterations, other.iterations)
    for name, values in one.history.items():
        assert np.array_equal(values, other.history[name]), name
    rest = [(r.similar_at, r.seed, r.diverged) for r in (one, other)]
    assert rest[0] == rest[1]


@pytest.mark.parametrize("forks", [True, False], ids=["processes", "threads"])
@pytest.mark.parametrize("published", [True, False], ids=["published", "small"])
def test_cores_and_batch_do_not_change_a_bit(
    published: bool,
    forks: bool,
    small_config: TrainConfig,
    make_problem: MakeProblem,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of the native ops; small networks leave rests in every vector loop."""
    monkeypatch.setattr(workers, "can_fork", lambda: forks)
    config = profile("corrected") if published else small_config
    config = config.replace(iterations=40, shave=0)
    sizes = {"crop": config.crop, "generator_sizes": config.generator_sizes}
    problems = [make_problem(seed, side, **sizes) for seed, side in enumerate((80, 96, 90))]
    wanted = [train([problem], config, ops=native, threads=1)[0] for problem in problems]
    assert not np.array_equal(wanted[0].kernel, wanted[1].kernel)
    for threads in (1, 2, 3):
        together = train(problems, config, ops=native, threads=threads)
        alone = train(problems[:1], config, ops=native, threads=threads)
        for got, one in zip(together + alone, [*wanted, wanted[0]], strict=True):
            assert_same(got, one)
    for got, one in zip(train(problems[::-1], config, threads=2), wanted[::-1], strict=True):
        assert_same(got, one)


@pytest.fixture
def in_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shares as threads, where forking is not safe: what they do can be watched from here."""
    monkeypatch.setattr(workers, "can_fork", lambda: False)


class Stop:
    """Whether the shares of the training that runs now have been told to stop."""

    def __init__(self) -> None:
        self._asked: list[Stopped] = []

    def __call__(self) -> bool:
        return any(stopped() for stopped in self._asked)

    def run_side_by_side(self, tasks: Sequence[Any]) -> list[Any]:
        """Do what `workers.run_side_by_side` does, and keep what the first task is handed."""

        def first(stopped: Stopped) -> Any:
            self._asked.append(stopped)
            return tasks[0](stopped)

        return workers.run_side_by_side([first, *tasks[1:]])


@pytest.fixture
def told_to_stop(monkeypatch: pytest.MonkeyPatch) -> Stop:
    """Tells the tests of the next training what its shares are told."""
    stop = Stop()
    monkeypatch.setattr(trainer, "run_side_by_side", stop.run_side_by_side)
    return stop


class Watched:
    """The reference ops, noting which threads call them and how many threads torch has there.

    Args:
        told_to_stop: says whether the training should have ended.

    Attributes:
        calls: of `discriminate`, by thread.
        late: those that were made after the training should have ended.
        torch_threads: numbers of threads that torch had.
    """

    def __init__(self, told_to_stop: Stopped = lambda: False) -> None:
        self._told_to_stop = told_to_stop
        self.calls: Counter[int] = Counter()
        self.late: Counter[int] = Counter()
        self.torch_threads: set[int] = set()

    def __getattr__(self, name: str) -> Any:
        if name == "threads":
            raise AttributeError(name)
        return getattr(reference, name)

    def discriminate(self, *arguments: Any) -> Any:
        caller = threading.get_ident()
        self.calls[caller] += 1
        self.late[caller] += self._told_to_stop()
        self.torch_threads.add(torch.get_num_threads())
        return reference.discriminate(*arguments)


@pytest.mark.usefixtures("two_torch_threads", "in_threads")
def test_every_share_has_a_thread_and_torch_one_in_each(
    small_config: TrainConfig, make_problem: MakeProblem
) -> None:
    ops = Watched()
    train([make_problem(seed) for seed in range(3)], small_config, ops=ops, threads=2)
    assert list(ops.calls.values()) == [2 * small_config.iterations] * 2
    assert ops.torch_threads == {1}
    assert torch.get_num_threads() == 2
    assert gc.get_freeze_count() == 0


@pytest.mark.usefixtures("two_torch_threads", "in_threads")
def test_an_error_in_progress_stops_every_thread(
    small_config: TrainConfig, make_problem: MakeProblem, told_to_stop: Stop
) -> None:
    error, before = RuntimeError("enough"), threading.active_count()
    ops = Watched(told_to_stop)
    reported = []

    def stop(iteration: int, means: dict[str, float]) -> None:
        reported.append(iteration)
        raise error

    config = small_config.replace(iterations=5000)  # shares look up every 50 iterations
    with pytest.raises(RuntimeError, match="enough") as caught:
        train([make_problem(seed) for seed in range(3)], config, ops=ops, threads=3, progress=stop)
    assert caught.value is error
    assert len(reported) == 1
    # Two calls per iteration, and at most 50 iterations until the next look.
    assert max(ops.late.values()) <= 2 * 50
    assert threading.active_count() == before
    assert torch.get_num_threads() == 2
    assert gc.get_freeze_count() == 0


@pytest.mark.usefixtures("in_threads")
def test_a_failure_in_another_share_stops_the_first(
    small_config: TrainConfig,
    make_problem: MakeProblem,
    monkeypatch: pytest.MonkeyPatch,
    told_to_stop: Stop,
) -> None:
    whole = steps.Trainer.iterate

    def iterate(self: Trainer, iteration: int, batch: Batch) -> Tensor | None:
        if threading.current_thread() is not threading.main_thread():
            raise MemoryError("of the second share")
        wait_until(told_to_stop)
        seen.append(iteration)
        return whole(self, iteration, batch)

    seen: list[int] = []
    monkeypatch.setattr(steps.Trainer, "iterate", iterate)
    config = small_config.replace(iterations=1000)
    with pytest.raises(MemoryError, match="of the second share"):
        train([make_problem(seed) for seed in (0, 1)], config, ops=native, threads=2)
    # It looks up every 10 iterations and must not go on after it did so for the first time.
    assert len(seen) <= 11
