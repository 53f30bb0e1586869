"""The JSON record of a finished photo: making it, reading it back, telling whether it still holds.

It is written last, so its presence means that all of the photo's files are there.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from kernelgan_fast.errors import ImageError, InputError
from kernelgan_fast.estimation.kernel_warnings import kernel_facts
from kernelgan_fast.estimation.options import versions
from kernelgan_fast.files import atomic_write, read_json
from kernelgan_fast.images import open_photo
from kernelgan_fast.jobs import schema
from kernelgan_fast.jobs.tile_files import tile_facts

if TYPE_CHECKING:
    from kernelgan_fast.estimation.options import EstimateOptions
    from kernelgan_fast.estimation.result import Estimate

FORMAT = "kernelgan-fast record 1"

# A record begins with its format; this many bytes of a file tell whether it is one.
_HEAD = re.compile(rb'\s*\{\s*"format":\s*"' + FORMAT.rpartition(" ")[0].encode())
_HEAD_BYTES = 120


# What commands print of a record, or put into a table.
_FIELDS: dict[str, schema.Check] = {
    "source": schema.SOURCE,
    "request": schema.mapping,
    "files": schema.list_of(schema.file_name),
    "kernels": schema.values_of(schema.KERNEL_FACTS),
    "expected_error": schema.optional(schema.number),
    "spread": schema.optional(schema.number),
    "warnings": schema.list_of(schema.text),
    "timings": schema.values_of(schema.number),
    "device": schema.text,
    "versions": schema.mapping,
}


@dataclass(frozen=True)
class SourceFacts:
    """A photo file's identity: the path as given, its size and a hash of its content."""

    path: str
    bytes: int
    sha256: str


def source_facts(path: Path) -> SourceFacts:
    """Identify a file by its content.

    Raises:
        ImageError: it cannot be read, is too large, or is not a regular file.
    """
    digest = hashlib.sha256()
    size = 0
    with open_photo(path) as stream:
        try:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
                size += len(chunk)
        except OSError as error:
            reason = error.strerror or error
            raise ImageError(f"{path}: it cannot be read: {reason}; copy it again") from error
    return SourceFacts(str(path), size, digest.hexdigest())


def make_record(
    estimate: Estimate, source: SourceFacts, settings: EstimateOptions, files: Sequence[str]
) -> dict[str, object]:
    """Put down all that is worth knowing about a finished photo, ready for JSON."""
    diagnostics = estimate.diagnostics
    return {
        "format": FORMAT,
        "source": asdict(source),
        "request": request(settings),
        "files": list(files),
        "kernels": {
            f"x{scale}": kernel_facts(kernel) for scale, kernel in sorted(estimate.kernels.items())
        },
        "expected_error": _numbers(estimate.expected_error),
        "spread": estimate.spread,
        "warnings": list(diagnostics.warnings),
        "analysis": diagnostics.analysis,
        "spectrum": diagnostics.spectrum,
        **_of_the_method(estimate),
        "similar_at": list(diagnostics.similar_at),
        "losses": {name: _numbers(values.tolist()) for name, values in estimate.history.items()},
        "timings": {name: round(seconds, 4) for name, seconds in diagnostics.timings.items()},
        "threads": settings.threads,
        "device": diagnostics.device,
        "device_choice": dict(diagnostics.device_choice),
        "versions": dict(diagnostics.versions),
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def _of_the_method(estimate: Estimate) -> dict[str, object]:
    """Fields that are there only where the method or --tiles makes them."""
    more: dict[str, object] = {}
    if estimate.diagnostics.recurrence is not None:
        more["recurrence"] = list(estimate.diagnostics.recurrence)
    if estimate.tiles is not None:
        more["tiles"] = tile_facts(estimate.tiles)
    return more


def request(settings: EstimateOptions) -> dict[str, object]:
    """What decides a kernel besides the photo, as JSON gives it back."""
    asked = {
        "version": versions()["kernelgan_fast"],
        "scale": settings.scale,
        "seeds": list(settings.seeds),
        "real": settings.real,
        "tiles": settings.tiles,
        "method": settings.method,
        "iterations": settings.iterations,
        "config": None if settings.config is None else asdict(settings.config),
    }
    return dict(json.loads(json.dumps(asked)))


def write_record(path: Path, record: Mapping[str, object]) -> None:
    """Write a record, whole or not at all.

    Raises:
        OutputError: it could not be written.
    """
    text = _flat_lists(json.dumps(record, indent=1, allow_nan=False)) + "\n"

    def write(stream: BinaryIO) -> None:
        stream.write(text.encode())

    atomic_write(path, write)


def is_record(path: Path) -> bool:
    """Whether a file begins as records of any version do; the rest of it may be damaged."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False
        with path.open("rb") as stream:
            return _HEAD.match(stream.read(_HEAD_BYTES)) is not None
    except (OSError, ValueError):
        return False


def read_record(path: Path) -> dict[str, object] | None:
    """Read a record; None where there is none, or where the file is not a record of ours."""
    try:
        content = read_json(path)
    except InputError:
        return None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        return None
    return content


def is_sound(record: Mapping[str, object], scale: int) -> bool:
    """Whether a record has all that commands read from it, of the right types.

    Args:
        record: as `read_record` gives it; anybody may have changed it.
        scale: of the kernel that was asked for.
    """
    fields = schema.fields(_FIELDS)
    tiles = record.get("tiles")
    return (
        fields(record)
        and {"x2", f"x{scale}"} <= set(record["kernels"])  # type: ignore[call-overload]
        and (tiles is None or _are_tiles(tiles))
        and schema.writable(record)
    )


def _are_tiles(value: object) -> bool:
    """Whether a value has the widths of each region, both or neither known."""
    if not isinstance(value, dict) or not schema.list_of(schema.whole, 2)(value.get("grid")):
        return False
    rows, cols = value["grid"]
    width = schema.optional(lambda item: schema.number(item) and item >= 0)  # type: ignore[operator]
    grid = schema.list_of(schema.list_of(width, cols), rows)
    widths: list[Any] = [value.get("width_major"), value.get("width_minor")]
    if not all(map(grid, widths)):
        return False
    unknown = [[[item is None for item in line] for line in lines] for lines in widths]
    return unknown[0] == unknown[1]


def still_holds(
    record: Mapping[str, object],
    source: SourceFacts,
    settings: EstimateOptions,
    files: Sequence[Path],
) -> bool:
    """Whether a record describes what a new run would make: same photo, same request, all files.

    Args:
        record: as `read_record` gives it.
        source: the photo now.
        settings: of the new run.
        files: the files the new run would write.
    """
    was, listed = record.get("source"), record.get("files")
    same_photo = isinstance(was, dict) and (was.get("bytes"), was.get("sha256")) == (
        source.bytes,
        source.sha256,
    )
    return (
        same_photo
        and record.get("request") == request(settings)
        and isinstance(listed, list)
        and all(file.name in listed and file.is_file() for file in files)
    )


def _flat_lists(text: str) -> str:
    # A list of numbers on one line instead of one number a line.
    def flat(match: re.Match[str]) -> str:
        return f"[{' '.join(match[1].split())}]"

    return re.sub(r"\[([\s\d.,eE+\-nul]*)\]", flat, text)


def _numbers(values: object) -> object:
    # JSON has no word for NaN; six digits are more than anyone plots.
    if isinstance(values, list):
        return [_numbers(value) for value in values]
    if isinstance(values, float):
        return float(f"{values:.6g}") if math.isfinite(values) else None
    return values
