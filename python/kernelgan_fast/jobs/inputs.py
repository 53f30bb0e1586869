"""What runs over photo files share: finding the photos, and telling of one that failed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from kernelgan_fast.errors import InputError, is_out_of_memory
from kernelgan_fast.estimation.result import PhotoResult
from kernelgan_fast.images import find_images
from kernelgan_fast.jobs.outputs import unique_names
from kernelgan_fast.urls import Url


def find_photos(
    inputs: Sequence[str | os.PathLike[str]], leave_out: Callable[[Path], bool] | None = None
) -> tuple[dict[Path, str], list[PhotoResult], int]:
    """List the photos that files, folders and patterns stand for; a wrong one fails alone.

    Args:
        inputs: as `images.find_images` takes them.
        leave_out: tells which of them not to take.

    Returns:
        The photos in order, each with the name its files get; the failures; how many different
        photos were left out.
    """
    photos: dict[Path, Path] = {}
    failures: list[PhotoResult] = []
    skipped: set[Path] = set()
    for given in inputs:
        try:
            found = find_images([given])
        except InputError as error:
            failures.append(failed(Path(given), error))
            continue
        for photo in found:
            if leave_out is not None and leave_out(photo):
                skipped.add(photo.resolve())
            else:
                photos.setdefault(photo.resolve(), photo)
    ordered = sorted(photos.values())
    names = dict(zip(ordered, unique_names(ordered), strict=True))
    return names, failures, len(skipped)


def notices(photos: Mapping[Path, str] | Mapping[Path | Url, str], pictures: int = 0) -> list[str]:
    """What the user should know of the photos that were found.

    Args:
        photos: each with the name its files get, which may not be its own.
        pictures: of kernels, left out.
    """
    left_out = [f"left out kernel pictures of an earlier run: {pictures}"] if pictures else []
    return left_out + [
        f"{photo}: its files are named {name}…, as another photo shares its name"
        for photo, name in photos.items()
        if name != Path(photo.name).stem
    ]


def failed(photo: Path | Url, error: Exception) -> PhotoResult:
    """The result of a photo that cannot be used, with the reason in one line."""
    told = str(error) if str(photo) in str(error) else f"{photo}: {error}"
    return PhotoResult(photo, "failed", None, {}, None, told)


def failed_by_memory(photo: Path | Url, error: Exception) -> PhotoResult:
    """The result of a photo that memory was not enough for; the run may go on without it.

    Raises:
        Exception: the error itself, where it has another cause.
    """
    if not is_out_of_memory(error):
        raise error
    return failed(photo, InputError("memory ran out; close other programs, or crop the photo"))
