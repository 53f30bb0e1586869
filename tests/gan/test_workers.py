"""Tasks in processes and in threads: results in order, errors, stopping, nothing left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from patience import wait_until

from kernelgan_fast.errors import InputError, TrainingDiverged, WorkerLost
from kernelgan_fast.gan import workers
from kernelgan_fast.gan.workers import Stopped, can_fork, run_side_by_side

forks = pytest.mark.skipif(sys.platform != "linux", reason="processes are used on Linux alone")


@pytest.fixture(params=[pytest.param("processes", marks=forks), "threads"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Both ways in turn; neither may leave a child or a thread behind."""
    way: str = request.param
    monkeypatch.setattr(workers, "can_fork", lambda: way == "processes")
    threads = threading.active_count()
    yield way
    assert multiprocessing.active_children() == []
    assert threading.active_count() == threads


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """SIGINT raises KeyboardInterrupt, also where pytest runs in the background and ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def where(stopped: Stopped) -> tuple[int, int]:
    return os.getpid(), threading.get_ident()


def until_stopped(stopped: Stopped) -> str:
    wait_until(stopped)
    return "stopped"


def test_results_in_order_the_first_from_here(way: str) -> None:
    first, *others = run_side_by_side([where, where, where])
    assert first == (os.getpid(), threading.get_ident())
    processes = {process for process, _ in others}
    if way == "processes":
        assert len(processes - {os.getpid()}) == 2
    else:
        assert processes == {os.getpid()}
        assert first not in others


def test_an_only_task_runs_here() -> None:
    assert run_side_by_side([where]) == [where(lambda: False)]


def test_large_results_come_whole(way: str) -> None:
    ramp = torch.arange(1 << 20)
    results = run_side_by_side([lambda stopped: ramp, lambda stopped: ramp + 1])
    assert torch.equal(results[0] + 1, results[1])


def test_an_error_beside_stops_the_first_and_is_raised(way: str) -> None:
    def fail(stopped: Stopped) -> str:
        raise TrainingDiverged("of the second", iteration=7, losses={"ideal": 1.0})

    with pytest.raises(TrainingDiverged, match="of the second") as caught:
        run_side_by_side([until_stopped, fail])
    assert caught.value.iteration == 7
    assert caught.value.losses == {"ideal": 1.0}


def test_an_error_here_ends_the_others(way: str, tmp_path: Path) -> None:
    """A thread is told to stop; a process is killed, or sees that its parent has gone."""
    begun, never_told = tmp_path / "begun", tmp_path / "never told"

    def fail(stopped: Stopped) -> str:
        wait_until(begun.exists)
        raise InputError("of the first")

    def work(stopped: Stopped) -> str:
        begun.touch()
        try:
            return until_stopped(stopped)
        except AssertionError:
            never_told.touch()
            raise

    with pytest.raises(InputError, match="of the first"):
        run_side_by_side([fail, work])
    assert begun.exists() and not never_told.exists()


class Stubborn(Exception):
    """Cannot be made again from its arguments."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def test_an_error_that_cannot_travel_is_told_in_words(way: str) -> None:
    def fail(stopped: Stopped) -> str:
        raise Stubborn(1, 2)

    with pytest.raises(Exception, match="1 and 2"):
        run_side_by_side([until_stopped, fail])


@forks
def test_a_process_ended_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    def die(stopped: Stopped) -> str:
        os.kill(os.getpid(), signal.SIGKILL)
        return "never"

    monkeypatch.setattr(workers, "can_fork", lambda: True)
    with pytest.raises(WorkerLost, match=r"exit code -9.*fewer threads"):
        run_side_by_side([until_stopped, die])


@forks
@pytest.mark.usefixtures("ctrl_c")
def test_interrupts_reach_this_process_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C goes to all processes of a terminal; the children leave it to the parent."""

    def interrupt(stopped: Stopped) -> str:
        signal.raise_signal(signal.SIGINT)
        return "went on"

    monkeypatch.setattr(workers, "can_fork", lambda: True)
    assert run_side_by_side([lambda stopped: "first", interrupt]) == ["first", "went on"]
    with pytest.raises(KeyboardInterrupt):
        run_side_by_side([interrupt, until_stopped])


@forks
def test_torch_works_in_a_child_of_a_parent_that_used_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def product(stopped: Stopped) -> torch.Tensor:
        weights = torch.ones(256, 256, requires_grad=True)
        (weights @ weights).sum().backward()
        assert weights.grad is not None
        return weights.grad

    monkeypatch.setattr(workers, "can_fork", lambda: True)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    expected = product(lambda: False)
    torch.set_num_threads(1)
    try:
        assert all(torch.equal(one, expected) for one in run_side_by_side([product] * 3))
    finally:
        torch.set_num_threads(before)


def test_no_fork_beside_threads_with_a_gpu_or_in_a_daemon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert can_fork()
    with monkeypatch.context() as other:
        other.setattr(threading, "active_count", lambda: 2)
        assert not can_fork()
    with monkeypatch.context() as other:
        other.setattr(torch.cuda, "device_count", lambda: 1)
        assert not can_fork()
    with monkeypatch.context() as other:
        other.setattr(multiprocessing.current_process(), "_config", {"daemon": True})
        assert not can_fork()
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not can_fork()
