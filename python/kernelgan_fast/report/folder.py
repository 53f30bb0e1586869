"""What lies in a folder of results: records, kernels, and what `upscale` tells of its files."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kernelgan_fast.errors import InputError
from kernelgan_fast.files import read_json
from kernelgan_fast.jobs.records import FORMAT, is_record
from kernelgan_fast.jobs.schema import file_name
from kernelgan_fast.jobs.upscale import UpscaleRun

if TYPE_CHECKING:
    from kernelgan_fast.kernels.blur_kernel import BlurKernel

_KERNEL_FILE = re.compile(
    r"(?P<name>.+)_kernel_x(?P<scale>[24])\.(?P<suffix>npy|json|mat)", re.DOTALL
)
_SUFFIXES = ("npy", "json", "mat")


@dataclass(frozen=True)
class Entry:
    """The files of one photo in a folder of results.

    Attributes:
        name: what its files begin with.
        record: the record file, None where there are kernels only.
        kernels: kernel files that can be read, by scale, the best kept first.
    """

    name: str
    record: Path | None
    kernels: Mapping[int, tuple[Path, ...]]


@dataclass(frozen=True)
class Enlarged:
    """A picture that `upscale` made.

    Attributes:
        file: the picture.
        scale: how many times as large as the photo.
        method: that made it, and by which kernel, in words.
    """

    file: Path
    scale: int
    method: str


def find_entries(folder: str | os.PathLike[str]) -> list[Entry]:
    """List the photos that a folder holds results of, by name.

    Args:
        folder: that `estimate` wrote.

    Raises:
        InputError: it is no folder, cannot be read, or holds no results.
    """
    path = Path(folder)
    try:
        files = sorted(file for file in path.iterdir() if not file.name.startswith("."))
    except OSError as error:
        reason = "it is a file" if path.is_file() else (error.strerror or str(error))
        raise InputError(
            f"a report is made of a folder that `estimate` wrote, got {path}: {reason}; "
            "name that folder"
        ) from error
    records = {file.stem: file for file in files if file.suffix == ".json" and is_record(file)}
    kernels: dict[str, dict[int, list[Path]]] = {}
    for file in files:
        match = _KERNEL_FILE.fullmatch(file.name)
        if match is not None and records.get(file.stem) != file:
            kernels.setdefault(match["name"], {}).setdefault(int(match["scale"]), []).append(file)
    for name in kernels:
        # What has kernels beside it is a record, however damaged.
        if name not in records and (path / f"{name}.json").is_file():
            records[name] = path / f"{name}.json"
    if not records and not kernels:
        raise InputError(
            f"{path} holds no records and no kernels; name a folder that `kernelgan-fast "
            "estimate` wrote (kernelgan_out if --out was not given)"
        )
    return [
        Entry(name, records.get(name), _ordered(kernels.get(name, {})))
        for name in sorted(records.keys() | kernels.keys())
    ]


def read_record(file: Path | None) -> tuple[Mapping[str, object], str | None]:
    """Read a record as far as it can be.

    Returns:
        Its content, empty where it cannot be read, and what is wrong with it in words, or None.
    """
    if file is None:
        return {}, "there is no record, only kernel files: nothing else is known"
    try:
        content = read_json(file)
    except InputError:
        content = None
    if not isinstance(content, dict):
        return {}, f"its record {file.name} is damaged: estimate this photo again"
    told = content.get("format")
    if told != FORMAT:
        return content, f"its record is of another version ({told}): some of it may be missing here"
    return content, None


def read_kernels(entry: Entry) -> tuple[dict[int, BlurKernel], list[str]]:
    """Read a photo's kernels by scale, each from the first of its files that can be read.

    Returns:
        The kernels, and what is wrong in words.
    """
    from kernelgan_fast.kernels import store

    kernels: dict[int, BlurKernel] = {}
    wrong = []
    for scale, files in sorted(entry.kernels.items()):
        for file in files:
            try:
                kernels[scale] = store.load(file, scale=scale)
                break
            except InputError as error:
                wrong.append(f"a kernel cannot be read: {error}")
    return kernels, wrong


def find_enlarged(folders: Sequence[str | os.PathLike[str]]) -> dict[str, list[Enlarged]]:
    """List the pictures that `upscale` made.

    Args:
        folders: that it wrote; one without its record counts as empty.

    Returns:
        By the SHA-256 of the photo, which may have another name here than there.
    """
    found: dict[str, list[Enlarged]] = {}
    for folder in folders:
        for entries in _upscaled(Path(folder)).values():
            for key, entry in sorted(entries.items()) if isinstance(entries, dict) else ():
                source = entry.get("source") if isinstance(entry, dict) else None
                sha256 = source.get("sha256") if isinstance(source, dict) else None
                file = _inside(Path(folder), entry) if isinstance(sha256, str) else None
                if file is not None and key in ("x2", "x4"):
                    method = f"{entry.get('method')}, kernel: {entry.get('applied')}"
                    found.setdefault(str(sha256), []).append(Enlarged(file, int(key[1]), method))
    return found


def check_folders(
    photos: Sequence[str | os.PathLike[str]], upscaled: Sequence[str | os.PathLike[str]]
) -> None:
    """Refuse folders that cannot be meant: what is asked for is not left out in silence.

    Args:
        photos: where photos are looked for.
        upscaled: that `upscale` wrote.

    Raises:
        InputError: one is no folder, or has no record of enlarged photos.
    """
    for folder in photos:
        if not Path(folder).is_dir():
            raise InputError(f"photos are looked for in folders, {folder} is none; name another")
    for folder in upscaled:
        if not (Path(folder) / UpscaleRun.record_name).is_file():
            raise InputError(
                f"enlarged photos are taken from a folder that `upscale` wrote, {folder} has no "
                f"{UpscaleRun.record_name}; name that folder"
            )


def _ordered(kernels: Mapping[int, Sequence[Path]]) -> dict[int, tuple[Path, ...]]:
    return {
        scale: tuple(sorted(files, key=lambda file: _SUFFIXES.index(file.suffix[1:])))
        for scale, files in kernels.items()
    }


def _upscaled(folder: Path) -> Mapping[str, object]:
    try:
        content = read_json(folder / UpscaleRun.record_name)
    except InputError:
        return {}
    if not isinstance(content, dict) or content.get("format") != UpscaleRun.format:
        return {}
    photos = content.get("photos")
    return photos if isinstance(photos, dict) else {}


def _inside(folder: Path, entry: Mapping[str, object]) -> Path | None:
    """The picture of an entry; None of one that would lie outside the folder."""
    files = entry.get("files")
    name = files[0] if isinstance(files, list) and files else None
    if not isinstance(name, str) or not file_name(name):
        return None
    try:
        inside = (folder / name).resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):  # a loop of links, or no possible name
        return None
    return folder / name if inside else None  # a link may lead anywhere
