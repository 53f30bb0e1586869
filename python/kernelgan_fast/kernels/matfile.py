"""Numeric arrays from MATLAB's .mat files of version 4 to 7.

scipy's reader follows the types and sizes in a file without checking them, and one wrong byte can
end the process. This reader covers what kernels are stored as, real numeric matrices and cell
arrays of them, and compares every size with the bytes that are there.

Source: The MathWorks, "MAT-File Format", chapters 1 (level 5) and 2 (level 4).
"""

from __future__ import annotations

import math
import os
import re
import struct
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernelgan_fast.errors import InputError
from kernelgan_fast.files import read_file

# Size limit of a file, and of everything that its compressed variables expand to.
LARGEST_BYTES = 64 << 20

_MOST_VARIABLES, _MOST_CELLS, _MOST_DIMENSIONS, _MOST_LEVELS = 10_000, 100_000, 8, 8
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{,62}")

_HEADER = 128
_VERSION_5, _VERSION_7_3 = 0x0100, 0x0200

# Types of elements, by their number in a file.
_INT8, _INT32, _UINT32, _MATRIX, _COMPRESSED = 1, 5, 6, 14, 15
_NUMBERS = {
    **{1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4"},
    **{7: "f4", 9: "f8", 12: "i8", 13: "u8"},
}

# Classes of arrays. The data of a numeric class may be stored in any numeric type.
_CELL, _OPAQUE = 1, 17
_NUMERIC_CLASSES = range(6, 16)
_OTHER_CLASSES = {2: "a struct", 3: "an object", 4: "text", 5: "a sparse matrix", 16: "a function"}
_COMPLEX = 0x0800

_VERSION_4_NUMBERS = {0: "f8", 1: "f4", 2: "i4", 3: "i2", 4: "u2", 5: "u1"}


@dataclass(frozen=True)
class MatFile:
    """Content of a file.

    Attributes:
        names: names of all variables, in the order of the file.
        arrays: the variables asked for. A matrix is a numeric array, a cell array is an array of
            objects that are numeric arrays or cell arrays.
    """

    names: tuple[str, ...]
    arrays: Mapping[str, NDArray[Any]]


class _Variable(NamedTuple):
    name: str
    read: Callable[[], NDArray[Any]]


class _Element(NamedTuple):
    kind: int
    data: memoryview


class _Damaged(Exception):
    """The file contradicts itself or its format."""


class _Unsupported(Exception):
    """The file may be sound, but it holds something that this reader is not for."""


def read_mat(path: str | os.PathLike[str], wanted: Collection[str]) -> MatFile:
    """Read variables of a .mat file.

    Args:
        path: the file.
        wanted: names of the variables to read. Other variables may be of any kind.

    Raises:
        InputError: no such file, of another kind, damaged, larger than `LARGEST_BYTES`, or a
            wanted variable is neither a real numeric matrix nor a cell array of such matrices.
    """
    content = memoryview(read_file(path, LARGEST_BYTES))
    names: list[str] = []
    arrays: dict[str, NDArray[Any]] = {}
    try:
        variables = _version_4(content) if 0 in content[:4] else _Version5(content).variables()
        for variable in variables:
            names.append(variable.name)
            if len(names) > _MOST_VARIABLES:
                raise _Unsupported(
                    f"at most {_MOST_VARIABLES:,} variables are read; save the matrix alone"
                )
            if variable.name in wanted:
                arrays[variable.name] = variable.read()
    except _Damaged as error:
        raise InputError(
            f"{os.fspath(path)}: not a readable .mat file ({error}); save it again"
        ) from error
    except _Unsupported as error:
        raise InputError(f"{os.fspath(path)}: {error}") from error
    return MatFile(tuple(filter(None, names)), arrays)


class _Version5:
    """Reads files of MATLAB 5 to 7.

    Args:
        content: of the file.
    """

    def __init__(self, content: memoryview) -> None:
        if bytes(content[:4]) == b"\x89HDF":
            raise _Unsupported("MATLAB 7.3 files are not read here; save it with '-v7'")
        if len(content) < _HEADER:
            raise _Damaged(f"it ends within the header of {_HEADER} bytes")
        self._order = {b"IM": "<", b"MI": ">"}.get(bytes(content[126:128]), "")
        if not self._order:
            raise _Damaged("it does not begin as such a file does")
        (version,) = struct.unpack_from(f"{self._order}H", content, 124)
        if version == _VERSION_7_3:
            raise _Unsupported("MATLAB 7.3 files are not read here; save it with '-v7'")
        if version != _VERSION_5:
            raise _Damaged(f"its version must be {_VERSION_5:#06x}, got {version:#06x}")
        self._body = content[_HEADER:]
        self._bytes_left, self._cells_left = LARGEST_BYTES, _MOST_CELLS

    def variables(self) -> Iterator[_Variable]:
        for element in self._elements(self._body):
            if element.kind == _COMPRESSED:
                unpacked = list(islice(self._elements(self._expanded(element.data)), 2))
                if len(unpacked) != 1:
                    raise _Damaged("compressed data must hold one variable")
                element = unpacked[0]
            if element.kind != _MATRIX:
                raise _Damaged(f"a variable is of type {_MATRIX}, got {element.kind}")
            yield self._variable(element.data, 0)

    def _elements(self, data: memoryview) -> Iterator[_Element]:
        at = 0
        while at < len(data):
            if len(data) - at < 8:
                raise _Damaged("it ends within a tag")
            kind, size = struct.unpack_from(f"{self._order}II", data, at)
            first, room = at + 8, len(data) - at - 8
            if kind >> 16:  # up to 4 bytes of data, inside the tag
                kind, size, first, room = kind & 0xFFFF, kind >> 16, at + 4, 4
            if size > room:
                raise _Damaged(f"an element of {size} bytes has room for {room}")
            yield _Element(kind, data[first : first + size])
            at = first + size
            if kind != _COMPRESSED:  # the next one begins at a multiple of 8
                at += -at % 8

    def _expanded(self, data: memoryview) -> memoryview:
        unpacker = zlib.decompressobj()
        try:
            expanded = unpacker.decompress(data, self._bytes_left + 1)
        except zlib.error as error:
            raise _Damaged(f"its compressed data cannot be expanded: {error}") from error
        self._bytes_left -= len(expanded)
        if self._bytes_left < 0:
            raise _Unsupported(
                f"its variables expand to more than {LARGEST_BYTES:,} bytes; save the matrix alone"
            )
        if not unpacker.eof:
            raise _Damaged("its compressed data end too early")
        return memoryview(expanded)

    def _variable(self, data: memoryview, level: int) -> _Variable:
        if not data:  # an empty cell
            return _Variable("", lambda: np.zeros((0, 0)))
        parts = self._elements(data)
        flags = self._integers(parts, _UINT32, "flags")
        if len(flags) != 2:
            raise _Damaged(f"an array has 2 words of flags, got {len(flags)}")
        kind = flags[0] & 0xFF
        if kind == _OPAQUE:  # has a layout of its own, and its name elsewhere
            return _Variable("", partial(_refuse, "", "an object"))
        shape = self._integers(parts, _INT32, "sides")
        if not 2 <= len(shape) <= _MOST_DIMENSIONS or min(shape) < 0:
            raise _Damaged(f"an array has 2 to {_MOST_DIMENSIONS} sides of 0 and more, got {shape}")
        name = _name(_part(parts, _INT8, "name"))
        if kind == _CELL:
            return _Variable(name, partial(self._cells, parts, shape, level))
        if kind not in _NUMERIC_CLASSES:
            what = _OTHER_CLASSES.get(kind, f"an array of class {kind}")
            return _Variable(name, partial(_refuse, name, what))
        if flags[0] & _COMPLEX:
            return _Variable(name, partial(_refuse, name, "complex ones"))
        return _Variable(name, partial(self._numbers, parts, shape))

    def _integers(self, parts: Iterator[_Element], kind: int, what: str) -> tuple[int, ...]:
        data = _part(parts, kind, what)
        if len(data) % 4:
            raise _Damaged(f"the {what} of an array have 4 bytes each, got {len(data)} in all")
        layout = f"{self._order}{'i' if kind == _INT32 else 'I'}"
        return tuple(number for (number,) in struct.iter_unpack(layout, data))

    def _numbers(self, parts: Iterator[_Element], shape: tuple[int, ...]) -> NDArray[Any]:
        element = next(parts, _Element(0, memoryview(b"")))
        if element.kind not in _NUMBERS:
            raise _Damaged(f"type {element.kind} is no type of numbers")
        return _shaped(element.data, self._order + _NUMBERS[element.kind], shape)

    def _cells(self, parts: Iterator[_Element], shape: tuple[int, ...], level: int) -> NDArray[Any]:
        count = math.prod(shape)
        self._cells_left -= count
        if self._cells_left < 0 or level == _MOST_LEVELS:
            raise _Unsupported(
                f"cell arrays may have {_MOST_CELLS:,} cells and {_MOST_LEVELS} levels; save the "
                "matrix alone"
            )
        cells: NDArray[Any] = np.empty(count, dtype=object)
        for index in range(count):
            cells[index] = self._variable(_part(parts, _MATRIX, "cells"), level + 1).read()
        return cells.reshape(shape, order="F")


def _part(parts: Iterator[_Element], kind: int, what: str) -> memoryview:
    element = next(parts, None)
    if element is None or element.kind != kind:
        got = "nothing" if element is None else element.kind
        raise _Damaged(f"the {what} of an array are of type {kind}, got {got}")
    return element.data


def _name(data: memoryview) -> str:
    name = bytes(data).decode("latin-1")
    if name and _NAME.fullmatch(name) is None:
        raise _Damaged(f"a variable cannot be named {name[:20]!a}")
    return name


def _shaped(data: memoryview, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    if math.prod(shape) * np.dtype(dtype).itemsize != len(data):
        raise _Damaged(f"an array of shape {shape} does not fit into {len(data)} bytes")
    return np.ndarray(shape, dtype, bytes(data), order="F")


def _refuse(name: str, what: str) -> NDArray[Any]:
    raise _Unsupported(
        f"{name or 'a cell'} must hold real numbers, got {what}; save a matrix of them"
    )


def _version_4(content: memoryview) -> Iterator[_Variable]:
    at, order = 0, ""
    while at < len(content):
        if len(content) - at < 20:
            raise _Damaged("it ends within the header of a variable")
        order = order or ("<" if struct.unpack_from("<i", content)[0] in range(1000) else ">")
        kind, rows, columns, imaginary, length = struct.unpack_from(f"{order}5i", content, at)
        machine, numbers, layout = kind // 1000, kind // 10 % 100, kind % 10
        if machine != (order == ">") or numbers not in _VERSION_4_NUMBERS or layout > 2:
            raise _Damaged(f"a variable cannot be of type {kind}")
        if min(rows, columns) < 0 or not 1 <= length <= 64:
            raise _Damaged(f"a variable cannot have {rows} x {columns} numbers")
        dtype = order + _VERSION_4_NUMBERS[numbers]
        first = at + 20 + length
        name = _name(content[at + 20 : first - 1])
        size = rows * columns * np.dtype(dtype).itemsize
        at = first + size * (2 if imaginary else 1)
        if at > len(content):
            raise _Damaged(f"its {rows} x {columns} numbers go beyond its end")
        if layout or imaginary:
            what = ("complex ones", "text", "a sparse matrix")[layout]
            yield _Variable(name, partial(_refuse, name, what))
        else:
            data = content[first : first + size]
            yield _Variable(name, partial(_shaped, data, dtype, (rows, columns)))
