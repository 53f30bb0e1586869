"""Records: written whole, read back, and believed only where they still hold."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from quick import QUICK, write_photo

from kernelgan_fast.api import estimate
from kernelgan_fast.errors import ImageError
from kernelgan_fast.runs import records
from kernelgan_fast.runs.settings import make_settings

SETTINGS = make_settings(profile_or_config=QUICK, seeds=2)
FILES = ["a_kernel_x2.npy", "a_kernel_x2.mat"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with photo a.png, its record a.json and (empty) kernel files."""
    folder = tmp_path_factory.mktemp("records")
    photo = write_photo(folder / "a.png")
    result = estimate(photo, profile=QUICK, seeds=2)
    record = records.make_record(result, records.source_facts(photo), SETTINGS, FILES)
    records.write_record(folder / "a.json", record)
    for name in FILES:
        (folder / name).touch()
    return folder


@pytest.fixture
def record(folder: Path) -> dict[str, Any]:
    found = records.read_record(folder / "a.json")
    assert found is not None
    return found


def test_a_record_holds_what_is_worth_knowing(folder: Path, record: dict[str, Any]) -> None:
    assert record["source"]["bytes"] == (folder / "a.png").stat().st_size
    assert record["request"]["config"]["profile"] == "quick"
    assert record["request"]["seeds"] == [0, 1]
    assert record["files"] == FILES
    assert record["kernels"]["x2"]["size"] == 13
    assert len(record["losses"]["gan_g"]) == 2
    assert len(record["losses"]["gan_g"][0]) == len(record["losses"]["iteration"])
    assert set(record["timings"]) == {"read", "spectrum", "prepare", "train", "finish"}
    assert {"spread", "warnings", "similar_at", "versions", "device", "finished"} <= set(record)


def test_lists_of_numbers_stay_on_one_line(folder: Path) -> None:
    text = (folder / "a.json").read_text()
    assert '"seeds": [0, 1]' in text
    assert len(text.splitlines()) < 130


def test_numbers_json_cannot_say_become_null(folder: Path, record: dict[str, Any]) -> None:
    assert records._numbers([[float("nan"), 1 / 3], [2, float("inf")]]) == [
        [None, 0.333333],
        [2, None],
    ]
    with pytest.raises(ValueError):
        records.write_record(folder / "nan.json", {"spread": float("nan")})
    assert not (folder / "nan.json").exists()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": "another"}', "[" * 100_000, "\udcff"], ids=range(6)
)
def test_what_is_not_a_record_reads_as_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "b.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    assert records.read_record(path) is None
    assert records.read_record(tmp_path / "missing.json") is None


def holds(folder: Path, record: dict[str, Any], settings: Any = SETTINGS, **options: Any) -> bool:
    facts = options.get("facts") or records.source_facts(folder / "a.png")
    files = [folder / name for name in options.get("files", FILES)]
    return records.still_holds(record, facts, settings, files)


def test_a_record_holds_for_the_same_request(folder: Path, record: dict[str, Any]) -> None:
    assert holds(folder, record)
    assert holds(folder, record, files=FILES[:1])
    assert holds(folder, record, replace(SETTINGS, threads=7))


@pytest.mark.parametrize(
    "change",
    [
        {"scale": 4},
        {"seeds": (0, 2)},
        {"seeds": (0,)},
        {"real": True},
        {"config": QUICK.replace(iterations=21)},
        {"config": QUICK.replace(kept_values=39)},
    ],
    ids=str,
)
def test_another_request_is_not_held(
    folder: Path, record: dict[str, Any], change: dict[str, Any]
) -> None:
    assert not holds(folder, record, replace(SETTINGS, **change))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda record: record["request"].update(version="0.0.0"),
        lambda record: record.pop("files"),
        lambda record: record.pop("source"),
        lambda record: record["source"].update(sha256="0"),
    ],
)
def test_a_changed_record_is_not_held(
    folder: Path, record: dict[str, Any], spoil: Callable[[Any], object]
) -> None:
    copy = json.loads(json.dumps(record))
    spoil(copy)
    assert not holds(folder, copy)


def test_a_missing_or_unlisted_file_is_not_held(folder: Path, record: dict[str, Any]) -> None:
    (folder / "a_kernel_x2.png").touch()
    assert not holds(folder, record, files=[*FILES, "a_kernel_x2.png"])
    (folder / "a_kernel_x2.png").unlink()
    listed = {**record, "files": [*FILES, "gone.png"]}
    assert not holds(folder, listed, files=[*FILES, "gone.png"])


def test_a_changed_photo_is_not_held(folder: Path, record: dict[str, Any], tmp_path: Path) -> None:
    other = write_photo(tmp_path / "a.png", seed=1)
    assert not holds(folder, record, facts=records.source_facts(other))


def test_a_photo_that_cannot_be_read_has_no_facts(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="No such file"):
        records.source_facts(tmp_path / "missing.png")
