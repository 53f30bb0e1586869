"""The Parquet file: a row a photo, in the order of the photos, whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kernelgan_fast.errors import ImageError
from kernelgan_fast.estimation.result import PhotoResult
from kernelgan_fast.jobs import table as our
from kernelgan_fast.jobs.inputs import failed
from kernelgan_fast.jobs.table import NAME, Table
from kernelgan_fast.jobs.worker import Outcome
from kernelgan_fast.urls import Url

pytest.importorskip("pyarrow", reason="needs the extra ray")


def outcome(photo: Path) -> Outcome:
    record = {
        "files": ["a_kernel_x2.npy"],
        "kernels": {"x2": {"width_major": 2.0, "width_minor": 1.0, "angle": 30.0}},
        "expected_error": 0.1,
        "spread": None,
        "warnings": ["grey"],
        "timings": {"read": 0.25, "finish": 0.5},
        "device": "cpu",
        "versions": {"numpy": "2.0"},
    }
    result = PhotoResult(photo, "done", photo.with_suffix(".json"), record, None, None)
    return Outcome(result, np.arange(9, dtype=np.float64).reshape(3, 3))


def read(path: Path) -> list[dict[str, Any]]:
    import pyarrow.parquet

    rows: list[dict[str, Any]] = pyarrow.parquet.read_table(path).to_pylist()
    return rows


@pytest.mark.parametrize("rows_a_group", [1, 2, 1000])
def test_rows_are_in_order_however_they_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_a_group: int
) -> None:
    monkeypatch.setattr(our, "_ROWS_A_GROUP", rows_a_group)
    photos = [Path(f"{name}.png") for name in "abcde"]
    table = Table([*photos], scale=2)
    for index in (3, 0, 4, 1, 2):
        table.add(outcome(photos[index]))
    table.write(tmp_path)
    table.close()
    assert [row["photo"] for row in read(tmp_path / NAME)] == [str(photo) for photo in photos]
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_what_a_row_says(tmp_path: Path) -> None:
    good, bad = Path("a.png"), Url("s3://b/bad.png")
    table = Table([good, bad], scale=2)
    table.add(Outcome(failed(bad, ImageError("too small")), None))
    table.add(outcome(good))
    table.write(tmp_path)
    table.close()
    first, second = read(tmp_path / NAME)
    assert first == {
        "photo": "a.png",
        "failed": False,
        "why": None,
        "scale": 2,
        "files": ["a_kernel_x2.npy"],
        "kernel": list(range(9)),
        "size": 3,
        "width_major": 2.0,
        "width_minor": 1.0,
        "angle": 30.0,
        "expected_error": 0.1,
        "spread": None,
        "warnings": ["grey"],
        "seconds": 0.75,
        "device": "cpu",
        "versions": '{"numpy": "2.0"}',
    }
    assert second["failed"] and second["why"] == "s3://b/bad.png: too small"
    assert second["kernel"] is None and second["scale"] == 2


def test_no_photo_has_two_rows() -> None:
    table = Table([Path("a.png")], scale=2)
    table.add(outcome(Path("a.png")))
    for photo in ("a.png", "b.png"):
        with pytest.raises(ValueError, match="must have one row"):
            table.add(outcome(Path(photo)))
    table.close()


def test_a_table_goes_to_storage(memory: Any, tmp_path: Path) -> None:
    table = Table([Path("a.png")], scale=2)
    table.add(outcome(Path("a.png")))
    table.write(Url("memory://out"))
    table.close()
    memory.get_file(f"/out/{NAME}", str(tmp_path / NAME))
    assert len(read(tmp_path / NAME)) == 1
