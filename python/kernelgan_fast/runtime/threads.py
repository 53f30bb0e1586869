"""How many threads the system gives: a container may have a limit on processes or on memory."""

from __future__ import annotations

import os
import threading


def startable_threads(wished: int) -> int:
    """Count the threads that could be started now so that as many again could follow.

    Args:
        wished: how many are wanted, at least 0.

    Returns:
        ``wished`` or less.
    """
    gate = threading.Event()
    started: list[threading.Thread] = []
    try:
        for _ in range(2 * wished):
            thread = threading.Thread(target=gate.wait, daemon=True)
            thread.start()
            started.append(thread)
    except (RuntimeError, MemoryError):  # "can't start new thread"
        pass
    finally:
        gate.set()
        for thread in started:
            thread.join()
    return min(wished, len(started) // 2)


def session_threads(wished: int | None) -> int:
    """Choose the threads of an ONNX Runtime session, which hangs if one of them cannot be started.

    Args:
        wished: threads of a run; None for as many as there are cores.

    Returns:
        The number for ``intra_op_num_threads``; 0 leaves it to ONNX Runtime.
    """
    all_of_them = wished or os.cpu_count() or 1
    given = 1 + startable_threads(all_of_them - 1)
    return given if given < all_of_them else wished or 0
