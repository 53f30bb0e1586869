"""Records: written whole, read back, and believed only where they still hold."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from quick import QUICK, write_photo

from kernelgan_fast.api import estimate
from kernelgan_fast.errors import ImageError
from kernelgan_fast.estimation.options import estimate_options
from kernelgan_fast.jobs import records

SETTINGS = estimate_options(profile=QUICK, seeds=2)
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
    stages = {"read", "analysis", "prepare", "train", "finish"}
    assert set(record["timings"]) == stages
    assert record["analysis"]["white"] == 1
    assert {"spread", "warnings", "similar_at", "versions", "device", "finished"} <= set(record)


def test_lists_of_numbers_stay_on_one_line(folder: Path) -> None:
    text = (folder / "a.json").read_text()
    assert '"seeds": [0, 1]' in text
    assert not re.search(r"^\s*-?[0-9.e+-]+,?$", text, re.MULTILINE)


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
    with pytest.raises(ImageError, match="no such file"):
        records.source_facts(tmp_path / "missing.png")


def spoilt(record: dict[str, Any], spoil: Callable[[Any], object]) -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(record))
    spoil(copy)
    return copy


TILES = {"grid": [1, 2], "width_major": [[1.0, None]], "width_minor": [[0.5, None]]}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda record: record.pop("kernels"),
        lambda record: record.update(kernels=[]),
        lambda record: record["kernels"].pop("x2"),
        lambda record: record["kernels"]["x2"].pop("width_minor"),
        lambda record: record["kernels"]["x2"].update(angle="0"),
        lambda record: record["kernels"]["x2"].update(angle=float("inf")),
        lambda record: record.update(spread={"a": 1}),
        lambda record: record.update(expected_error="0.1"),
        lambda record: record.update(expected_error=10**400),
        lambda record: record.update(warnings="none"),
        lambda record: record.update(warnings=[{}]),
        lambda record: record.pop("timings"),
        lambda record: record["timings"].update(read=None),
        lambda record: record.update(device=1),
        lambda record: record.update(versions=[]),
        lambda record: record.update(files=["a", 3]),
        lambda record: record.update(source=[]),
        lambda record: record.update(losses=[float("nan")]),
        lambda record: record.update(tiles=3),
        lambda record: record.update(tiles={**TILES, "grid": [1]}),
        lambda record: record.update(tiles={**TILES, "grid": [2, 1]}),
        lambda record: record.update(tiles={**TILES, "width_minor": [[0.5]]}),
        lambda record: record.update(tiles={**TILES, "width_minor": [[None, 0.5]]}),
        lambda record: record.update(tiles={**TILES, "width_minor": [[-0.5, None]]}),
        lambda record: record.update(tiles={"grid": [1, 2], "width_major": [[1.0, None]]}),
    ],
)
def test_a_damaged_record_is_not_sound(
    record: dict[str, Any], spoil: Callable[[Any], object]
) -> None:
    assert records.is_sound(record, 2)
    assert not records.is_sound(record, 4)
    assert records.is_sound({**record, "tiles": TILES}, 2)
    assert not records.is_sound(spoilt(record, spoil), 2)


def test_a_record_is_known_by_its_beginning(folder: Path, tmp_path: Path) -> None:
    whole = (folder / "a.json").read_bytes()
    path = tmp_path / "a.json"
    for content, ours in (
        (whole, True),
        (whole[:200], True),
        (whole.replace(b"record 1", b"record 9"), True),
        (whole[:10], False),
        (b'{"labels": [], "format": "kernelgan-fast record 1"}', False),
    ):
        path.write_bytes(content)
        assert records.is_record(path) == ours
    assert not records.is_record(tmp_path / "none.json")
    assert not records.is_record(tmp_path)


def test_only_files_are_photos(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    (tmp_path / "folder.png").mkdir()
    kinds = {"pipe.png": "a pipe", "zero.png": "a device", "folder.png": "a folder"}
    for name, kind in kinds.items():
        with pytest.raises(ImageError, match=f"{name}: {kind}, not an image"):
            records.source_facts(tmp_path / name)
    for name in ("\ud800", "a\0b"):
        with pytest.raises(ImageError, match="it cannot be opened"):
            records.source_facts(tmp_path / name)


def test_photos_have_a_limit(tmp_path: Path) -> None:
    with (tmp_path / "a.png").open("wb") as stream:
        stream.truncate(4_000_000_001)  # a sparse file
    with pytest.raises(ImageError, match=r"may have 4\.0 GB"):
        records.source_facts(tmp_path / "a.png")
