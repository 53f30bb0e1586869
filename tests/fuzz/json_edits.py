"""Damage to JSON documents that stay JSON: other values, other types, keys that are missing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from fuzz.mutation import number_edited
from numpy.random import Generator

# Written in the place of a marker, because json.dumps cannot write them.
_TEXTS = {
    "@deep": "[" * 100_000 + "]" * 100_000,
    "@deep-object": '{"a":' * 2_000 + "1" + "}" * 2_000,
    "@huge": "1" + "0" * 5_000,
    "@exponent": "1e999",
    "@surrogate": '"\\ud800"',
}
_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 3, 4, 5, 10**8, 2**31, 2**32, 2**63, 2**64, 10**30, 10**400),
    *(0.5, -0.5, 1e300, -1e308, 1e-320, float("nan"), float("inf"), float("-inf")),
    *("", "a", "\0", "1", "..", "../a", "/", "/dev/zero", "\n", "\x1b[31m"),
    *("é", "日" * 90, "a" * 300),
    *([], {}, [[]], [{}], [None], [0], ["a"], {"a": 1}, {"": None}, [[0, 1], [2]], [[[0.5]]]),
    *_TEXTS,
)


def json_edited(text: bytes, rng: Generator, values: tuple[Any, ...] = ()) -> bytes:
    """Change a JSON document in one place.

    Args:
        text: the document.
        rng: decides everything.
        values: more values to put somewhere, which this document's reader may stumble over.

    Returns:
        The new document; bytes that are no JSON get other numbers alone.
    """
    try:
        document = json.loads(text)
        places = list(_places(document))
    except (ValueError, RecursionError):
        return number_edited(text, rng)
    if not places or rng.random() < 0.05:
        document = _value(rng, values)
    else:
        holder, key = places[rng.integers(len(places))]
        _change(holder, key, rng, values)
    return _text(document).encode("utf-8", "surrogatepass")


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    """All pairs of a container and a key or an index."""
    if not isinstance(node, dict | list):
        return
    for key in node if isinstance(node, dict) else range(len(node)):
        yield node, key
        yield from _places(node[key])


def _change(holder: Any, key: Any, rng: Generator, values: tuple[Any, ...]) -> None:
    how = rng.integers(8)
    inner = holder[key]
    if isinstance(inner, str) and inner[:1] in ("{", "[") and rng.random() < 0.7:
        # A document within the document.
        changed = json_edited(inner.encode("utf-8", "surrogatepass"), rng, values)
        holder[key] = changed.decode("utf-8", "surrogatepass")
    elif how == 0:
        del holder[key]
    elif how == 1 and isinstance(holder, list):
        holder.insert(key, inner)
    elif how == 1:
        holder[f"{key}_"] = holder.pop(key)
    elif how == 2:
        holder[key] = [inner]
    elif how == 3 and isinstance(inner, str):
        place = int(rng.integers(len(inner) + 1))
        holder[key] = inner[:place] + ("\0", "/", "\n", "é", "", "9")[rng.integers(6)]
    else:
        holder[key] = _value(rng, values)


def _value(rng: Generator, values: tuple[Any, ...]) -> Any:
    choices = (*_VALUES, *values)
    return choices[rng.integers(len(choices))]


def _text(document: Any) -> str:
    try:
        text = json.dumps(document)
    except RecursionError:
        return _TEXTS["@deep"]
    for marker, instead in _TEXTS.items():
        text = text.replace(json.dumps(marker), instead)
    return text
