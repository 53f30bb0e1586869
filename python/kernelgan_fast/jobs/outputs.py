"""The output folder: is it usable, what each photo's files are called, and writing them."""

from __future__ import annotations

import difflib
import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from kernelgan_fast.errors import ConfigError, OutputError
from kernelgan_fast.estimation.options import SCALES
from kernelgan_fast.files import check_target, remove_leftovers
from kernelgan_fast.jobs import records

if TYPE_CHECKING:
    from kernelgan_fast.estimation.result import Estimate
    from kernelgan_fast.estimation.spectral import TileMap

FORMATS = ("npy", "mat", "json", "png")
_OWN_PICTURE = re.compile(r"(?P<name>.+)_(kernel|tiles)_x[24]\.png", re.DOTALL)


class OutputFolder:
    """A folder to write results to, checked when made.

    What a killed process left half written there is removed.

    Args:
        path: the folder; it is created, with its parents, if it is not there.

    Raises:
        OutputError: it is a file, cannot be created or cannot be written to.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._created = not os.path.exists(path)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path) as probe:
                probe.write(b"\0")
        except OSError as error:
            reason = "it is a file" if os.path.isfile(path) else (error.strerror or str(error))
            raise OutputError(
                f"the output folder must be a folder that can be written to, got {self.path}: "
                f"{reason}; choose another with --out"
            ) from error
        remove_leftovers(path)

    def remove_if_unused(self) -> None:
        """Remove the folder if this run created it and nothing was written."""
        if self._created and self.path.is_dir() and not any(self.path.iterdir()):
            self.path.rmdir()

    def record_path(self, name: str) -> Path:
        """The record of a photo; its presence means that the photo's files are complete."""
        return self.path / f"{name}.json"

    def check(self, name: str, files: Sequence[str]) -> None:
        """Check that the files of a photo can be written, before any work is done for them.

        Args:
            name: of the photo.
            files: the names of its files besides the record.

        Raises:
            OutputError: a name is too long or stands for a folder or a device, or there is a JSON
                file where the record would go that this program did not write.
        """
        path = self.record_path(name)
        for file in (path, *(self.path / file for file in files)):
            check_target(file)
        if path.exists() and not records.is_record(path):
            raise OutputError(
                f"{path} exists and is not a record of this program: move it away or choose "
                "another folder with --out"
            )

    def write(self, name: str, estimate: Estimate, formats: Sequence[str]) -> list[str]:
        """Write a photo's kernels, each file whole or not at all.

        The files of an earlier run go first, its record before the others, so that a record never
        stands beside files it does not describe.

        Returns:
            The file names written.

        Raises:
            OutputError: a file could not be written.
        """
        from kernelgan_fast.kernels import store

        self._remove_earlier(name)
        written = file_names(name, sorted(estimate.kernels), formats)
        for file_name in written:
            kernel = estimate.kernels[int(Path(file_name).stem[-1])]
            store.save(kernel, self.path / file_name)
        if estimate.tiles is not None:
            written += self._write_tiles(name, estimate.tiles, Path(estimate.source).name, formats)
        return written

    def discard(self, name: str) -> None:
        """Remove the files of a photo that could not be finished."""
        for file_name in own_names(name):
            with suppress(OSError):  # there is already an error to tell
                (self.path / file_name).unlink(missing_ok=True)

    def _write_tiles(
        self, name: str, tiles: TileMap, source: str, formats: Sequence[str]
    ) -> list[str]:
        from kernelgan_fast.jobs.tile_files import save_tiles
        from kernelgan_fast.jobs.tile_picture import save_tile_picture

        written = tile_names(name, tiles.whole.kernel.scale, formats)
        for file_name in written:
            path = self.path / file_name
            if path.suffix == ".png":
                save_tile_picture(tiles, path, source)
            else:
                save_tiles(tiles, path)
        return written

    def _remove_earlier(self, name: str) -> None:
        if not records.is_record(self.record_path(name)):
            return
        record = records.read_record(self.record_path(name)) or {}
        listed = record.get("files")
        earlier = [file for file in own_names(name) if isinstance(listed, list) and file in listed]
        for path in (self.record_path(name), *(self.path / file for file in earlier)):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise OutputError(f"cannot replace {path}: {error.strerror or error}") from error


def file_names(name: str, scales: Sequence[int], formats: Sequence[str]) -> list[str]:
    """The kernel files of a photo: <name>_kernel_x<scale>.<format>."""
    return [f"{name}_kernel_x{scale}.{suffix}" for scale in scales for suffix in formats]


def tile_names(name: str, scale: int, formats: Sequence[str]) -> list[str]:
    """The files of kernels by region: <name>_tiles_x<scale>.npz, and .png where pictures are."""
    suffixes = ("npz", "png") if "png" in formats else ("npz",)
    return [f"{name}_tiles_x{scale}.{suffix}" for suffix in suffixes]


def own_names(name: str) -> list[str]:
    """Every file besides its record that a photo may have, whatever the settings."""
    tiles = [file for scale in SCALES for file in tile_names(name, scale, FORMATS)]
    return [*file_names(name, SCALES, FORMATS), *tiles]


def check_formats(formats: Sequence[str]) -> tuple[str, ...]:
    """The formats in their usual order, without repeats.

    Raises:
        ConfigError: none, or one that is not known.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown or not formats:
        nearest = difflib.get_close_matches(unknown[0], FORMATS, n=1) if unknown else []
        raise ConfigError(
            f"formats must be one or more of {','.join(FORMATS)}, "
            f"got {repr(unknown[0]) if unknown else 'none'}"
            + (f"; did you mean {nearest[0]}?" if nearest else "")
        )
    return tuple(name for name in FORMATS if name in formats)


def is_own_picture(path: Path) -> bool:
    """Whether a picture was written by an earlier run, so that it is not taken for a photo."""
    record = record_of_picture(path.name)
    return record is not None and records.is_record(path.with_name(record))


def record_of_picture(name: str) -> str | None:
    """The record beside a picture if an earlier run wrote it; None of other names."""
    match = _OWN_PICTURE.fullmatch(name)
    return None if match is None else f"{match['name']}.json"


def unique_names(photos: Sequence[Path]) -> list[str]:
    """A name for each photo's files: its stem, and more where photos would share a file.

    Photos whose files would clash take the first of these that tells them apart: with suffix
    (`a_jpg`), with folder (`holiday_a`), with both, with a hash of the path. Letter case does not
    tell names apart, since on some file systems it does not.

    Args:
        photos: different paths.

    Returns:
        The names in the same order; they depend on the set of photos, not on its order.
    """
    styles = [0] * len(photos)
    while True:
        names = [_NAME_STYLES[style](photo) for style, photo in zip(styles, photos, strict=True)]
        clashing = [index for index in _clashing(names) if styles[index] + 1 < len(_NAME_STYLES)]
        if not clashing:
            return names
        for index in clashing:
            styles[index] += 1


def _clashing(names: Sequence[str]) -> list[int]:
    claims: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        claims.setdefault(name.casefold(), []).append(index)
    found: set[int] = set()
    for name, owners in claims.items():
        if len(owners) > 1:
            found.update(owners)
        # The record a_kernel_x2.json of one photo is the kernel file of another called a.
        for ending in ("_kernel_x2", "_kernel_x4"):
            others = claims.get(name + ending)
            if others is not None:
                found.update(owners, others)
    return sorted(found)


def _with_suffix(photo: Path) -> str:
    return f"{photo.stem}_{photo.suffix[1:]}"


def _folder(photo: Path) -> str:
    return photo.resolve().parent.name


_NAME_STYLES: tuple[Callable[[Path], str], ...] = (
    lambda photo: photo.stem,
    _with_suffix,
    lambda photo: f"{_folder(photo)}_{photo.stem}",
    lambda photo: f"{_folder(photo)}_{_with_suffix(photo)}",
    lambda photo: f"{_with_suffix(photo)}_{hashlib.sha256(bytes(photo)).hexdigest()[:16]}",
)
