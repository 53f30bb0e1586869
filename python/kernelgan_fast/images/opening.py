"""Files of photos, opened: what is no photo, has no end or is too large is refused unread."""

from __future__ import annotations

import io
import os
from typing import BinaryIO

from kernelgan_fast.errors import ImageError
from kernelgan_fast.files import advice_for_missing, special
from kernelgan_fast.images.limits import MAX_BYTES, size_in_words


class _PhotoFile(io.BufferedReader):
    """A file that takes memory for bytes that it has, not for all that a decoder asks for."""

    def __init__(self, raw: io.FileIO) -> None:
        super().__init__(raw)
        self._size = os.fstat(raw.fileno()).st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """Read up to `size` bytes, all where it is None or below 0."""
        return super().read(size if size is None else min(size, self._size))


def open_photo(path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES) -> BinaryIO:
    """Open the file of a photo.

    Args:
        path: the file.
        max_bytes: refuse files longer than this.

    Returns:
        The file, opened for reading.

    Raises:
        ImageError: missing, not readable, not a regular file, or too large.
    """
    name = os.fspath(path)
    kind = special(name)
    if kind == "a folder":
        raise ImageError(f"{name}: a folder, not an image; name a file in it")
    if kind is not None:
        raise ImageError(f"{name}: {kind}, not an image; save the photo to a file first")
    try:
        stream = _PhotoFile(open(name, "rb", 0))  # noqa: SIM115, the caller closes it
    except FileNotFoundError as error:
        raise ImageError(f"{name}: no such file; {advice_for_missing(name)}") from error
    except PermissionError as error:
        raise ImageError(f"{name}: no permission to read it; change its permissions") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"{name}: it cannot be opened: {reason}; check the path") from error
    size = os.fstat(stream.fileno()).st_size
    if size > max_bytes:
        stream.close()
        raise ImageError(
            f"{name}: the file of a photo may have {size_in_words(max_bytes)}, this one has "
            f"{size_in_words(size)}; crop the photo (in Python, max_bytes raises the limit)"
        )
    return stream
