"""Tests wait for events, not for seconds, so that they pass on a machine of any speed."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
# patience.py holds the one deadline; what hooks.py waits for in Ray's workers is the end of a task.
MAY_WAIT = {"patience.py", "distributed/hooks.py"}
SECONDS = re.compile(r"\b(?:time\.sleep\(|(?:timeout=|\.wait\(|\.join\()\d)")


def test_tests_wait_for_events() -> None:
    found = []
    for file in sorted(TESTS.rglob("*.py")):
        name = file.relative_to(TESTS).as_posix()
        for number, line in enumerate(file.read_text("utf-8").splitlines(), start=1):
            if SECONDS.search(line) and name not in MAY_WAIT:
                found.append(f"tests/{name}:{number}: {line.strip()}")
    assert not found, "wait for an event (tests/patience.py):\n" + "\n".join(found)
