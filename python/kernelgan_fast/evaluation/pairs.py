"""Which estimate belongs to which true kernel, by the names of their files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kernelgan_fast.errors import InputError
from kernelgan_fast.files import read_json

# The first of these that is there is read; ours hold the same kernel.
_SUFFIXES = (".json", ".mat", ".npy")

_SCALED = re.compile(r"(?P<name>.+?)_kernel_x(?P<scale>\d+)", re.IGNORECASE | re.DOTALL)
_TRUTH_FOLDER = re.compile(r"gt_k_x(\d+)", re.IGNORECASE)

# DIV2KRK calls the photo im_7 (img_7_gt where it is large) and its kernel kernel_7.
_NUMBERED = re.compile(r"(?:im|img|image|kernel)?_?0*(?P<number>\d+)(?:_gt)?", re.IGNORECASE)


@dataclass(frozen=True)
class Pair:
    """An estimate and the truth it is measured against."""

    name: str
    estimate: Path
    truth: Path


@dataclass(frozen=True)
class Pairing:
    """What belongs together, and what was left over.

    Attributes:
        pairs: in the order of their names, numbers counted.
        without_truth: estimates whose name no true kernel has.
        without_estimate: true kernels whose name no estimate has.
    """

    pairs: tuple[Pair, ...]
    without_truth: tuple[Path, ...]
    without_estimate: tuple[Path, ...]


def match(estimates: str | os.PathLike[str], truth: str | os.PathLike[str], scale: int) -> Pairing:
    """Match estimates with true kernels.

    NAME_kernel_x2.npy, .mat or .json (in the folder, or in a folder of its own one below, as the
    published program writes it) belongs to NAME.mat; im_7 belongs to kernel_7 of DIV2KRK. Files
    of another scale are left out. Two files are a pair whatever their names.

    Args:
        estimates: a folder, or one file.
        truth: a folder of true kernels or one that holds gt_k_x2 or gt_k_x4; or one file.
        scale: which scale to take where the names tell.

    Raises:
        InputError: no such folder, no kernels in it, a name that stands for two kernels, or
            nothing that belongs together.
    """
    made, true = Path(estimates), Path(truth)
    if made.is_file() and true.is_file():
        return Pairing((Pair(_name(made), made, true),), (), ())
    inner = true / f"gt_k_x{scale}"
    found = kernel_files(made, scale, "estimates")
    truths = kernel_files(inner if inner.is_dir() else true, scale, "true kernels")
    common = sorted(found.keys() & truths.keys(), key=natural)
    if not common:
        raise InputError(
            f"estimates and true kernels must share names, got {_some(found.values())} and "
            f"{_some(truths.values())}; rename one side"
        )
    return Pairing(
        tuple(Pair(_name(found[photo]), found[photo], truths[photo]) for photo in common),
        tuple(found[photo] for photo in sorted(found.keys() - truths.keys(), key=natural)),
        tuple(truths[photo] for photo in sorted(truths.keys() - found.keys(), key=natural)),
    )


def named_scale(truth: str | os.PathLike[str]) -> int | None:
    """The scale that a folder of true kernels has in its name (gt_k_x4), if any."""
    match = _TRUTH_FOLDER.fullmatch(Path(truth).resolve().name)
    return int(match[1]) if match else None


def natural(name: str) -> list[tuple[bool, int, str]]:
    """A sort key by which im_2 comes before im_10."""
    parts = re.findall(r"\d+|\D+", name)
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]


def key(path: Path) -> str:
    """What the files of one photo have in common: its name, or its number in DIV2KRK."""
    name = _name(path)
    numbered = _NUMBERED.fullmatch(name)
    return f"number {numbered['number']}" if numbered else name


def kernel_files(folder: Path, scale: int, what: str) -> dict[str, Path]:
    """The kernels of a folder, of one scale, by the `key` of the photo they belong to.

    Args:
        folder: the folder, or one that holds a folder for each photo.
        scale: files that are named for another one are left out.
        what: the kernels are, for the error.

    Raises:
        InputError: no such folder, no kernels in it, or two for one photo.
    """
    if not folder.is_dir():
        raise InputError(f"the {what} must be a folder of kernels, got {folder}; check the path")
    found: dict[str, Path] = {}
    for path in sorted(_readable(folder)):
        scaled = _SCALED.fullmatch(path.stem)
        if scaled and int(scaled["scale"]) != scale:
            continue
        photo = key(path)
        first = found.setdefault(photo, path)
        if first.with_suffix("") != path.with_suffix(""):
            raise InputError(
                f"{first} and {path} stand for the same photo; keep one of them in {folder}"
            )
        if _SUFFIXES.index(path.suffix.lower()) < _SUFFIXES.index(first.suffix.lower()):
            found[photo] = path
    if not found:
        raise InputError(
            f"{folder}: no kernels of scale {scale} there (looked for .npy, .mat and .json); "
            "check the folder and the scale"
        )
    return found


def _readable(folder: Path) -> Iterable[Path]:
    below = (path for path in folder.glob("*/*") if not _TRUTH_FOLDER.fullmatch(path.parent.name))
    for path in (*folder.iterdir(), *below):
        suffix = path.suffix.lower()
        if suffix not in _SUFFIXES or path.name.startswith(".") or not path.is_file():
            continue
        if suffix != ".json" or _holds_kernel(path):
            yield path


def _holds_kernel(path: Path) -> bool:
    """Whether a JSON file is a kernel, and not a record or anything else; damaged ones may be."""
    if _SCALED.fullmatch(path.stem):
        return True
    try:
        content = read_json(path)
    except InputError:
        return False
    return isinstance(content, dict) and "kernel" in content


def _name(path: Path) -> str:
    scaled = _SCALED.fullmatch(path.stem)
    return scaled["name"] if scaled else path.stem


def _some(paths: Iterable[Path]) -> str:
    names = sorted((path.name for path in paths), key=natural)
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
