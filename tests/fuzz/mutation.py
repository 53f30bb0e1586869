"""Damage to bytes: what every format gets, whatever it is.

All choices come from the generator that is passed in, so the same generator gives the same bytes.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence

from numpy.random import Generator

# Takes bytes apart as a format does, changes a part and puts them together again.
Structured = Callable[[bytes, Generator], bytes]

_BYTES = (0, 1, 2, 4, 8, 16, 32, 64, 100, 127, 128, 129, 192, 254, 255)
_INTEGERS = (
    *(0, 1, -1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 100, 255, 256, 1000, 4096, 32767, 32768, 65535),
    *(65536, 10**6, 2**24, 2**28, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**62, 2**63 - 1, 2**63),
)
_NUMBERS = (
    *(b"0", b"-1", b"1", b"2", b"3", b"4", b"-0.0", b"0.5", b"1e308", b"-1e308", b"1e309"),
    *(b"1e-320", b"1e-5"),
    *(b"NaN", b"Infinity", b"-Infinity", b"65536", b"100000000", b"2147483648", b"4294967296"),
    *(b"9223372036854775807", b"9223372036854775808", b"1" + b"0" * 400, b"9" * 5000),
)
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_WIDTHS = {1: "B", 2: "H", 4: "I", 8: "Q"}
_HEAD = 64
_LONGEST = 1 << 18


def mutated(seeds: Sequence[bytes], rng: Generator, structured: Structured | None = None) -> bytes:
    """Make one input for a parser.

    Args:
        seeds: valid inputs.
        rng: decides everything.
        structured: of the format; used for about two of three inputs.

    Returns:
        A seed with one to a few changes.
    """
    data = seeds[rng.integers(len(seeds))]
    inside = structured is not None and rng.random() < 2 / 3
    for _ in range(min(int(rng.geometric(0.5)), 6)):
        if inside and structured is not None:
            data = structured(data, rng)
        elif rng.random() < 0.1:
            data = _spliced(data, seeds[rng.integers(len(seeds))], rng)
        else:
            data = edited(data, rng)
    return data


def edited(data: bytes, rng: Generator) -> bytes:
    """Change bytes in one of the ways that all formats share."""
    if not data:
        return rng.bytes(int(rng.integers(1, 9)))
    return _EDITS[rng.integers(len(_EDITS))](data, rng)[:_LONGEST]


def number_edited(text: bytes, rng: Generator) -> bytes:
    """Replace one number of a text by one that parsers may stumble over."""
    found = list(_NUMBER.finditer(text))
    if not found:
        return text
    place = found[rng.integers(len(found))]
    return text[: place.start()] + _NUMBERS[rng.integers(len(_NUMBERS))] + text[place.end() :]


def integer(rng: Generator) -> int:
    """Draw an integer at or near a limit."""
    return _INTEGERS[rng.integers(len(_INTEGERS))] + int(rng.integers(-1, 2)) * int(rng.integers(2))


def packed(value: int, width: int, order: str) -> bytes:
    """Pack the low bytes of an integer; `order` is "<" or ">"."""
    return struct.pack(order + _WIDTHS[width], value % (1 << 8 * width))


def _place(data: bytes, rng: Generator, width: int = 1) -> int:
    """Draw a place; every second one near the beginning, where headers are."""
    last = max(len(data) - width, 0)
    if rng.random() < 0.5:
        last = min(last, _HEAD)
    return int(rng.integers(last + 1))


def _width_and_order(rng: Generator) -> tuple[int, str]:
    return (1, 2, 4, 8)[rng.integers(4)], "<>"[rng.integers(2)]


def _replaced(data: bytes, place: int, new: bytes) -> bytes:
    return data[:place] + new + data[place + len(new) :]


def _bits_flipped(data: bytes, rng: Generator) -> bytes:
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 9))):
        changed[_place(data, rng)] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _bytes_set(data: bytes, rng: Generator) -> bytes:
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        changed[_place(data, rng)] = _BYTES[rng.integers(len(_BYTES))]
    return bytes(changed)


def _integer_set(data: bytes, rng: Generator) -> bytes:
    width, order = _width_and_order(rng)
    value = integer(rng) if rng.random() < 0.8 else len(data) + int(rng.integers(-8, 9))
    return _replaced(data, _place(data, rng, width), packed(value, width, order))


def _integer_nudged(data: bytes, rng: Generator) -> bytes:
    width, order = _width_and_order(rng)
    place = _place(data, rng, width)
    before = int.from_bytes(data[place : place + width], "little" if order == "<" else "big")
    return _replaced(data, place, packed(before + int(rng.integers(-16, 17)), width, order))


def _length_changed(data: bytes, rng: Generator) -> bytes:
    """Change an integer that may be the length of what follows it."""
    width, order = (2, 4)[rng.integers(2)], "<>"[rng.integers(2)]
    name = "little" if order == "<" else "big"
    lengths = [
        place
        for place in range(min(len(data) - width, 4096))
        if 0 < int.from_bytes(data[place : place + width], name) <= len(data) - place
    ]
    if not lengths:
        return _integer_set(data, rng)
    place = lengths[rng.integers(len(lengths))]
    before = int.from_bytes(data[place : place + width], name)
    choices = (integer(rng), before - 1, before + 1, 2 * before, before // 2, len(data))
    return _replaced(data, place, packed(choices[rng.integers(len(choices))], width, order))


def _truncated(data: bytes, rng: Generator) -> bytes:
    return data[: int(rng.integers(len(data)))]


def _extended(data: bytes, rng: Generator) -> bytes:
    more = int(rng.integers(1, 257))
    return data + (bytes(more) if rng.random() < 0.5 else rng.bytes(more))


def _span(data: bytes, rng: Generator) -> tuple[int, int]:
    start = _place(data, rng)
    return start, start + int(rng.integers(1, max(min(len(data) - start, 256), 1) + 1))


def _deleted(data: bytes, rng: Generator) -> bytes:
    start, end = _span(data, rng)
    return data[:start] + data[end:]


def _duplicated(data: bytes, rng: Generator) -> bytes:
    start, end = _span(data, rng)
    return data[:end] + data[start:end] * int(rng.integers(1, 4)) + data[end:]


def _copied(data: bytes, rng: Generator) -> bytes:
    start, end = _span(data, rng)
    return _replaced(data, _place(data, rng), data[start:end])


def _inserted(data: bytes, rng: Generator) -> bytes:
    place = _place(data, rng)
    return data[:place] + rng.bytes(int(rng.integers(1, 17))) + data[place:]


def _spliced(data: bytes, other: bytes, rng: Generator) -> bytes:
    if not data or not other:
        return data + other
    return data[: int(rng.integers(len(data)))] + other[int(rng.integers(len(other))) :]


_EDITS: tuple[Callable[[bytes, Generator], bytes], ...] = (
    *(_bits_flipped, _bytes_set, _integer_set, _integer_nudged, _length_changed),
    *(_truncated, _extended, _deleted, _duplicated, _copied, _inserted, number_edited),
)
