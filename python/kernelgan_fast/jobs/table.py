"""One Parquet file of all kernels of a run: a row a photo, in the order of the photos."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kernelgan_fast.files import atomic_write
from kernelgan_fast.jobs.storage import StorageFolder
from kernelgan_fast.runtime.extras import required
from kernelgan_fast.urls import Url

if TYPE_CHECKING:
    from kernelgan_fast.jobs.shares import Photo
    from kernelgan_fast.jobs.worker import Outcome

NAME = "kernels.parquet"
_ROWS_A_GROUP = 1000


class Table:
    """Gathers rows on the local disk and puts the file in place when all are there.

    Args:
        photos: of the run, in order.
        scale: of the kernels.

    Raises:
        InputError: pyarrow is not installed.
    """

    def __init__(self, photos: list[Photo], scale: int) -> None:
        self._arrow = required("pyarrow", "ray")
        self._parquet = required("pyarrow.parquet", "ray")
        self._order = {photo: index for index, photo in enumerate(photos)}
        self._scale = scale
        self._folder = tempfile.TemporaryDirectory(prefix="kernelgan_fast_table_")
        self._path = Path(self._folder.name, NAME)
        self._schema = _schema(self._arrow)
        self._writer = self._parquet.ParquetWriter(self._path, self._schema)
        # Rows that wait for one before them, and those that are next to be written.
        self._waiting: dict[int, dict[str, Any]] = {}
        self._next: list[dict[str, Any]] = []
        self._placed = 0

    def add(self, outcome: Outcome) -> None:
        """Take the row of a photo.

        Raises:
            ValueError: the photo has one already, or is none of the run's.
        """
        photo = outcome.result.source
        index = self._order.pop(photo, None)
        if index is None:
            raise ValueError(f"each photo of the run must have one row, got another of {photo}")
        self._waiting[index] = row(outcome, self._scale)
        while self._placed in self._waiting:
            self._next.append(self._waiting.pop(self._placed))
            self._placed += 1
            if len(self._next) == _ROWS_A_GROUP:
                self._flush()

    def write(self, out: Path | Url) -> None:
        """Put the file in place, whole or not at all, once every photo has its row.

        Args:
            out: the folder of the run's results.

        Raises:
            OutputError: it could not be written.
        """
        assert not self._order and not self._waiting
        self._flush()
        self._writer.close()
        if isinstance(out, Url):
            StorageFolder(out).put(self._path)
            return
        with self._path.open("rb") as rows:
            atomic_write(out / NAME, partial(shutil.copyfileobj, rows))

    def close(self) -> None:
        """Remove what was gathered."""
        self._writer.close()
        self._folder.cleanup()

    def _flush(self) -> None:
        if self._next:
            rows = self._arrow.Table.from_pylist(self._next, schema=self._schema)
            self._writer.write_table(rows)
            self._next = []


def row(outcome: Outcome, scale: int) -> dict[str, Any]:
    """The row of a photo, by column; of a failed photo only the first four say something.

    Args:
        outcome: of the photo.
        scale: of the kernel.
    """
    result, record = outcome.result, outcome.result.summary
    kernel = outcome.kernel
    cells: dict[str, Any] = {
        "photo": str(result.source),
        "failed": result.status == "failed",
        "why": result.error,
        "scale": scale,
    }
    if kernel is None:
        return cells
    facts = _mapping(_mapping(record["kernels"])[f"x{scale}"])
    return {
        **cells,
        "files": record["files"],
        "kernel": kernel.ravel(),
        "size": len(kernel),
        **{name: facts[name] for name in ("width_major", "width_minor", "angle")},
        "expected_error": record["expected_error"],
        "spread": record["spread"],
        "warnings": record["warnings"],
        "seconds": sum(_mapping(record["timings"]).values()),
        "device": record["device"],
        "versions": json.dumps(record["versions"]),
    }


def _schema(arrow: Any) -> Any:
    text, number = arrow.string(), arrow.float64()
    return arrow.schema(
        [
            arrow.field("photo", text, nullable=False),
            arrow.field("failed", arrow.bool_(), nullable=False),
            arrow.field("why", text),
            arrow.field("scale", arrow.int32(), nullable=False),
            ("files", arrow.list_(text)),
            ("kernel", arrow.list_(number)),
            ("size", arrow.int32()),
            ("width_major", number),
            ("width_minor", number),
            ("angle", number),
            ("expected_error", number),
            ("spread", number),
            ("warnings", arrow.list_(text)),
            ("seconds", number),
            ("device", text),
            ("versions", text),
        ]
    )


def _mapping(value: object) -> Mapping[str, Any]:
    assert isinstance(value, Mapping)
    return value
