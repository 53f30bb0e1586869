"""Kernels in .mat files, of MATLAB 4 and 5."""

from __future__ import annotations

import functools
import io
import struct
from typing import Any

import numpy as np
from fuzz.containers import repacked
from fuzz.kernel_files import gaussian, run_kernel
from fuzz.mutation import edited, integer, packed
from numpy.random import Generator

_HEADER, _COMPRESSED = 128, 15


@functools.cache
def seeds() -> list[bytes]:
    """Plain, packed, of MATLAB 4, with scale, a stack, a cell array, and a struct besides."""
    kernel = gaussian()
    cell = np.empty((1, 2), object)
    cell[0, 0] = cell[0, 1] = kernel
    more = {"text": "words", "record": {"a": 1.0, "b": "c"}, "flags": np.array([True])}
    return [
        mat({"Kernel": kernel, "scale": 2.0}),
        mat({"Kernel": kernel, "scale": 2.0}, do_compression=True),
        mat({"kernel": kernel.astype(np.float32)}, format="4"),
        mat({"kernels": np.stack([kernel, kernel], axis=2)}),
        mat({"kernels": cell}, do_compression=True),
        mat({"ker": kernel, **more}),
    ]


def structured(data: bytes, rng: Generator) -> bytes:
    """Change one element: its tag, or its content, unpacked where it is packed."""
    elements = []
    place = _HEADER
    while place + 8 <= len(data):
        kind, length = struct.unpack("<II", data[place : place + 8])
        elements.append((place, kind, data[place + 8 : place + 8 + length]))
        place += 8 + length
    if not elements or data[126:128] != b"IM":
        return edited(data, rng)
    place, kind, body = elements[rng.integers(len(elements))]
    after = data[place + 8 + len(body) :]
    if rng.random() < 0.1:
        tag = packed(integer(rng), 4, "<") + data[place + 4 : place + 8]
        return data[:place] + tag + data[place + 8 :]
    if kind == _COMPRESSED:
        body = repacked(body, rng, _element_edited)
    else:
        body = _element_edited(body, rng)
    return data[:place] + struct.pack("<II", kind, len(body)) + body + after


def run(data: bytes) -> None:
    """Read it as a kernel."""
    run_kernel(data, ".mat")


def _element_edited(body: bytes, rng: Generator) -> bytes:
    """Change a word at a multiple of 4, where tags, flags and sides are, or any bytes."""
    if len(body) < 8 or rng.random() < 0.4:
        return edited(body, rng)
    place = 4 * int(rng.integers(min(len(body) // 4, 24)))
    value = integer(rng) if rng.random() < 0.5 else int(rng.integers(0, 20))
    return body[:place] + packed(value, 4, "<") + body[place + 4 :]


def mat(content: dict[str, Any], **options: Any) -> bytes:
    from scipy.io import savemat

    stream = io.BytesIO()
    savemat(stream, content, **options)
    return stream.getvalue()
