"""Checks of values from JSON files, which anybody may have changed.

A check takes a value and says whether it can be used. Checks of records state the fields that a
command reads; other fields may be missing or of any kind.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import TypeAlias

Check: TypeAlias = Callable[[object], bool]


def number(value: object) -> bool:
    """A finite number that a float can hold."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # JSON has integers of any length
        return False


def whole(value: object) -> bool:
    """An integer of at least 0."""
    return type(value) is int and number(value) and value >= 0


def text(value: object) -> bool:
    """A string."""
    return isinstance(value, str)


def mapping(value: object) -> bool:
    """An object with any content."""
    return isinstance(value, dict)


def file_name(value: object) -> bool:
    """The path of a file inside a folder, relative to the folder."""
    if not isinstance(value, str) or not value or "\0" in value:
        return False
    try:
        value.encode("utf-8", "surrogateescape")  # how a file name that is no text is stored
    except UnicodeEncodeError:
        return False
    path = PurePosixPath(value)
    return not path.is_absolute() and ".." not in path.parts


def optional(check: Check) -> Check:
    """Null, or what another check accepts."""
    return lambda value: value is None or check(value)


def list_of(check: Check, length: int | None = None) -> Check:
    """A list whose items pass a check, of a length if one is given."""

    def passes(value: object) -> bool:
        right = isinstance(value, list) and length in (None, len(value))
        return right and all(map(check, value))  # type: ignore[call-overload]

    return passes


def values_of(check: Check) -> Check:
    """An object all of whose values pass a check."""
    return lambda value: isinstance(value, dict) and all(map(check, value.values()))


def fields(checks: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """An object that has these fields, each of which passes its check.

    Args:
        checks: of fields that must be there.
        optional: of fields that may be missing.
    """
    may_miss = optional or {}

    def passes(value: object) -> bool:
        return (
            isinstance(value, dict)
            and all(name in value and check(value[name]) for name, check in checks.items())
            and all(check(value[name]) for name, check in may_miss.items() if name in value)
        )

    return passes


def writable(value: object) -> bool:
    """Whether a value can be written as JSON again: infinity and NaN have no form there."""
    try:
        json.dumps(value, allow_nan=False)
    except (ValueError, TypeError, RecursionError):
        return False
    return True


SOURCE = fields({"path": text, "bytes": whole, "sha256": text})
KERNEL_FACTS = fields(
    dict.fromkeys(("size", "width_major", "width_minor", "angle", "border_mass"), number)
)
SIZE = list_of(whole, 2)
