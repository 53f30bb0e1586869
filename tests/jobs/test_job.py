"""What runs with one record share, by the example of a run that copies photos."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from quick import write_photo

from kernelgan_fast.errors import InputError, OutputError, TrainingDiverged
from kernelgan_fast.estimation.result import PhotoResult, ProgressEvent
from kernelgan_fast.jobs import job, records, schema
from kernelgan_fast.jobs.job import Output, RecordedRun, Report


class CopyRun(RecordedRun):
    """Copies photos, in three steps; `trouble` raises what it holds for a photo."""

    format = "copies 1"
    record_name = "copies.json"
    facts: ClassVar[Mapping[str, schema.Check]] = {"steps": schema.whole}
    key = "copy"
    trouble: Mapping[str, Exception] = {}
    late: Mapping[str, BaseException] = {}
    wanted = 1

    def files(self, name: str) -> tuple[Path, ...]:
        return (self.folder.path / f"{name}_copy.png", self.folder.path / "more" / f"{name}.txt")

    def request(self, photo: Path, name: str) -> Mapping[str, object]:
        return {"wanted": self.wanted, "pair": (1, 2)}

    def make(self, photo: Path, name: str, report: Report) -> Output:
        for step in (1, 2):
            report(step, 3)
        if name in self.trouble:
            raise self.trouble[name]

        def copy(file: Path) -> list[str]:
            shutil.copy(photo, file)
            return [f"copied {file.name}"]

        def tell(file: Path) -> None:
            file.write_text(name)
            if name in self.late:
                raise self.late[name]

        writers = dict(zip(self.files(name), (copy, tell), strict=True))
        return Output(writers, {"steps": 3}, ["noted"])


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with three small photos."""
    for seed, name in enumerate("abc"):
        write_photo(tmp_path / "in" / f"{name}.png", 20, 20, seed=seed)
    return tmp_path / "in"


def record(out: Path) -> dict[str, dict[str, dict[str, object]]]:
    content = json.loads((out / "copies.json").read_text())
    assert content["format"] == "copies 1"
    found: dict[str, dict[str, dict[str, object]]] = content["photos"]
    return found


def statuses(results: list[PhotoResult]) -> str:
    return " ".join(result.status for result in results)


def test_entries_hold_facts_and_notes_of_making_and_of_writing(
    photos: Path, tmp_path: Path
) -> None:
    results = list(CopyRun([photos], tmp_path / "out").results())
    assert statuses(results) == "done done done"
    entry = record(tmp_path / "out")["a"]["copy"]
    assert entry["steps"] == 3 and entry["request"] == {"wanted": 1, "pair": [1, 2]}
    assert entry["files"] == ["a_copy.png", "more/a.txt"]
    assert entry["warnings"] == ["noted", "copied a_copy.png"]
    assert results[0].summary["warnings"] == entry["warnings"]


def test_resume_wants_the_same_photo_request_and_files(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    list(CopyRun([photos], out).results())
    again = list(CopyRun([photos], out, resume=True).results())
    assert statuses(again) == "skipped skipped skipped"
    (out / "more" / "b.txt").unlink()
    write_photo(photos / "c.png", 20, 20, seed=9)
    assert statuses(list(CopyRun([photos], out, resume=True).results())) == "skipped done done"
    other = CopyRun([photos], out, resume=True)
    other.wanted = 2
    assert statuses(list(other.results())) == "done done done"


def test_progress_within_a_photo(photos: Path, tmp_path: Path) -> None:
    events: list[ProgressEvent] = []
    list(CopyRun([photos], tmp_path / "out").results(events.append))
    assert [event.iteration for event in events] == [0, 1, 2] * 3
    assert [round(9 * event.fraction) for event in events] == list(range(9))
    assert events[0].remaining is None and events[1].remaining is not None
    assert events[1].remaining > 0


def test_errors_of_one_photo_leave_the_others(photos: Path, tmp_path: Path) -> None:
    run = CopyRun([photos], tmp_path / "out")
    run.trouble = {"a": InputError("too odd"), "b": TrainingDiverged("went off")}
    run.late = {"c": InputError("too large for its format")}
    results = list(run.results())
    assert statuses(results) == "failed failed failed"
    assert [result.error for result in results] == [
        f"{photos / 'a.png'}: too odd",
        f"{photos / 'b.png'}: went off",
        f"{photos / 'c.png'}: too large for its format",
    ]
    assert sorted(os.listdir(tmp_path / "out")) == ["copies.json", "more"]
    assert os.listdir(tmp_path / "out" / "more") == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OutputError("disk full")])
def test_a_photo_cut_short_leaves_no_file_and_no_entry(
    photos: Path, tmp_path: Path, error: BaseException
) -> None:
    out = tmp_path / "out"
    list(CopyRun([photos], out).results())
    run = CopyRun([photos], out)
    run.late = {"b": error}
    with pytest.raises(type(error)):
        list(run.results())
    assert sorted(record(out)) == ["a", "c"]
    assert sorted(os.listdir(out)) == ["a_copy.png", "c_copy.png", "copies.json", "more"]
    assert sorted(os.listdir(out / "more")) == ["a.txt", "c.txt"]


def test_what_it_wrote_among_the_photos_is_not_taken_for_photos(photos: Path) -> None:
    list(CopyRun([photos], photos).results())
    again = CopyRun([photos], photos)
    assert list(again.photos.values()) == ["a", "b", "c"]
    assert again.notices == ["left out what an earlier run wrote: 3"]


def test_a_photo_is_never_replaced_by_what_is_made_of_another(photos: Path) -> None:
    list(CopyRun([photos], photos).results())
    (photos / "copies.json").write_text('{"format": "copies 1", "photos": {}}')
    before = (photos / "a_copy.png").read_bytes()
    with pytest.raises(OutputError, match=r"a_copy\.png is one of the photos"):
        CopyRun([photos], photos)
    assert (photos / "a_copy.png").read_bytes() == before


def test_entries_of_files_that_are_replaced_go(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    list(CopyRun([photos], out).results())
    other = CopyRun([photos / "a.png"], out)
    other.key = "other"
    list(other.results())
    assert {name: list(entries) for name, entries in record(out).items()} == {
        "a": ["other"],
        "b": ["copy"],
        "c": ["copy"],
    }


def test_a_long_record_is_not_written_for_each_photo(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[list[str]] = []
    real = records.write_record

    def write_record(path: Path, content: Mapping[str, Any]) -> None:
        written.append(list(content["photos"]))
        real(path, content)

    monkeypatch.setattr(records, "write_record", write_record)
    monkeypatch.setattr(job, "_SECONDS_BETWEEN_SAVES", 1000.0)
    list(CopyRun([photos], tmp_path / "out").results())
    assert written == [[], ["a", "b", "c"]]
    again = CopyRun([photos], tmp_path / "out").results()
    next(again)
    again.close()  # the photos made again leave the record before their files change
    assert written[2:] == [["b", "c"], ["a", "b", "c"]]
    written.clear()
    monkeypatch.setattr(job, "_SECONDS_BETWEEN_SAVES", 0.0)
    monkeypatch.setattr(job, "_SHARE", 0)
    list(CopyRun([photos], tmp_path / "other").results())
    assert written == [[], ["a"], ["a", "b"], ["a", "b", "c"]]


@pytest.mark.parametrize("name", ["a_copy.png", "more/theirs.txt"])
def test_files_that_no_record_tells_of_stay(photos: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / "out" / name
    path.parent.mkdir(parents=True)
    path.write_text("theirs")
    with pytest.raises(OutputError, match="they are not replaced"):
        CopyRun([photos], tmp_path / "out")
    assert path.read_text() == "theirs"


def test_other_files_beside_are_no_matter(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    assert len(list(CopyRun([photos], tmp_path / "out").results())) == 3


def test_a_record_of_another_program(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "copies.json").write_text('{"format": "copies 2", "photos": {}}')
    with pytest.raises(OutputError, match="not a record of this program"):
        CopyRun([photos], tmp_path)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda photos: photos.update(b="text"),
        lambda photos: photos.update(b=None),
        lambda photos: photos["b"].update(copy=[1]),
        lambda photos: photos["b"]["copy"].pop("source"),
        lambda photos: photos["b"]["copy"].update(source="b.png"),
        lambda photos: photos["b"]["copy"]["source"].pop("sha256"),
        lambda photos: photos["b"]["copy"].pop("files"),
        lambda photos: photos["b"]["copy"].update(files=3),
        lambda photos: photos["b"]["copy"].update(files=["../b_copy.png"]),
        lambda photos: photos["b"]["copy"].update(request=[]),
        lambda photos: photos["b"]["copy"].pop("warnings"),
        lambda photos: photos["b"]["copy"].update(steps="three"),
        lambda photos: photos["b"]["copy"].update(other=float("inf")),
        lambda photos: photos["b"]["copy"].update(expected_error="0.1"),
        lambda photos: photos["b"]["copy"].update(expected_error=10**400),
    ],
)
@pytest.mark.parametrize("resume", [False, True])
def test_a_damaged_entry_counts_as_not_done(
    photos: Path, tmp_path: Path, resume: bool, spoil: Callable[[Any], object]
) -> None:
    out = tmp_path / "out"
    list(CopyRun([photos], out).results())
    content = json.loads((out / "copies.json").read_text())
    spoil(content["photos"])
    (out / "copies.json").write_text(json.dumps(content))
    again = CopyRun([photos], out, resume=resume)
    assert again.notices == [
        f"{out / 'copies.json'}: the entries of b are damaged and count as not done"
    ]
    kept = "skipped" if resume else "done"
    assert sorted(statuses(list(again.results())).split()) == sorted([kept, kept, "done"])
    assert sorted(record(out)) == ["a", "b", "c"]
    assert CopyRun([photos], out).notices == []


def test_many_damaged_entries_are_told_in_one_line(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    damaged = {name: 0 for name in ("\x1b[31m", "\ud800", "c", "d", "e", "f", "g")}
    (out / "copies.json").write_text(json.dumps({"format": "copies 1", "photos": damaged}))
    (notice,) = CopyRun([photos], out).notices
    assert r"'\x1b[31m', '\ud800', c, d, e, ... are damaged" in notice
    assert notice.isprintable()
