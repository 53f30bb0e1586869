"""Threads are counted before ONNX Runtime, which waits for ever for those it is refused."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from kernelgan_fast.errors import InputError
from kernelgan_fast.export.downscale import downscale_model
from kernelgan_fast.runtime import session
from kernelgan_fast.runtime.session import Session
from kernelgan_fast.runtime.threads import startable_threads

pytest.importorskip("onnxruntime")


@pytest.fixture
def two_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system starts two threads and refuses the third."""
    start, given = threading.Thread.start, [0]

    def limited(thread: threading.Thread) -> None:
        given[0] += 1
        if given[0] > 2:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)


def test_all_threads_are_ended_again() -> None:
    before = threading.active_count()
    assert startable_threads(1) == 1
    assert startable_threads(5) == 5
    assert threading.active_count() == before


@pytest.mark.usefixtures("two_threads")
def test_a_part_of_the_threads_that_the_system_gives() -> None:
    before = threading.active_count()
    assert startable_threads(16) == 2
    assert threading.active_count() == before


@pytest.mark.usefixtures("two_threads")
def test_a_session_asks_for_no_more() -> None:
    assert session._threads(16) == 2
    assert Session(downscale_model(None, 13, 2), threads=1).inputs


@pytest.mark.parametrize("threads", [0, -1, 1025, 10**9])
def test_numbers_that_no_machine_has_are_refused(threads: int) -> None:
    with pytest.raises(InputError, match=f"threads must be 1 to 1024, got {threads}"):
        Session(downscale_model(None, 13, 2), threads=threads)


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_a_session_opens_where_memory_is_too_small_for_its_threads(tmp_path: Path) -> None:
    """The stacks of 1000 threads take more address space than is left."""
    (tmp_path / "m.onnx").write_bytes(downscale_model(None, 13, 2))
    program = (
        "import resource, sys, onnxruntime\n"
        "from kernelgan_fast.runtime.session import Session\n"
        "Session(sys.argv[1], threads=1)\n"
        "size = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (size + (512 << 20), -1))\n"
        "print(Session(sys.argv[1], threads=1000).device)\n"
    )
    # The limit of the test is for a program that waits for ever.
    ended = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "m.onnx")],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert ended.stdout == "cpu\n", ended.stderr
