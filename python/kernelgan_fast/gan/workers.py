"""Running tasks on several cores at once: in processes where forking is safe, else in threads.

An iteration is about fifty small torch calls, each of which gives up Python's lock and takes it
back. Two threads lose a fifth of their time to that, sixteen would get as far as four; processes
lose nothing.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

import torch

from kernelgan_fast.errors import WorkerLost

Result = TypeVar("Result")
Stopped = Callable[[], bool]
Task = Callable[[Stopped], Result]

# A terminal sends these to every process of the command.
_OF_THE_TERMINAL = (signal.SIGINT, signal.SIGHUP)


def run_side_by_side(tasks: Sequence[Task[Result]]) -> list[Result]:
    """Run the first task here, where signals and callbacks belong, and the others beside it.

    Args:
        tasks: at least one; each is handed a function that says whether to stop, because another
            task failed, and should ask it now and then.

    Returns:
        What each task returned, in order.

    Raises:
        Whatever a task raised; the others have then ended.
        WorkerLost: a process ended from outside.
    """
    if len(tasks) == 1:
        return [tasks[0](lambda: False)]
    return _in_processes(tasks) if can_fork() else _in_threads(tasks)


def can_fork() -> bool:
    """Whether a forked child could run torch on the CPU.

    Not beside threads of Python, which may hold a lock at the wrong moment, nor in a process that
    may have no children, nor where torch sees a GPU: its first backward pass, on whatever device,
    then starts a thread for each, and children forked after that may run none.
    """
    return (
        sys.platform == "linux"
        and threading.active_count() == 1
        and torch.cuda.device_count() == 0
        and not multiprocessing.current_process().daemon
    )


def _in_processes(tasks: Sequence[Task[Result]]) -> list[Result]:
    workers: list[tuple[BaseProcess, Connection]] = []

    def failed() -> bool:
        return any(process.exitcode not in (None, 0) for process, _ in workers)

    try:
        with _interrupts_held():
            workers.extend(_fork(task) for task in tasks[1:])
        return [tasks[0](failed), *(_received(*worker) for worker in workers)]
    finally:
        for process, connection in workers:
            connection.close()
            process.kill()
            process.join()


def _fork(task: Task[Result]) -> tuple[BaseProcess, Connection]:
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(task, sending, os.getpid()), daemon=True)
    with warnings.catch_warnings():
        # Python 3.12 warns of any thread; torch's idle ones hold no lock.
        warnings.simplefilter("ignore", DeprecationWarning)
        process.start()
    sending.close()
    return process, receiving


def _work(task: Task[Result], sending: Connection, parent: int) -> None:
    """Run in the child and send whether the task worked, with its result or its error."""
    for number in _OF_THE_TERMINAL:
        signal.signal(number, signal.SIG_IGN)  # the parent decides
    # Pickled here: the connection's own pickler leaves a tensor's memory behind in this process.
    try:
        answer = pickle.dumps((True, task(lambda: os.getppid() != parent)))
    except BaseException as error:
        sending.send_bytes(_pickled(error))
        sys.exit(1)
    sending.send_bytes(answer)


def _received(process: BaseProcess, connection: Connection) -> Any:
    try:
        worked, value = pickle.loads(connection.recv_bytes())
    except EOFError as error:
        process.join()
        raise WorkerLost(
            "a worker process must run to its end, got one that was ended with exit code "
            f"{process.exitcode}; if memory ran out, use fewer threads."
        ) from error
    if worked:
        return value
    raise value


def _pickled(error: BaseException) -> bytes:
    answer = pickle.dumps((False, error))
    try:
        pickle.loads(answer)
    except Exception:  # made from other arguments than its text
        return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))
    return answer


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Keep Ctrl-C waiting, so that it never meets a child that does not ignore it yet."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _OF_THE_TERMINAL)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _in_threads(tasks: Sequence[Task[Result]]) -> list[Result]:
    stop = threading.Event()
    with ThreadPoolExecutor(len(tasks) - 1) as pool:
        others = [pool.submit(task, stop.is_set) for task in tasks[1:]]
        for other in others:
            other.add_done_callback(lambda done: stop.set() if done.exception() else None)
        try:
            return [tasks[0](stop.is_set), *(other.result() for other in others)]
        except BaseException:  # Ctrl-C while waiting, too
            stop.set()
            raise
