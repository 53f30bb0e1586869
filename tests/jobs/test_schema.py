"""Checks of values from JSON files."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kernelgan_fast.jobs import schema

HUGE = json.loads("1" + "0" * 400)


@pytest.mark.parametrize(
    ("check", "right", "wrong"),
    [
        (schema.number, [0, -1.5, 10**300], [True, "1", None, [], float("nan"), 1e999, HUGE]),
        (schema.whole, [0, 7], [-1, 1.0, True, "1", None, HUGE]),
        (schema.text, ["", "a"], [None, 1, ["a"]]),
        (
            schema.file_name,
            ["a.png", "LR/a\udcff.png"],
            ["", "/a", "../a", "a/../../b", "\0", "\ud800", None],
        ),
        (schema.optional(schema.text), [None, "a"], [1]),
        (schema.list_of(schema.whole), [[], [1, 2]], [{}, "12", [1, "2"], None]),
        (schema.list_of(schema.whole, 2), [[1, 2]], [[1], [1, 2, 3], [1, None]]),
        (schema.values_of(schema.number), [{}, {"a": 1}], [[], {"a": "1"}]),
        (schema.fields({"a": schema.text}), [{"a": "", "b": 1}], [{}, {"a": 1}, [], "a"]),
        (
            schema.fields({}, {"a": schema.text}),
            [{}, {"a": "", "b": 1}],
            [{"a": 1}, [], None],
        ),
        (schema.SIZE, [[3, 4]], [[3, "4"], [3], [-3, 4]]),
        (schema.writable, [{"a": [1, None]}], [[float("inf")], {"a": {"b": float("nan")}}]),
    ],
)
def test_checks(check: schema.Check, right: list[Any], wrong: list[Any]) -> None:
    assert all(map(check, right))
    assert not any(map(check, wrong))


def test_nesting_without_end() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert not schema.writable(deep)
    while deep:  # or freeing it would overflow the stack
        deep = deep[0]
