"""Kernels in .npy files."""

from __future__ import annotations

import functools
import io

import numpy as np
from fuzz.kernel_files import gaussian, run_kernel
from fuzz.mutation import edited, number_edited
from numpy.random import Generator
from numpy.typing import NDArray

_WORDS = (b"<f8", b">f8", b"<f4", b"<f2", b"<i4", b"|u1", b"|b1", b"<c16", b"|O", b"<M8[s]", b"|S8")
_HEADER = 128


@functools.cache
def seeds() -> list[bytes]:
    """One kernel of each type and order, and a stack."""
    kernel = gaussian()
    stack = np.stack([kernel, kernel])
    return [
        *(_npy(array) for array in (kernel, kernel.astype(np.float32), kernel.astype(">f8"))),
        *(_npy(array) for array in (np.asfortranarray(kernel), gaussian(8), stack)),
    ]


def structured(data: bytes, rng: Generator) -> bytes:
    """Change the header's words, or the numbers of the array."""
    head, body = data[:_HEADER], data[_HEADER:]
    how = rng.integers(4)
    if how == 0:
        return number_edited(head, rng) + body
    if how == 1:
        for word in _WORDS:
            head = head.replace(word, _WORDS[rng.integers(len(_WORDS))], 1)
        return head + body
    if how == 2 and len(body) % 8 == 0 and body:
        values = np.frombuffer(body, "<f8").copy()
        special = (np.nan, np.inf, -np.inf, 1e308, -1e308, 1e-320, 0.0, 1.0, -1.0)
        values[rng.integers(len(values))] = special[rng.integers(len(special))]
        return head + values.tobytes()
    return head + edited(body, rng)


def run(data: bytes) -> None:
    """Read it as a kernel."""
    run_kernel(data, ".npy")


def _npy(array: NDArray[np.float64]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()
