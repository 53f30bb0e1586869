"""How many threads the system gives."""

from __future__ import annotations

import threading


def startable_threads(wanted: int) -> int:
    """Count the threads that can be started now, by starting and ending them and a quarter more.

    ONNX Runtime waits for ever where the system refuses it a thread, because of a limit on
    processes or on memory. It takes memory of its own beside that of the threads.

    Args:
        wanted: number of threads, the caller included.

    Returns:
        `wanted`, or fewer: where the system refuses a thread, about half of those that it gave, so
        that there is room for others.
    """
    over = threading.Event()
    started: list[threading.Thread] = []
    try:
        for _ in range(wanted - 1 + wanted // 4 if wanted > 1 else 0):
            thread = threading.Thread(target=over.wait, daemon=True)
            thread.start()
            started.append(thread)
    except (RuntimeError, MemoryError):
        return 1 + len(started) // 2
    finally:
        over.set()
        for thread in started:
            thread.join()
    return wanted
