"""Kernel files that are damaged or hostile: refused in words, whatever they hold."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mat_cells import cells
from scipy.io import savemat

from kernelgan_fast.errors import InputError
from kernelgan_fast.kernels import BlurKernel, load

BINOMIAL = np.outer([1, 2, 1], [1, 2, 1]) / 16


def mat(variables: dict[str, Any], **options: Any) -> bytes:
    stream = io.BytesIO()
    savemat(stream, variables, **options)
    return stream.getvalue()


def npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


SMALL_FILES = {
    "plain.mat": mat({"Kernel": BINOMIAL, "scale": 2}),
    "packed.mat": mat({"kernels": cells(BINOMIAL, BINOMIAL)}, do_compression=True),
    "cells.mat": mat({"kernels": cells(BINOMIAL, np.float32(BINOMIAL))}),
    "four.mat": mat({"ker": BINOMIAL, "scale": 2.0}, format="4"),
    "one.npy": npy(BINOMIAL),
    "two.npy": npy(np.stack([BINOMIAL, BINOMIAL]).astype(np.float32)),
    "kernel.json": json.dumps({"kernel": BINOMIAL.tolist(), "scale": 2}).encode(),
}


@pytest.mark.parametrize("name", SMALL_FILES)
def test_no_byte_ends_the_process(tmp_path: Path, name: str) -> None:
    """Each byte changed in four ways, and each length: a kernel comes of it, or an InputError."""
    content, path = SMALL_FILES[name], tmp_path / name
    results = set()

    def attempt(changed: bytes) -> None:
        path.write_bytes(changed)
        try:
            results.add(type(load(path, scale=2, index=0)))
        except InputError as error:
            assert str(error).startswith(str(path))
            results.add(type(error))

    for place, byte in enumerate(content):
        attempt(content[:place])
        for other in (0, 0xFF, byte ^ 1, ord("9")):
            attempt(content[:place] + bytes([other]) + content[place + 1 :])
    assert results <= {BlurKernel, InputError} and InputError in results


@pytest.mark.parametrize("suffix", [".npy", ".mat", ".json"])
@pytest.mark.parametrize("size", [102, 501])
def test_kernels_have_a_largest_size(tmp_path: Path, suffix: str, size: int) -> None:
    array = np.zeros((size, size))
    array[size // 2, size // 2] = 1
    path = tmp_path / f"k{suffix}"
    content = {
        ".npy": npy(array),
        ".mat": mat({"Kernel": array}),
        ".json": json.dumps({"kernel": array.tolist()}).encode(),
    }
    path.write_bytes(content[suffix])
    with pytest.raises(InputError, match=rf"k{suffix}: a kernel may have 101 x 101 px, got {size}"):
        load(path, scale=2)


@pytest.mark.parametrize("suffix", [".npy", ".mat", ".json"])
@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([1e308, 1e308, 1e308], "sum to 1, got inf"),
        ([1e308, -1e308, 1.0], "kernel"),  # rounding decides what they sum to
        ([np.inf, -np.inf, 1.0], "sum to 1, got nan"),
        ([700.0, -699.0, 0.0], "absolute weights of a kernel may sum to 1000, got 1399"),
    ],
)
def test_sums_that_overflow_name_the_file(
    tmp_path: Path, suffix: str, values: list[float], words: str
) -> None:
    array = np.zeros((3, 3))
    array[1] = values
    path = tmp_path / f"k{suffix}"
    content = {
        ".npy": npy(array),
        ".mat": mat({"Kernel": array}),
        ".json": json.dumps({"kernel": array.tolist()}).encode(),
    }
    path.write_bytes(content[suffix])
    with pytest.raises(InputError, match=rf"k{suffix}: .*{words}"):
        load(path, scale=2)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "got type |O"),
        (b"{'descr': '<f1', 'fortran_order': False, 'shape': (1,), }", "not understood"),
        (b"{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }", "does not begin as"),
        (b"{'descr': '<f8', 'fortran_order': False, 'shape': (9, 9), }", "does not fit"),
        (b"{'descr': '<f8', 'fortran_order': 1, 'shape': (1,), }", "does not begin as"),
        (b"{'descr': __import__('os'), 'fortran_order': False, 'shape': (1,), }", "begin as"),
        (b"(" * 900, "does not begin as"),
    ],
)
def test_headers_are_not_evaluated(tmp_path: Path, header: bytes, words: str) -> None:
    path = tmp_path / "k.npy"
    length = (len(header) + 1).to_bytes(2, "little")
    path.write_bytes(b"\x93NUMPY\1\0" + length + header + b"\n" + np.float64(1).tobytes())
    with pytest.raises(InputError, match=f"not a readable .npy file .*{words}"):
        load(path, scale=2)


@pytest.mark.parametrize("suffix", [".npy", ".mat", ".json"])
def test_pipes_and_devices_are_not_read(tmp_path: Path, suffix: str) -> None:
    os.mkfifo(tmp_path / f"pipe{suffix}")
    (tmp_path / f"zero{suffix}").symlink_to("/dev/zero")
    (tmp_path / f"folder{suffix}").mkdir()
    for name, words in (("pipe", "a pipe"), ("zero", ".*a device"), ("folder", "a folder")):
        with pytest.raises(InputError, match=f"{name}{suffix}: {words}"):
            load(tmp_path / f"{name}{suffix}", scale=2)


def test_a_scale_in_a_mat_file_is_one_integer(tmp_path: Path) -> None:
    for scale, words in (([2, 4], "one integer"), (2.5, "one integer"), (np.nan, "one integer")):
        savemat(tmp_path / "k.mat", {"Kernel": BINOMIAL, "scale": scale})
        with pytest.raises(InputError, match=rf"k\.mat: its scale must be {words}"):
            load(tmp_path / "k.mat")


@pytest.mark.parametrize(
    "document",
    [
        '{"kernel": [[1]], "scale": 2, "provenance": {"a": NaN}}',
        '{"kernel": [[1]], "scale": "2\x1b[31m"}',
        '{"kernel": [[1]], "scale": [2]}',
        '{"kernel": [[1%s]], "scale": 2}' % ("0" * 400),
        '{"kernel": [[1, 2], [3]], "scale": 2}',
        '{"kernel": %s, "scale": 2}' % ("[" * 100_000),
        '{"kernel": null, "scale": 2}',
        '{"kernel": {}, "scale": 2}',
    ],
)
def test_strange_json_names_the_file(tmp_path: Path, document: str) -> None:
    (tmp_path / "k.json").write_text(document)
    with pytest.raises(InputError, match=r"k\.json: ") as caught:
        load(tmp_path / "k.json")
    assert str(caught.value).isprintable()
