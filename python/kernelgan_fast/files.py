"""Files of limited size in, whole files or none out: how this package reads and writes data.

A file is written under a temporary name in its folder, `.kernelgan-fast-HOST-RANDOM.part`, and
then renamed. The writer holds a lock on it (`flock`), which ends with the process however it ends.
A process that was killed leaves the temporary file behind; the next one that writes to the folder
finds it without a lock and removes it.
"""

from __future__ import annotations

import difflib
import errno
import fcntl
import functools
import hashlib
import json
import os
import platform
import re
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from kernelgan_fast.errors import InputError, OutputError

# Bytes of a JSON file. The record of a folder of 100,000 enlarged photos has 150 MB.
LARGEST_JSON = 1 << 30

_TEMPORARY = re.compile(r"\.kernelgan-fast-(?P<host>[0-9a-f]{8})-\w+\.(?P<kind>part|run)")
# Locks may not reach between machines. A file of another one that was last written to so long ago
# has no writer any more.
_SECONDS_UNTIL_ABANDONED = 24 * 3600

_ADVICE = {
    errno.ENOSPC: "the disk is full: free some space or choose another folder",
    errno.EDQUOT: "the disk quota is used up: free some space or choose another folder",
    errno.EFBIG: "the file is larger than the file system or `ulimit -f` allows: raise the limit",
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


def special(path: str | os.PathLike[str]) -> str | None:
    """Name what a path leads to if it is neither a regular file nor nothing.

    Reading from such a path may block forever or never end; replacing it may damage the system.

    Args:
        path: of any kind; links are followed.

    Returns:
        "a folder", "a pipe", "a socket" or "a device"; None otherwise.
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return None
    if stat.S_ISREG(mode):
        return None
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def check_target(path: str | os.PathLike[str]) -> None:
    """Check that a file of this name can be written, as far as can be said before it is.

    Args:
        path: the file to write; neither it nor its folder need exist.

    Raises:
        OutputError: the name is too long for the file system, or stands for a folder or a device.
    """
    try:
        os.stat(path)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise _explained(Path(path), error) from error
        return  # writing it will tell what is wrong with its folder
    kind = special(path)
    if kind is not None:
        raise OutputError(f"cannot write {path}: it is {kind}: give the name of a file")


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
    kind = special(name)
    if kind == "a folder":
        raise InputError(f"{name}: a folder, not a file; name a file in it")
    if kind is not None:
        raise InputError(f"{name}: {kind}, not a file; copy its content to a file")
    try:
        with open(name, "rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            # Not more than is there: as many bytes are allocated as are asked for.
            content = stream.read(min(size, largest + 1))
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
        OutputError: the operating system refused (disk full, permission, missing folder, ...), or
            the path is a folder, a device or a pipe.
    """
    target = Path(path)
    check_target(target)
    _remove_leftovers_once(os.path.abspath(target.parent))
    temporary: str | None = None
    try:
        with _locked_file(target.parent, "part") as (handle, temporary):
            # Closed before the file is moved, as some file systems report a full disk only then.
            # The lock stays with the other descriptor.
            with os.fdopen(os.dup(handle), "wb") as stream:
                write(stream)
            os.chmod(temporary, _ordinary_mode())
            os.replace(temporary, target)
    except BaseException as error:
        if temporary is not None:
            _remove_quietly(temporary)
        if isinstance(error, OSError) and not isinstance(error, OutputError):
            raise _explained(target, error) from error
        raise


@contextmanager
def running_mark(folder: Path) -> Iterator[Path]:
    """Keep an empty hidden file in a folder while a run uses it.

    Args:
        folder: must exist.

    Raises:
        OutputError: it could not be written.
    """
    with ExitStack() as stack:
        try:
            _, name = stack.enter_context(_locked_file(folder, "run"))
        except OSError as error:
            raise _explained(folder, error) from error
        stack.callback(_remove_quietly, name)
        yield Path(name)


def remove_leftovers(folder: str | os.PathLike[str]) -> None:
    """Remove the temporary files of processes that were killed while they wrote to a folder.

    Files that a running process still writes are kept: it holds a lock on them. Of another
    machine, whose locks may not be seen, only files older than a day are removed.

    Args:
        folder: may be missing or unreadable; nothing is removed then.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            match = _TEMPORARY.fullmatch(entry.name)
            if match is not None:
                with suppress(OSError):  # another process may remove it first
                    _remove_if_abandoned(entry.path, match)


def _remove_if_abandoned(path: str, match: re.Match[str]) -> None:
    if match["host"] != _host():
        old = time.time() - os.stat(path).st_mtime > _SECONDS_UNTIL_ABANDONED
        if match["kind"] == "part" and old:
            os.unlink(path)
        return
    handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(path)
    finally:
        os.close(handle)


@functools.cache
def _remove_leftovers_once(folder: str) -> None:
    # Once per process: listing a large folder before each of its files would take too long.
    remove_leftovers(folder)


@contextmanager
def _locked_file(folder: Path, kind: str) -> Iterator[tuple[int, str]]:
    """Make a temporary file and hold a lock on it; gives its descriptor and its name."""
    while True:
        handle, name = tempfile.mkstemp(
            dir=folder, prefix=f".kernelgan-fast-{_host()}-", suffix=f".{kind}"
        )
        if _lock(handle, name):
            break
        os.close(handle)
    try:
        yield handle, name
    finally:
        os.close(handle)


def _lock(handle: int, name: str) -> bool:
    """Lock a new file; False where another process took it for a leftover just before."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks: then nobody can take it for a leftover
    return os.path.exists(name)


@functools.cache
def _host() -> str:
    return hashlib.sha256(platform.node().encode(errors="replace")).hexdigest()[:8]


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
