"""Sessions where the system does not give as many threads as there shall be."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from patience import PATIENCE

from kernelgan_fast.runtime.threads import session_threads, startable_threads

MODEL = Path(__file__).resolve().parents[1] / "cpp" / "models" / "up2.onnx"


def limit(monkeypatch: pytest.MonkeyPatch, given: int) -> None:
    """Let `given` more threads start."""
    start = threading.Thread.start
    left = [given]

    def limited(thread: threading.Thread) -> None:
        if left[0] == 0:
            raise RuntimeError("can't start new thread")
        left[0] -= 1
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)


@pytest.mark.parametrize(("given", "wanted"), [(0, 0), (1, 0), (5, 2), (15, 7), (16, 8), (40, 8)])
def test_half_of_what_is_given_is_counted(
    given: int, wanted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = threading.active_count()
    limit(monkeypatch, given)
    assert startable_threads(8) == wanted
    assert threading.active_count() == before


def test_a_session_takes_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert session_threads(None) == 0
    assert session_threads(1) == 1
    assert session_threads(3) == 3
    monkeypatch.setattr("os.cpu_count", lambda: 16)
    limit(monkeypatch, 4)
    assert session_threads(None) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's limit on address space")
def test_a_session_opens_where_threads_cannot_be_started() -> None:
    pytest.importorskip("onnxruntime")
    code = (
        "import resource, sys\n"
        "import numpy as np\n"
        "from kernelgan_fast.runtime.session import Session\n"
        "Session(sys.argv[1], threads=1)\n"
        "now = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (now + (1 << 29), resource.RLIM_INFINITY))\n"
        "session = Session(sys.argv[1], threads=512)\n"
        "assert session.run(image=np.zeros((1, 3, 8, 8), np.float32)).shape == (1, 3, 16, 16)\n"
    )
    command = [sys.executable, "-c", code, str(MODEL)]
    done = subprocess.run(command, timeout=PATIENCE, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
