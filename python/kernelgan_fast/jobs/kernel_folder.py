"""Folders of kernels: the kernel that belongs to a photo, or a pool to draw from.

A folder holds kernels as `estimate`, `downscale --pairs` and other programs write them: .json, .mat
or .npy files called NAME or NAME_kernel_x2, in the folder or in folders directly in it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from kernelgan_fast.errors import InputError
from kernelgan_fast.files import read_json
from kernelgan_fast.jobs import records, schema
from kernelgan_fast.jobs.resolved_kernel import KernelSource, ResolvedKernel, content, from_file

if TYPE_CHECKING:
    from kernelgan_fast.analysis import PhotoAnalysis
    from kernelgan_fast.images import Photo

# Of files that differ in suffix alone the first of these is read; ours hold the same kernel.
SUFFIXES = (".json", ".mat", ".npy")
_SCALED = re.compile(r"(?P<photo>.+)_kernel_x(?P<scale>\d+)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class _Stored:
    """A kernel file, and what the record beside it says.

    Attributes:
        path: the file.
        sha256: of the photo that it was estimated from, None without a record.
        expected_error: relative, None where it is not known.
        notes: what was said about the estimate.
    """

    path: Path
    sha256: str | None = None
    expected_error: float | None = None
    notes: tuple[str, ...] = ()


def photo_kernels(folder: Path, scale: int, advice: str) -> KernelSource:
    """Use the kernel of each photo that lies in a folder.

    A kernel belongs to a photo if the record of `estimate` beside it has the photo's SHA-256, or
    if it has the photo's name and no record says that it is another photo's. The error that a
    record expects is used as that of an estimate made now.

    Args:
        folder: of kernels.
        scale: 2 or 4.
        advice: what to do about a photo without a kernel, the end of an error message.

    Raises:
        InputError: no kernels of the scale are there. `KernelSource.of` raises it for a photo
            whose kernel is not there, is not the only one, or cannot be read.
    """
    kernels = _Kernels(folder, scale, advice)

    def of(photo: Photo, name: str, analysis: PhotoAnalysis | None = None) -> ResolvedKernel:
        return kernels.of(Path(photo.source))

    def identity(photo: Path, name: str) -> object:
        try:
            applied = kernels.of(photo)
        except InputError:
            return None  # said when the photo's turn comes
        return {"kernel": content(applied.kernel), "expected_error": applied.error}

    return KernelSource(f"each photo's kernel in {folder}", of, identity)


def kernel_pool(folder: Path, scale: int, seed: int) -> KernelSource:
    """Draw a kernel for each photo from a folder.

    Args:
        folder: of kernels.
        scale: 2 or 4.
        seed: of the draws. A photo's draw depends on seed, scale, its name and the names in the
            pool, and a kernel that is added takes photos from the others without mixing the rest.

    Raises:
        InputError: it is no folder, has no kernels of the scale, or one that cannot be read.
    """
    if not folder.is_dir():
        raise InputError(f"a pool of kernels must be a folder, got {folder}; check the path")
    pool = {name: from_file(str(path), scale) for name, path in _files(folder, scale).items()}

    def drawn(photo: str) -> str:
        def ticket(kernel: str) -> bytes:
            words = (str(seed), "pool", str(scale), photo, kernel)
            return hashlib.sha256("\0".join(words).encode(errors="surrogatepass")).digest()

        return max(pool, key=ticket)

    noun = "kernel" if len(pool) == 1 else "kernels"
    contents = {name: content(applied.kernel) for name, applied in pool.items()}
    return KernelSource(
        f"a pool of {len(pool)} {noun}",
        lambda photo, name, analysis=None: pool[drawn(name)],
        lambda photo, name: contents[drawn(name)],
    )


class _Kernels:
    def __init__(self, folder: Path, scale: int, advice: str) -> None:
        self._folder, self._scale, self._advice = folder, scale, advice
        self._by_name: dict[str, list[_Stored]] = {}
        self._by_hash: dict[str, list[_Stored]] = {}
        for path in _files(folder, scale).values():
            scaled = _SCALED.fullmatch(path.stem)
            name = scaled["photo"] if scaled else path.stem
            stored = _with_record(path, path.with_name(f"{name}.json"))
            self._by_name.setdefault(name, []).append(stored)
            if stored.sha256 is not None:
                self._by_hash.setdefault(stored.sha256, []).append(stored)

    def of(self, photo: Path) -> ResolvedKernel:
        stored = self._find(photo)
        applied = from_file(str(stored.path), self._scale)
        error = applied.error if stored.expected_error is None else stored.expected_error
        return replace(
            applied,
            facts={**applied.facts, "expected_error": error or None},
            notes=(*applied.notes, *stored.notes),
            error=error,
        )

    def _find(self, photo: Path) -> _Stored:
        if not photo.is_file():
            raise InputError(
                f"the kernels in {self._folder} are for photos in files, got {photo}; give a kernel"
            )
        named = self._by_name.get(photo.stem, [])
        sha256 = records.source_facts(photo).sha256 if self._by_hash else ""
        same = self._by_hash.get(sha256, [])
        if same:
            return next((stored for stored in named if stored in same), same[0])
        unknown = [stored for stored in named if stored.sha256 is None]
        if len(unknown) > 1:
            raise InputError(
                f"{photo}: {unknown[0].path} and {unknown[1].path} are both kernels of "
                f"{photo.stem}; keep one of them in {self._folder}"
            )
        if unknown:
            return unknown[0]
        if named:
            raise InputError(
                f"{photo}: {named[0].path} is the kernel of another photo of this name, by the "
                f"SHA-256 in its record, and no other in {self._folder} belongs to this one; "
                f"{self._advice}"
            )
        raise InputError(
            f"{photo}: {self._folder} has no kernel of this photo (looked for {photo.stem}"
            f"_kernel_x{self._scale} or {photo.stem} as .json, .mat or .npy, and for a record with "
            f"its SHA-256); {self._advice}"
        )


def _with_record(path: Path, file: Path) -> _Stored:
    record = records.read_record(file) if records.is_record(file) else None
    source = record.get("source") if record is not None else None
    if record is None or not schema.SOURCE(source):
        return _Stored(path)
    assert isinstance(source, Mapping)
    error, notes = record.get("expected_error"), record.get("warnings")
    return _Stored(
        path,
        source["sha256"],
        error if isinstance(error, float) and schema.number(error) and error >= 0 else None,
        tuple(notes) if isinstance(notes, list) and all(map(schema.text, notes)) else (),
    )


def _files(folder: Path, scale: int) -> dict[str, Path]:
    """The kernel files in a folder, and in the folders directly in it, by name without suffix."""
    found: dict[str, Path] = {}
    for path in _readable(folder):
        scaled = _SCALED.fullmatch(path.stem)
        if scaled and int(scaled["scale"]) != scale:
            continue
        found.setdefault(path.relative_to(folder).with_suffix("").as_posix(), path)
    if not found:
        raise InputError(
            f"{folder}: no kernels of scale {scale} there (looked for .mat, .npy and .json); "
            "check the folder and the scale"
        )
    return dict(sorted(found.items()))


def _readable(folder: Path) -> Iterable[Path]:
    paths = [path for path in (*folder.iterdir(), *folder.glob("*/*")) if path.is_file()]
    for suffix in SUFFIXES:
        for path in paths:
            named = path.suffix.lower() == suffix and not path.name.startswith(".")
            if named and (suffix != ".json" or _holds_kernel(path)):
                yield path


def _holds_kernel(path: Path) -> bool:
    """Whether a JSON file is a kernel, and not a record; one that cannot be read may be."""
    if records.is_record(path):
        return False
    try:
        found = read_json(path)
    except InputError:
        return True
    return isinstance(found, dict) and "kernel" in found
