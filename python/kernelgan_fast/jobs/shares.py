"""Which photos a run over many machines is for, and how they are shared out."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from kernelgan_fast.errors import InputError
from kernelgan_fast.estimation.result import PhotoResult
from kernelgan_fast.jobs.inputs import failed, find_photos
from kernelgan_fast.jobs.outputs import is_own_picture, unique_names
from kernelgan_fast.jobs.storage import find_urls
from kernelgan_fast.urls import Url, place_of

Photo: TypeAlias = Path | Url


@dataclass(frozen=True)
class Share:
    """Photos for one worker to do together.

    Attributes:
        photos: each with the name its files get.
        lost: how many workers were lost with it.
    """

    photos: dict[Photo, str]
    lost: int = 0


def find_everywhere(
    inputs: Sequence[str | os.PathLike[str]],
) -> tuple[dict[Photo, str], list[PhotoResult], int]:
    """List the photos that files, folders, patterns and URLs stand for; a wrong one fails alone.

    Args:
        inputs: as `runs.photos.find_photos` takes them, and URLs of files, folders and patterns.

    Returns:
        The photos, local ones first, with absolute paths as workers may run elsewhere, each with
        the name its files get; the failures; how many kernel pictures were left out.
    """
    texts = [os.fspath(given) for given in inputs]
    places = [place_of(text) for text in texts]
    local = [os.path.abspath(place) for place in places if isinstance(place, Path)]
    paths, failures, left = find_photos(local, is_own_picture)
    urls: set[Url] = set()
    for text, place in zip(texts, places, strict=True):
        if isinstance(place, Path):
            continue
        try:
            found, own = find_urls(text)
        except InputError as error:
            failures.append(failed(place, error))
            continue
        urls.update(found)
        left += len(own)
    photos: list[Photo] = [*paths, *sorted(urls)]
    names = unique_names([photo.path if isinstance(photo, Url) else photo for photo in photos])
    once = {failure.source: failure for failure in failures}
    return dict(zip(photos, names, strict=True)), list(once.values()), left


def cut(photos: dict[Photo, str], size: int) -> Iterator[Share]:
    """Cut a run's photos into shares.

    Args:
        photos: of the run.
        size: of a share, at least 1.
    """
    ordered = list(photos.items())
    for first in range(0, len(ordered), size):
        yield Share(dict(ordered[first : first + size]))
