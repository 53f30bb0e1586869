"""Waiting for what another thread or process does.

A test must not depend on how fast the machine is. It waits for an event, never for a number of
seconds; `PATIENCE` only ends a test that would hang.
"""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 600.0  # seconds


def wait_until(condition: Callable[[], object]) -> None:
    """Return once `condition` is true; fail if it is still false after `PATIENCE`."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "the event that this test waits for did not happen"
        time.sleep(0.001)
