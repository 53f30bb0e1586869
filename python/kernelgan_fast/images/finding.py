"""Which photos files, folders and patterns stand for."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from kernelgan_fast.errors import ImageError
from kernelgan_fast.files import advice_for_missing

EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")


def find_images(inputs: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """List the photos that files, folders and glob patterns stand for.

    A folder stands for the images directly in it (hidden files left out); a file that is named
    outright is taken whatever its extension; in patterns `**` crosses folders.

    Returns:
        The paths, sorted, each file once.

    Raises:
        ImageError: nothing was given, or one of the inputs stands for no image at all.
    """
    if not inputs:
        raise ImageError("no photo was given; name files, folders or patterns such as 'in/*.png'")
    found: dict[Path, Path] = {}
    for item in inputs:
        matches = _matches(os.fspath(item))
        if not matches:
            raise ImageError(
                f"{os.fspath(item)}: no image found there "
                f"(looked for {' '.join(e[1:] for e in EXTENSIONS)}); "
                f"{advice_for_missing(os.fspath(item))}"
            )
        for match in matches:
            file = match.resolve()
            found[file] = min(match, found.get(file, match))
    return sorted(found.values())


def _matches(text: str) -> list[Path]:
    path = Path(text)
    if path.is_file():
        return [path]
    names = path.iterdir() if path.is_dir() else map(Path, glob.glob(text, recursive=True))
    return [
        name
        for name in names
        if name.suffix.lower() in EXTENSIONS and name.is_file() and not name.name.startswith(".")
    ]
