"""Damaged inputs for every parser, in a small number that is always the same.

`python -m tests.fuzz --minutes N` runs many more; docs/robustness.md tells how.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import pytest
from fuzz.json_edits import json_edited
from fuzz.mutation import mutated
from fuzz.runner import Harness, target_names

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="limits and measures memory as Linux does"),
]

SEED = 0
RECORDS = [name for name in target_names() if name.endswith("_record")]
# Chosen so that all of them take less than a minute on one busy core; what takes longer to run
# gets fewer.
COUNTS = {"onnx": 100, **dict.fromkeys(RECORDS, 40)}
COUNT = 200


@pytest.fixture(scope="module")
def harness() -> Iterator[Harness]:
    """One process for all targets, as long as it lasts."""
    with Harness() as harness:
        yield harness


@pytest.fixture(scope="module")
def impatient() -> Iterator[Harness]:
    """A harness that waits no longer than it must."""
    with Harness(cpu_seconds=1, idle_seconds=2) as harness:
        yield harness


@pytest.mark.parametrize("name", target_names())
def test_damaged_input_is_used_or_refused_in_words(name: str, harness: Harness) -> None:
    count = COUNTS.get(name, COUNT)
    tally = harness.cases(name, SEED, count)
    assert tally.cases == count
    told = [f"case {each.index}, {each.kind}: {each.text[-2000:]}" for each in tally.faults]
    assert not told, "\n\n".join(told)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        *((b"a", None), (b"b", None), (b"c", "outcome"), (b"d", "outcome"), (b"e", "KeyError")),
        *((b"f", "warning"), (b"g", "outcome"), (b"h", "SIGSEGV"), (b"i", "exit 7")),
        *((b"j", "MemoryError"), (b"k", "MemoryError"), (b"l", "time"), (b"m", "hang")),
    ],
)
def test_the_harness_sees_every_kind_of_fault(
    fault: bytes, kind: str | None, impatient: Harness
) -> None:
    found = impatient.input("faulty", fault)
    assert (found.kind if found else None) == kind
    assert found is None or found.data == fault


def test_the_run_goes_on_after_faults(impatient: Harness) -> None:
    tally = impatient.cases("faulty", 0, 60)
    assert tally.cases == 60
    assert len({finding.kind for finding in tally.faults}) > 1


def test_the_same_generator_gives_the_same_bytes() -> None:
    seeds = [bytes(range(256)), b'{"scale": 2, "kernel": [[1, 2.5e3]]}']
    for index in range(200):
        first, second = (
            mutated(seeds, np.random.default_rng([1, index]), json_edited) for _ in range(2)
        )
        assert first == second
