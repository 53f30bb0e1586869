"""Numeric arrays from .mat files: what scipy writes comes back, and no file ends the process."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from kernelgan_fast.errors import InputError
from kernelgan_fast.kernels import matfile
from kernelgan_fast.kernels.matfile import read_mat


def mat(variables: dict[str, Any], **options: Any) -> bytes:
    stream = io.BytesIO()
    savemat(stream, variables, **options)
    return stream.getvalue()


def cells(*items: Any) -> Any:
    array = np.empty((1, len(items)), dtype=object)
    array[0, :] = items
    return array


def read(path: Path, content: bytes, *wanted: str) -> dict[str, Any]:
    path.write_bytes(content)
    return dict(read_mat(path, wanted).arrays)


def same(first: Any, second: Any) -> bool:
    if first.dtype == object:
        return first.shape == second.shape and all(map(same, first.ravel(), second.ravel()))
    return first.shape == second.shape and bool(np.array_equal(first, second))


NUMBERS = np.arange(12).reshape(3, 4)
ARRAYS: dict[str, Any] = {
    **{kind: NUMBERS.astype(kind) for kind in ("f4", "f8", "i1", "i2", "i4", "i8")},
    **{kind: NUMBERS.astype(kind) for kind in ("u1", "u2", "u4", "u8")},
    "empty": np.zeros((0, 3)),
    "one": np.array([[2.5]]),
    "flags": NUMBERS > 3,
    "stack": np.arange(24.0).reshape(2, 3, 4),
    "cells": cells(NUMBERS, np.zeros((0, 0)), cells(NUMBERS * 0.5, np.ones((1, 1)))),
}


@pytest.mark.parametrize("packed", [False, True])
def test_what_was_written_comes_back(tmp_path: Path, packed: bool) -> None:
    others = {"words": "text", "record": {"a": 1}, "z": NUMBERS * 1j}
    content = mat({**others, **ARRAYS}, do_compression=packed)
    path = tmp_path / "k.mat"
    path.write_bytes(content)
    found = read_mat(path, ARRAYS)
    assert found.names == (*others, *ARRAYS)
    assert found.arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert same(found.arrays[name], np.asarray(array)), name


def test_version_4(tmp_path: Path) -> None:
    arrays = {kind: NUMBERS.astype(kind) for kind in ("f4", "f8", "i2", "i4", "u1", "u2")}
    content = mat({"words": "text", "z": NUMBERS * 1j, **arrays}, format="4")
    found = read(tmp_path / "k.mat", content, *arrays)
    for name, array in arrays.items():
        assert same(found[name], array), name
    for name in ("words", "z"):
        with pytest.raises(InputError, match=rf"k\.mat: {name} must hold real numbers, got"):
            read(tmp_path / "k.mat", content, name)


def swapped() -> bytes:
    """A matrix K as a machine of the other byte order writes it."""
    data = b"".join(
        struct.pack(">II", kind, len(body)) + body + bytes(-len(body) % 8)
        for kind, body in (
            (6, struct.pack(">II", 6, 0)),
            (5, struct.pack(">ii", 3, 4)),
            (1, b"K"),
            (9, NUMBERS.astype(">f8").tobytes("F")),
        )
    )
    return b"MATLAB 5.0".ljust(124) + b"\1\0MI" + struct.pack(">II", 14, len(data)) + data


def test_the_other_byte_order(tmp_path: Path) -> None:
    assert same(read(tmp_path / "k.mat", swapped(), "K")["K"], NUMBERS)
    header = struct.pack(">5i", 1000, 3, 4, 0, 2) + b"K\0"
    content = header + NUMBERS.astype(">f8").tobytes("F")
    assert same(read(tmp_path / "k.mat", content, "K")["K"], NUMBERS)


def body(*elements: tuple[int, bytes]) -> bytes:
    """Elements with their tags, each filled up to a multiple of 8 bytes."""
    return b"".join(
        struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)
        for kind, data in elements
    )


FLAGS, SIDES, NAME = (6, struct.pack("<II", 6, 0)), (5, struct.pack("<ii", 1, 1)), (1, b"K")
ONE = (9, struct.pack("<d", 1.0))


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        ([(14, body(FLAGS, SIDES, NAME))], "type 0 is no type of numbers"),
        ([(14, body(FLAGS, SIDES, NAME, (8201, ONE[1])))], "type 8201 is no type of numbers"),
        ([(14, body(FLAGS, SIDES, NAME, (7, ONE[1])))], r"shape \(1, 1\) does not fit into 8"),
        ([(14, body(FLAGS, (5, struct.pack("<ii", 1, -1)), NAME, ONE))], "2 to 8 sides"),
        ([(14, body(FLAGS, (5, struct.pack("<i", 1)), NAME, ONE))], "2 to 8 sides"),
        ([(14, body(FLAGS, (5, bytes(40)), NAME, ONE))], "2 to 8 sides"),
        ([(14, body(FLAGS, (5, bytes(9)), NAME, ONE))], "4 bytes each, got 9"),
        ([(14, body(FLAGS, (5, b"\xff\xff\xff\x7f" * 2), NAME, ONE))], "does not fit into 8 bytes"),
        ([(14, body((5, FLAGS[1]), SIDES, NAME, ONE))], "flags of an array are of type 6, got 5"),
        ([(14, body((6, bytes(4)), SIDES, NAME, ONE))], "2 words of flags"),
        ([(14, body(FLAGS, SIDES, (2, b"K"), ONE))], "name of an array are of type 1, got 2"),
        ([(14, body(FLAGS, SIDES, (1, b"K\x1b[1m"), ONE))], r"cannot be named 'K\\x1b\[1m'"),
        ([(14, body(FLAGS))], "sides of an array are of type 5, got nothing"),
        ([(14, body(FLAGS, SIDES, NAME, ONE)[:-4])], "8 bytes has room for 4"),
        ([(9, bytes(8))], "a variable is of type 14, got 9"),
        ([(15, b"not packed")], "cannot be expanded"),
        ([(15, zlib.compress(body((14, bytes(64))))[:-2])], "end too early"),
        ([(15, zlib.compress(b""))], "must hold one variable"),
        ([(15, zlib.compress(body(NAME, NAME)))], "must hold one variable"),
        ([(15, zlib.compress(body((15, zlib.compress(b"")))))], "type 14, got 15"),
        ([(15, zlib.compress(bytes(65 << 20)))], "expand to more than 67,108,864 bytes"),
        ([(14, b"")] * 10_001, "at most 10,000 variables"),
    ],
)
def test_damaged_elements(tmp_path: Path, elements: list[tuple[int, bytes]], words: str) -> None:
    header = b"MATLAB 5.0".ljust(124) + b"\0\1IM"
    with pytest.raises(InputError, match=rf"k\.mat: .*{words}"):
        read(tmp_path / "k.mat", header + body(*elements), "K")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "ends within the header"),
        (b"MATLAB 5.0".ljust(128), "does not begin as such a file does"),
        (b"MATLAB 5.0".ljust(124) + b"\0\3IM", "version must be 0x0100, got 0x0300"),
        (b"MATLAB 7.3".ljust(124) + b"\0\2IM", "save it with '-v7'"),
        (b"\x89HDF\r\n\x1a\n", "save it with '-v7'"),
        (struct.pack("<5i", 60, 1, 1, 0, 2) + b"K\0" + bytes(8), "cannot be of type 60"),
        (struct.pack("<5i", 3, 1, 1, 0, 2) + b"K\0" + bytes(8), "cannot be of type 3"),
        (struct.pack("<5i", 0, -1, 1, 0, 2) + b"K\0" + bytes(8), "-1 x 1 numbers"),
        (struct.pack("<5i", 0, 1, 1, 0, 0) + bytes(8), "1 x 1 numbers"),
        (struct.pack("<5i", 0, 2**31 - 1, 2**31 - 1, 0, 2) + b"K\0", "go beyond its end"),
        (struct.pack("<5i", 0, 1, 1, 0, 2) + b"K\0" + bytes(9), "within the header of a variable"),
    ],
)
def test_damaged_headers(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(InputError, match=rf"k\.mat: .*{words}"):
        read(tmp_path / "k.mat", content, "K")


def nested(levels: int) -> Any:
    inner: Any = NUMBERS
    for _ in range(levels):
        inner = cells(inner)
    return inner


def test_limits_of_cell_arrays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(tmp_path / "k.mat", mat({"K": nested(8)}), "K")
    with pytest.raises(InputError, match="100,000 cells and 8 levels"):
        read(tmp_path / "k.mat", mat({"K": nested(9)}), "K")
    monkeypatch.setattr(matfile, "_MOST_CELLS", 5)
    assert read(tmp_path / "k.mat", mat({"K": cells(*[NUMBERS] * 5)}), "K")
    with pytest.raises(InputError, match="5 cells"):
        read(tmp_path / "k.mat", mat({"K": cells(cells(*[NUMBERS] * 3), NUMBERS, 1)}), "K")


@pytest.mark.parametrize(
    ("value", "what"),
    [("text", "text"), ({"a": 1}, "a struct"), (cells("text"), "text"), (NUMBERS * 1j, "complex")],
)
def test_other_kinds_are_named(tmp_path: Path, value: Any, what: str) -> None:
    with pytest.raises(InputError, match=f"must hold real numbers, got {what}"):
        read(tmp_path / "k.mat", mat({"K": value}), "K")


def test_only_files_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "k.mat").symlink_to("/dev/zero")
    with pytest.raises(InputError, match="a device"):
        read_mat(tmp_path / "k.mat", "K")
    monkeypatch.setattr(matfile, "LARGEST_BYTES", 100)
    with pytest.raises(InputError, match="larger than the 100 bytes"):
        read(tmp_path / "large.mat", mat({"K": NUMBERS}), "K")
