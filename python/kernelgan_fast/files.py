"""Files of limited size in, whole files or none out: how this package reads and writes data."""

from __future__ import annotations

import difflib
import errno
import json
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from kernelgan_fast.errors import InputError, OutputError

# Bytes of a JSON file. The record of a folder of 100,000 enlarged photos has 150 MB.
LARGEST_JSON = 1 << 30

_ADVICE = {
    errno.ENOSPC: "the disk is full: free some space or choose another folder",
    errno.EDQUOT: "the disk quota is used up: free some space or choose another folder",
    errno.EACCES: "no permission to write there: choose another folder or change its permissions",
    errno.EPERM: "no permission to write there: choose another folder or change its permissions",
    errno.EROFS: "the file system is read-only: choose another folder",
    errno.ENOENT: "the folder does not exist: create it first",
    errno.ENOTDIR: "a part of the path is a file, not a folder: choose another folder",
    errno.EISDIR: "the path is a folder: give a file name",
    errno.ENAMETOOLONG: "the file name is too long: give a shorter one",
}


def advice_for_missing(path: str | os.PathLike[str]) -> str:
    """What to do about a file that is not there: take the one of nearly its name, if there is one.

    Args:
        path: the file.

    Returns:
        The end of an error message, without a full stop.
    """
    try:
        names = os.listdir(os.path.dirname(path) or ".")
    except (OSError, ValueError):
        names = []
    nearest = difflib.get_close_matches(os.path.basename(path), names, n=1, cutoff=0.8)
    if not nearest:
        return "check the path"
    return f"did you mean {os.path.join(os.path.dirname(path), nearest[0])}?"


def read_file(path: str | os.PathLike[str], largest: int) -> bytes:
    """Read a regular file of limited size.

    Pipes and devices are refused before they are opened, because reading them may never end.

    Args:
        path: the file.
        largest: number of bytes that it may have.

    Raises:
        InputError: there is no such file, it is not a regular file, it is larger, or it cannot be
            read.
    """
    name = os.fspath(path)
    try:
        mode = os.stat(name).st_mode
        if stat.S_ISDIR(mode):
            raise InputError(f"{name}: a folder, not a file; name a file in it")
        if not stat.S_ISREG(mode):
            raise InputError(f"{name}: a pipe or a device, not a file; copy its content to a file")
        with open(name, "rb") as stream:
            content = stream.read(largest + 1)
    except FileNotFoundError as error:
        raise InputError(f"{name}: no such file; {advice_for_missing(name)}") from error
    except OSError as error:
        raise InputError(f"{name}: cannot be read ({error.strerror or error})") from error
    except ValueError as error:  # a null character, or characters that no file name can hold
        raise InputError(f"{name!r}: not a usable file name ({error})") from error
    if len(content) > largest:
        raise InputError(f"{name}: larger than the {largest:,} bytes that such a file may have")
    return content


def read_json(path: str | os.PathLike[str]) -> object:
    """Read a JSON file of limited size.

    The content is other people's: it may have any structure, and numbers in it may be infinite,
    NaN, or integers of any length.

    Raises:
        InputError: the file cannot be read (see `read_file`), or is not JSON.
    """
    content = read_file(path, LARGEST_JSON)
    try:
        return json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{os.fspath(path)}: not a JSON file ({error})") from error


def atomic_write(path: str | os.PathLike[str], write: Callable[[BinaryIO], None]) -> None:
    """Write a file whole or not at all.

    The bytes go to a temporary name in the same folder, which then replaces `path`, so a reader
    sees the old file or the new one and never a part of either. On any failure, whatever its
    kind, the temporary file is removed and an old file at `path` is untouched.

    Args:
        path: the file to write; its folder must exist.
        write: called once with the open binary file (it can be sought in).

    Raises:
        OutputError: the operating system refused (disk full, permission, missing folder, ...).
    """
    target = Path(path)
    temporary: str | None = None
    try:
        handle, temporary = tempfile.mkstemp(
            dir=target.parent, prefix=f".{target.name[:100]}.", suffix=".part"
        )
        with os.fdopen(handle, "wb") as stream:
            write(stream)
        os.chmod(temporary, _ordinary_mode())
        os.replace(temporary, target)
    except BaseException as error:
        if temporary is not None:
            _remove_quietly(temporary)
        if isinstance(error, OSError) and not isinstance(error, OutputError):
            raise _explained(target, error) from error
        raise


def _ordinary_mode() -> int:
    # mkstemp makes files only their owner can read; results get what open() would give them.
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _remove_quietly(name: str) -> None:
    # The first error is the one to report, not a failed clean-up after it.
    try:
        os.unlink(name)
    except OSError:
        return


def _explained(target: Path, error: OSError) -> OutputError:
    cause = _ADVICE.get(error.errno or 0, error.strerror or str(error))
    return OutputError(f"cannot write {target}: {cause}")
