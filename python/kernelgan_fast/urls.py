"""Files and folders that a URL names, as in object storage."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_URL = re.compile(r"(?P<protocol>[a-zA-Z][a-zA-Z0-9+.-]*)://(?P<rest>.*)", re.DOTALL)
_LOCAL = ("file", "local")


@dataclass(frozen=True, order=True)
class Url:
    """A file or folder in some storage, such as s3://bucket/photos/a.jpg.

    Attributes:
        text: the URL, without a slash at its end.
    """

    text: str

    def __str__(self) -> str:
        return self.text

    def __truediv__(self, name: str) -> Url:
        return Url(f"{self.text}/{name}")

    @property
    def name(self) -> str:
        """The last part."""
        return self.text.rpartition("/")[2]

    @property
    def path(self) -> Path:
        """What a file system would call it: bucket and key, to take names from."""
        return Path("/", self.text.partition("://")[2])


def place_of(text: str) -> Path | Url:
    """What a word names: a path, also where it is written as file://, or a URL."""
    match = _URL.fullmatch(text)
    if match is None:
        return Path(text)
    if match["protocol"].lower() in _LOCAL:
        return Path(match["rest"])
    return Url(text.rstrip("/"))
