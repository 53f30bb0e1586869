"""Files in object storage and other places that fsspec reaches."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from kernelgan_fast.errors import ImageError, InputError, OutputError
from kernelgan_fast.images.reading import EXTENSIONS
from kernelgan_fast.jobs.outputs import record_of_picture
from kernelgan_fast.runtime.extras import required
from kernelgan_fast.urls import Url

_TRIES, _SECONDS_BETWEEN = 3, 0.5
# These say the same however often they are asked.
_FINAL = (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)

Value = TypeVar("Value")


def open_storage(url: Url) -> tuple[Any, str]:
    """The file system a URL belongs to, and what it calls the file.

    Raises:
        InputError: fsspec, or what it needs for this kind of URL, is not installed.
    """
    fsspec = required("fsspec", "ray")
    try:
        # Listings kept from earlier would hide what other machines have written since.
        storage, path = fsspec.core.url_to_fs(str(url), use_listings_cache=False)
    except (ImportError, ValueError) as error:
        raise InputError(
            f"{url}: storage must be of a kind that fsspec can reach: {_reason(error)}"
        ) from error
    return storage, path


def find_urls(given: str) -> tuple[list[Url], list[Url]]:
    """List the photos that a URL stands for: a file, a folder, or a pattern.

    Args:
        given: the URL; one that ends in a slash is a folder.

    Returns:
        The photos, sorted, and the pictures of kernels among them that an earlier run wrote.

    Raises:
        ImageError: it stands for no photo, or the storage cannot be reached.
        InputError: as `open_storage` does.
    """
    url = Url(given.rstrip("/"))
    storage, path = open_storage(url)
    base, root = _base(str(url), path)
    try:
        photos = set(_photos(storage, path, folder=given.endswith("/")))
        own = {photo for photo in photos if _is_own(storage, photo)}
    except Exception as error:  # each storage has its own
        raise ImageError(f"{given}: cannot be listed: {_reason(error)}") from error
    if not photos:
        endings = " ".join(ending[1:] for ending in EXTENSIONS)
        raise ImageError(f"{given}: no image found there (looked for {endings}); check the URL")
    urls, left = (
        sorted(Url(base + path[len(root) :]) for path in paths) for paths in (photos - own, own)
    )
    return urls, left


def _base(url: str, path: str) -> tuple[str, str]:
    """What all photos of a URL begin with, before any pattern, in URLs and in the storage's words.

    The storage alone could not say the URLs: some leave the host out of their paths.
    """
    fixed = re.split(r"[*?[]", path, maxsplit=1)[0]
    pattern = len(path) - len(fixed)
    return url[: len(url) - pattern], fixed


def _photos(storage: Any, path: str, *, folder: bool) -> list[str]:
    kind = "directory" if folder else _kind(storage, path)
    if kind == "file":
        return [path]
    if kind == "directory":
        entries = storage.ls(path, detail=True)
        found = [str(entry["name"]) for entry in entries if entry["type"] == "file"]
    else:
        found = [str(name) for name in storage.glob(path)]
    return [name for name in found if _is_photo(name)]


def _kind(storage: Any, path: str) -> str | None:
    try:
        return str(storage.info(path)["type"])
    except FileNotFoundError:
        return None


def _is_photo(path: str) -> bool:
    name = path.rpartition("/")[2]
    return Path(name).suffix.lower() in EXTENSIONS and not name.startswith(".")


def _is_own(storage: Any, path: str) -> bool:
    folder, slash, name = path.rpartition("/")
    record = record_of_picture(name)
    return record is not None and bool(storage.exists(f"{folder}{slash}{record}"))


def fetch(url: Url, file: Path) -> None:
    """Copy a file from storage to the local disk.

    Raises:
        ImageError: it cannot be read.
    """
    storage, path = open_storage(url)
    try:
        _patiently(lambda: storage.get_file(path, str(file)))
    except FileNotFoundError as error:
        raise ImageError(f"{url}: no such file; check the URL") from error
    except Exception as error:  # each storage has its own
        raise ImageError(f"{url}: cannot be read: {_reason(error)}") from error


class StorageFolder:
    """A folder in storage that results go to.

    Args:
        path: the folder.

    Attributes:
        path: the same.

    Raises:
        InputError: as `open_storage` does.
    """

    def __init__(self, path: Url) -> None:
        self.path = path
        self._storage, self._there = open_storage(path)

    def check(self) -> None:
        """See that it can be written to; folders are made where storage knows them.

        Raises:
            OutputError: it cannot.
        """
        probe = f"{self._there}/.kernelgan-fast"
        try:
            try:
                self._storage.pipe_file(probe, b"\0")
            except FileNotFoundError:
                self._storage.makedirs(self._there, exist_ok=True)
                self._storage.pipe_file(probe, b"\0")
            self._storage.rm_file(probe)
        except Exception as error:  # each storage has its own
            raise OutputError(
                f"the output folder must be one that can be written to, got {self.path}: "
                f"{_reason(error)}; choose another with --out"
            ) from error

    def fetch(self, name: str, folder: Path) -> bool:
        """Copy one of its files into a local folder, if it is there.

        Raises:
            OutputError: it cannot be told whether it is.
        """
        file = folder / name
        try:
            _patiently(lambda: self._storage.get_file(f"{self._there}/{name}", str(file)))
        except FileNotFoundError:
            with suppress(FileNotFoundError):
                file.unlink()  # some storages open it before they look
            return False
        except Exception as error:  # each storage has its own
            raise OutputError(f"cannot read {self.path / name}: {_reason(error)}") from error
        return True

    def put(self, file: Path) -> None:
        """Copy a local file here under its own name; object storage puts it in place whole.

        Raises:
            OutputError: it cannot be written.
        """
        try:
            _patiently(lambda: self._storage.put_file(str(file), f"{self._there}/{file.name}"))
        except Exception as error:  # each storage has its own
            raise OutputError(f"cannot write {self.path / file.name}: {_reason(error)}") from error

    def remove(self, name: str) -> None:
        """Remove a file that may be here.

        Raises:
            OutputError: it cannot be removed.
        """
        try:
            _patiently(lambda: self._storage.rm_file(f"{self._there}/{name}"))
        except FileNotFoundError:
            return
        except Exception as error:  # each storage has its own
            raise OutputError(f"cannot replace {self.path / name}: {_reason(error)}") from error


def _patiently(attempt: Callable[[], Value]) -> Value:
    """Try again what a network may have spoilt."""
    for tries in range(1, _TRIES + 1):
        try:
            return attempt()
        except _FINAL:
            raise
        except Exception:
            if tries == _TRIES:
                raise
            time.sleep(_SECONDS_BETWEEN * tries)
    raise AssertionError("unreachable")


def _reason(error: Exception) -> str:
    """An error of a storage in one line."""
    lines = str(error).split("\n")
    return lines[0].strip() or type(error).__name__
