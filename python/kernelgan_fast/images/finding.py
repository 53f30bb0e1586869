"""Which photos files, folders and patterns stand for."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from kernelgan_fast.errors import ImageError
from kernelgan_fast.files import advice_for_missing, special

EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")


def find_images(inputs: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """List the photos that files, folders and glob patterns stand for.

    A folder stands for the images directly in it (hidden files left out); a file that is named
    outright is taken whatever its extension; in patterns `**` crosses folders.

    Returns:
        The paths, sorted, each file once.

    Raises:
        ImageError: nothing was given, or one of the inputs stands for no image at all, is a pipe
            or a device, or is a folder that cannot be listed.
    """
    if not inputs:
        raise ImageError("no photo was given; name files, folders or patterns such as 'in/*.png'")
    found: dict[Path, Path] = {}
    for item in inputs:
        name = os.fspath(item)
        matches = _matches(name)
        if not matches:
            kind = special(name)
            if kind not in (None, "a folder"):
                raise ImageError(f"{name}: {kind}, not an image; save the photo to a file first")
            raise ImageError(
                f"{name}: no image found there "
                f"(looked for {' '.join(e[1:] for e in EXTENSIONS)}); {advice_for_missing(name)}"
            )
        for match in matches:
            file = match.resolve()
            found[file] = min(match, found.get(file, match))
    return sorted(found.values())


def _matches(text: str) -> list[Path]:
    # os.path, as the methods of Path raise where a name is too long or a folder not accessible.
    if os.path.isfile(text):
        return [Path(text)]
    names = _listed(text) if os.path.isdir(text) else map(Path, glob.glob(text, recursive=True))
    return [
        name
        for name in names
        if name.suffix.lower() in EXTENSIONS
        and os.path.isfile(name)
        and not name.name.startswith(".")
    ]


def _listed(folder: str) -> list[Path]:
    try:
        return list(Path(folder).iterdir())
    except OSError as error:
        reason = error.strerror or error
        raise ImageError(f"{folder}: the folder cannot be listed: {reason}; check it") from error
