"""Kernels on disk: .npy, .mat, .json and .png out; .npy, .mat and .json in.

A file is written whole or not at all, and the same kernel gives the same bytes.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import reprlib
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernelgan_fast.errors import InputError
from kernelgan_fast.files import atomic_write, read_file
from kernelgan_fast.kernels.blur_kernel import CONVENTION, BlurKernel, check_size
from kernelgan_fast.kernels.matfile import read_mat
from kernelgan_fast.kernels.picture import save_picture

# The names under which SRMD, USRNet, ZSSR, KernelGAN and kernel pools keep theirs.
MAT_VARIABLES = ("Kernel", "ker", "kernel", "kernels")

# Stored kernels are often float32 or rounded; further off than this it is not a blur kernel.
_SUM_TOLERANCE = 0.01
_EXACT_SUM = 1e-6

# Bytes of a .npy or .json file; a kernel of the largest size takes 80 kB as .npy, 300 kB as .json.
_LARGEST_FILE = 64 << 20

# The first bytes of a .npy file, up to its data. The header is Python source, which numpy's reader
# evaluates; these are the three entries as numpy and other programs write them.
_NPY_HEADER = re.compile(
    rb"\x93NUMPY(?:\x01\x00..|[\x02\x03]\x00....)"
    rb"\{\s*'descr':\s*'([ -&(-~]{1,16})',\s*'fortran_order':\s*(True|False),"
    rb"\s*'shape':\s*\(([\d, ]{0,100})\),?\s*\}[ ]*\n",
    re.DOTALL,
)

# The 116 bytes of text a .mat file starts with; scipy would put the time of day there.
_MAT_HEADER = b"MATLAB 5.0 MAT-file, written by kernelgan-fast".ljust(116)


def save(kernel: BlurKernel, path: str | os.PathLike[str]) -> None:
    """Write a kernel in the format its suffix names.

    .npy   the float64 array alone
    .mat   variables `Kernel` (float64), `scale` and, where it is known, `expected_error`
    .json  array, scale, convention, provenance, expected error and statistics
    .png   a picture for the eye; it cannot be read back

    Args:
        kernel: the kernel.
        path: the file; its folder must exist. An old file there is replaced.

    Raises:
        InputError: another suffix.
        OutputError: the file could not be written; an old one is untouched.
    """
    suffix = Path(path).suffix.lower()
    if suffix == ".png":
        save_picture(kernel, path)
        return
    if suffix not in _WRITERS:
        raise InputError(f"{path}: a kernel is saved as .npy, .mat, .json or .png, got '{suffix}'")
    write = _WRITERS[suffix]
    atomic_write(path, lambda stream: write(kernel, stream))


def load(
    path: str | os.PathLike[str], *, scale: int | None = None, index: int | None = None
) -> BlurKernel:
    """Read a kernel, ours or another program's, as it is stored: it is not centred again.

    An even-sized kernel gets a zero row on top and a zero column on the left: its middle then
    sits half a pixel after the centre tap, where the half-pixel rule wants it. A sum that misses
    1 by rounding (up to 1 %) is made 1.

    Args:
        path: .npy, .json, or .mat (variable `Kernel`, `ker`, `kernel` or `kernels`).
        scale: needed where the file does not say it (every .npy, most .mat files).
        index: which kernel to take of a file that holds several, from 0.

    Raises:
        InputError: missing or damaged file, no kernel in it, several without `index`, no scale
            or another one than the file's, not square, not finite, or a sum far from 1.
    """
    name = os.fspath(path)
    suffix = Path(name).suffix.lower()
    if suffix not in _READERS:
        raise InputError(f"{name}: a kernel is read from .npy, .mat or .json, got '{suffix}'")
    try:
        stored = _READERS[suffix](name)
        array = _normalised(_odd(_chosen(stored.arrays, index)))
        return BlurKernel(
            array,
            _agreed_scale(scale, stored.scale),
            provenance=stored.provenance,
            expected_error=stored.expected_error,
        )
    except InputError as error:
        if str(error).startswith(name):
            raise
        raise InputError(f"{name}: {error}") from error
    except MemoryError as error:
        raise InputError(f"{name}: not enough memory to read it") from error
    except (OverflowError, RecursionError, SyntaxError, TypeError, ValueError) as error:
        # numpy and json answer damaged files with all of these.
        raise InputError(f"{name}: not a readable {suffix} file ({error})") from error


def _write_npy(kernel: BlurKernel, stream: BinaryIO) -> None:
    np.save(stream, kernel.array, allow_pickle=False)


def _write_mat(kernel: BlurKernel, stream: BinaryIO) -> None:
    from scipy.io import savemat

    buffer: Any = io.BytesIO()
    variables = {"Kernel": kernel.array, "scale": float(kernel.scale)}
    if kernel.expected_error is not None:
        variables["expected_error"] = kernel.expected_error
    savemat(buffer, variables)
    stream.write(_MAT_HEADER + buffer.getvalue()[len(_MAT_HEADER) :])


def _write_json(kernel: BlurKernel, stream: BinaryIO) -> None:
    widths = kernel.widths
    statistics = {
        "size": kernel.size,
        "centre_of_mass": list(kernel.centre_of_mass),
        "covariance": kernel.covariance.tolist(),
        "sigma_major": widths.major,
        "sigma_minor": widths.minor,
        "angle_degrees": widths.angle,
    }
    rows = ",\n    ".join(json.dumps(row) for row in kernel.array.tolist())
    fields = [
        f'"scale": {kernel.scale}',
        f'"convention": {json.dumps(kernel.convention)}',
        f'"provenance": {json.dumps(dict(kernel.provenance))}',
        f'"expected_error": {json.dumps(kernel.expected_error)}',
        f'"statistics": {json.dumps(statistics)}',
        f'"kernel": [\n    {rows}\n  ]',
    ]
    stream.write(("{\n  " + ",\n  ".join(fields) + "\n}\n").encode())


class _Stored(NamedTuple):
    """What a file holds; all but the arrays may be missing, and nothing is checked yet."""

    arrays: list[Any]
    scale: Any = None
    provenance: Any = MappingProxyType({})
    expected_error: Any = None


def _read_npy(name: str) -> _Stored:
    content = read_file(name, _LARGEST_FILE)
    header = _NPY_HEADER.match(content)
    if header is None:
        raise ValueError("it does not begin as such a file does")
    kind, fortran, sides = (part.decode() for part in header.groups())
    if re.fullmatch(r"[<>|=][fiu]\d+", kind) is None:  # objects would have to be unpickled
        raise ValueError(f"a kernel is an array of real numbers, got type {kind}")
    shape = tuple(map(int, re.findall(r"\d+", sides)))
    dtype, start = np.dtype(kind), header.end()
    if math.prod(shape) * dtype.itemsize != len(content) - start:
        raise ValueError(f"an array of shape {shape} does not fit into its size")
    order: Literal["C", "F"] = "F" if fortran == "True" else "C"
    return _Stored(_split(np.ndarray(shape, dtype, content[start:], order=order)))


def _read_json(name: str) -> _Stored:
    document = json.loads(read_file(name, _LARGEST_FILE).decode("utf-8"))
    if not isinstance(document, dict) or "kernel" not in document:
        raise InputError('a kernel file must hold an object with "kernel"; check the path')
    convention = document.get("convention", CONVENTION)
    if convention != CONVENTION:
        raise InputError(f"the convention must be '{CONVENTION}', got {reprlib.repr(convention)}")
    array = np.array(document["kernel"], dtype=np.float64)
    return _Stored(
        _split(array),
        document.get("scale"),
        document.get("provenance", {}),
        document.get("expected_error"),
    )


def _read_mat(name: str) -> _Stored:
    found = read_mat(name, (*MAT_VARIABLES, "scale", "expected_error"))
    stored = [found.arrays[key] for key in MAT_VARIABLES if key in found.arrays]
    if not stored:
        names = ", ".join(found.names[:10]) or "nothing"
        raise InputError(f"no variable {', '.join(MAT_VARIABLES)} in it, only {names}; rename it")
    scale, error = (found.arrays.get(key) for key in ("scale", "expected_error"))
    return _Stored(
        _split(stored[0]),
        None if scale is None else _scale_of(scale),
        expected_error=None if error is None else _number(error),
    )


def _scale_of(array: NDArray[Any]) -> int:
    value = _number(array)
    if not value.is_integer():
        raise InputError(f"its scale must be one integer, got {reprlib.repr(array.tolist())}")
    return int(value)


def _number(array: NDArray[Any]) -> float:
    return float(array.item()) if array.size == 1 and array.dtype != object else math.nan


def _split(array: NDArray[Any]) -> list[Any]:
    """Take a cell array, a (k, k, N) or an (N, k, k) stack apart; one kernel is a list of one."""
    if array.dtype == object:
        return [cell for item in array.ravel() for cell in _split(np.asarray(item))]
    if array.ndim != 3:
        return [array]
    return list(np.moveaxis(array, -1, 0) if array.shape[0] == array.shape[1] else array)


def _chosen(arrays: list[Any], index: int | None) -> NDArray[np.float64]:
    if index is None and len(arrays) > 1:
        raise InputError(
            f"holds {len(arrays)} kernels; say which with index=0 to {len(arrays) - 1}"
        )
    if not 0 <= (index or 0) < len(arrays):
        raise InputError(f"index must be 0 to {len(arrays) - 1}, got {index}")
    array: NDArray[np.float64] = np.asarray(arrays[index or 0])
    if array.dtype.kind not in "fiu" or array.ndim != 2 or 0 in array.shape:
        raise InputError(
            f"a kernel must be a square array of numbers, got shape {array.shape} of {array.dtype}"
        )
    check_size(array.shape)
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused later
        return array.astype(np.float64)


def _odd(array: NDArray[np.float64]) -> NDArray[np.float64]:
    even = array.shape[0] == array.shape[1] and array.shape[0] % 2 == 0
    return np.pad(array, ((1, 0), (1, 0))) if even else array


def _normalised(array: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(over="ignore", invalid="ignore"):
        total = float(array.sum())
    if not abs(total - 1.0) <= _SUM_TOLERANCE:
        raise InputError(
            f"a kernel must sum to 1, got {total:.6g}; divide it by its sum if it is one"
        )
    return array if abs(total - 1.0) <= _EXACT_SUM else array / total


def _agreed_scale(asked: int | None, stored: Any) -> Any:
    if asked is None and stored is None:
        raise InputError("the file does not say its scale; give scale=2 or scale=4")
    if asked is not None and stored is not None and asked != stored:
        shown = reprlib.repr(stored)
        raise InputError(f"the kernel is for scale {shown}, not {asked}; ask for {shown}")
    return asked if stored is None else stored  # checked by BlurKernel


_WRITERS: dict[str, Callable[[BlurKernel, BinaryIO], None]] = {
    ".npy": _write_npy,
    ".mat": _write_mat,
    ".json": _write_json,
}
_READERS: dict[str, Callable[[str], _Stored]] = {
    ".npy": _read_npy,
    ".mat": _read_mat,
    ".json": _read_json,
}
