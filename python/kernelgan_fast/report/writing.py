"""Write the report of a folder: one photo at a time, the page whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import BinaryIO

import kernelgan_fast
from kernelgan_fast.errors import ImageError
from kernelgan_fast.estimation.result import ProgressEvent
from kernelgan_fast.files import atomic_write
from kernelgan_fast.report import folder as results
from kernelgan_fast.report import page, pictures
from kernelgan_fast.report.folder import Enlarged, Entry
from kernelgan_fast.report.rows import Row, kernel_data, make_row

REPORT_NAME = "report.html"

# Rows wait in memory up to so many bytes, then in a file, until the heading's numbers are known.
_IN_MEMORY = 1 << 24


@dataclass(frozen=True)
class Written:
    """What a report came to.

    Attributes:
        path: the page.
        photos: how many it shows.
        noted: how many of these have warnings, or something missing.
        missing: how many photos were not found.
        bytes: of the page.
    """

    path: Path
    photos: int
    noted: int
    missing: int
    bytes: int


def write_report(
    folder: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    photos: Sequence[str | os.PathLike[str]] = (),
    upscaled: Sequence[str | os.PathLike[str]] = (),
    failures: Sequence[str] = (),
    progress: Callable[[ProgressEvent], None] | None = None,
) -> Written:
    """Show a folder of results as one HTML page that needs nothing else.

    Args:
        folder: that `estimate` wrote; pictures that `upscale` wrote there are shown too.
        out: the page, report.html in the folder if None.
        photos: folders to look for photos in that are no longer where they were.
        upscaled: other folders that `upscale` wrote.
        failures: why photos could not be used, a line each.
        progress: called after each photo; may raise to stop, and no page is written then.

    Raises:
        InputError: the folder holds no results, or one of the others is not what it should be.
        OutputError: the page could not be written; an old one is untouched.
    """
    entries = results.find_entries(folder)
    results.check_folders(photos, upscaled)
    makers = _Rows(Path(folder), [Path(path) for path in photos], upscaled, len(entries))
    path = Path(folder) / REPORT_NAME if out is None else Path(out)
    began = time.perf_counter()

    def write(stream: BinaryIO) -> None:
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as rows:
            for done, entry in enumerate(entries):
                rows.write(makers.make(done, entry).encode())
                if progress is not None:
                    progress(_event(done + 1, len(entries), time.perf_counter() - began))
            name = Path(folder).resolve().name
            without = sorted({"error", "spread"} - makers.columns)
            heading = page.Heading(name, len(entries), makers.noted, _made(), failures, without)
            before, after = page.page_parts(heading)
            stream.write(before.encode())
            rows.seek(0)
            shutil.copyfileobj(rows, stream)
            stream.write(after.encode())

    atomic_write(path, write)
    return Written(path, len(entries), makers.noted, makers.missing, path.stat().st_size)


class _Rows:
    """Makes rows, and counts what the heading tells."""

    def __init__(
        self,
        folder: Path,
        photos: Sequence[Path],
        upscaled: Sequence[str | os.PathLike[str]],
        count: int,
    ) -> None:
        self.noted = self.missing = 0
        self.columns: set[str] = set()
        self._photos = [*photos, folder, folder.parent]
        self._enlarged = results.find_enlarged([folder, *upscaled])
        self._sizes = pictures.sizes_for(count)

    def make(self, number: int, entry: Entry) -> str:
        record, problem = results.read_record(entry.record)
        kernels, wrong = results.read_kernels(entry)
        notes = [problem] if problem else []
        notes += wrong
        if not kernels:
            notes.append("no kernel file that can be read is here (.npy, .json or .mat)")
        row = make_row(entry.name, record, kernels, self._sizes.points)
        data: dict[str, object] = {
            "kernels": [kernel_data(kernel) for _, kernel in sorted(kernels.items())],
            "facts": row.facts,
            "trained": row.trained,
            "losses": row.losses,
            "tiles": row.tiles,
        }
        thumbnail = self._photo(row, data, notes)
        notes = [*row.warnings, *notes]
        data["notes"] = notes
        self.noted += bool(notes)
        told = {"error": row.expected_error, "spread": row.spread}
        self.columns |= {column for column, value in told.items() if value is not None}
        kernel = kernels[min(kernels)] if kernels else None
        shown = page.Pictures(thumbnail, None if kernel is None else pictures.kernel_png(kernel))
        return page.row_html(number, row, notes, shown, data, inline=self._sizes.inline)

    def _photo(self, row: Row, data: dict[str, object], notes: list[str]) -> str | None:
        """Add what is drawn of the photo itself; returns its thumbnail."""
        if not row.source:
            return None
        found = pictures.find_photo(row.source, row.sha256, row.bytes, self._photos)
        if found is None:
            self.missing += 1
            notes.append(f"the photo {row.source} is not there: name its folder with --photos")
            return None
        if not found.same:
            self.missing += 1
            notes.append(_why_not_shown(row, found.path))
            return None
        try:
            opened = pictures.open_photo(found.path, self._sizes.thumbnail)
        except ImageError as error:
            self.missing += 1
            notes.append(f"the photo cannot be shown: {error}")
            return None
        data["size"] = opened.size
        data["heat"] = _bytes_data(opened)
        data["sliders"] = list(self._sliders(row, found.path, opened, notes))
        return pictures.webp(opened.small)

    def _sliders(
        self, row: Row, photo: Path, opened: pictures.Opened, notes: list[str]
    ) -> Iterator[dict[str, object]]:
        made: Sequence[Enlarged] = self._enlarged.get(row.sha256 or "", ())
        for enlarged in made if self._sizes.slider else ():
            try:
                before, after = pictures.before_and_after(
                    photo, opened, enlarged, self._sizes.slider
                )
            except ImageError as error:
                notes.append(f"the enlarged photo cannot be shown: {error}")
                continue
            yield {
                "scale": enlarged.scale,
                "method": enlarged.method,
                "before": before,
                "after": after,
            }


def _why_not_shown(row: Row, path: Path) -> str:
    if row.sha256 is None:
        return f"its record does not say what {path} contained: the photo is not shown"
    return f"{path} has changed since its kernel was estimated: the photo is not shown"


def _bytes_data(opened: pictures.Opened) -> dict[str, object]:
    import base64

    height, width = opened.heat.shape
    coded = base64.b64encode(opened.heat.tobytes()).decode()
    return {"width": width, "height": height, "weights": coded}


def _made() -> str:
    now = datetime.now(timezone.utc).strftime("%d %B %Y, %H:%M UTC").lstrip("0")
    return f"{now}, kernelgan-fast {kernelgan_fast.__version__}"


def _event(done: int, total: int, elapsed: float) -> ProgressEvent:
    return ProgressEvent(
        photos_done=done,
        photos_total=total,
        iteration=0,
        iterations=0,
        losses={},
        elapsed=elapsed,
        remaining=elapsed / done * (total - done),
        batch=(),
    )
