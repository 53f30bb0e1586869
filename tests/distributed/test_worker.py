"""A worker's share: the same files as a folder run, wherever photos and results are."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from quick import write_photo

import kernelgan_fast
from kernelgan_fast.api import estimate_files
from kernelgan_fast.errors import DeviceUnavailable, OutputError, WorkerLost
from kernelgan_fast.estimation import devices
from kernelgan_fast.estimation.options import estimate_options
from kernelgan_fast.jobs.shares import Photo
from kernelgan_fast.jobs.worker import Job, Outcome, work
from kernelgan_fast.urls import Url

OUT = Url("memory://out")
A, B = Url("memory://photos/a.png"), Url("memory://photos/b.png")


def job(**changes: Any) -> Job:
    made = Job(
        settings=estimate_options(threads=1),
        device="auto",
        formats=("npy", "json"),
        out=OUT,
        token=None,
        resume=False,
        version=kernelgan_fast.__version__,
    )
    return replace(made, **changes)


def done(photos: dict[Photo, str], **changes: Any) -> list[Outcome]:
    return list(work(photos, job(**changes)))


def statuses(outcomes: list[Outcome]) -> list[str]:
    return [outcome.result.status for outcome in outcomes]


def test_storage_gets_the_files_of_a_folder_run(memory: Any, tmp_path: Path) -> None:
    for name in "ab":
        memory.get_file(f"/photos/{name}.png", str(tmp_path / f"{name}.png"))
    list(estimate_files([tmp_path], tmp_path / "out", formats=["npy", "json"]).results())
    outcomes = done({A: "a", B: "b"})
    assert sorted(memory.ls("/out", detail=False)) == sorted(
        f"/out/{path.name}" for path in (tmp_path / "out").iterdir()
    )
    for path in (tmp_path / "out").glob("*_kernel_*"):
        assert memory.cat_file(f"/out/{path.name}") == path.read_bytes(), path.name
    for outcome, photo, name in zip(outcomes, (A, B), "ab", strict=True):
        result = outcome.result
        assert (result.source, result.status, result.record) == (
            photo,
            "done",
            OUT / f"{name}.json",
        )
        assert result.estimate is None and "losses" not in result.summary
        assert np.array_equal(outcome.kernel, np.load(tmp_path / "out" / f"{name}_kernel_x2.npy"))
        record = json.loads(memory.cat_file(f"/out/{name}.json"))
        assert record["source"]["path"] == str(photo)


@pytest.mark.parametrize("formats", [("npy",), ("json",), ("mat", "png")])
def test_a_second_run_resumes(memory: Any, formats: tuple[str, ...]) -> None:
    first = done({A: "a", B: "b"}, formats=formats)
    memory.pipe_file("/photos/b.png", memory.cat_file("/photos/a.png"))
    written = {name: memory.modified(name) for name in memory.find("/out") if "/a" in name}
    again = done({A: "a", B: "b"}, formats=formats, resume=True)
    assert statuses(again) == ["skipped", "done"]
    assert again[0].result.record == OUT / "a.json"
    for outcome in again:  # b is a copy of a now
        assert np.array_equal(outcome.kernel, first[0].kernel)
    assert {name: memory.modified(name) for name in written} == written
    memory.rm_file(f"/out/a_kernel_x2.{formats[0]}")
    assert statuses(done({A: "a"}, formats=formats, resume=True)) == ["done"]


def test_damaged_results_count_as_not_done(memory: Any) -> None:
    done({A: "a"})
    kernel, record = memory.cat_file("/out/a_kernel_x2.npy"), memory.cat_file("/out/a.json")
    memory.pipe_file("/out/a_kernel_x2.npy", kernel[:-8])
    with pytest.warns(UserWarning, match=r"a_kernel_x2\.npy: not a readable"):
        assert statuses(done({A: "a"}, resume=True)) == ["done"]
    assert memory.cat_file("/out/a_kernel_x2.npy") == kernel
    memory.pipe_file("/out/a.json", record.replace(b"timings", b"other"))
    with pytest.warns(UserWarning, match=r"a\.json is damaged"):
        assert statuses(done({A: "a"}, resume=True)) == ["done"]
    assert statuses(done({A: "a"}, resume=True)) == ["skipped"]


def test_pictures_alone_have_no_kernel_to_read(memory: Any) -> None:
    done({A: "a"}, formats=("png",))
    (outcome,) = done({A: "a"}, formats=("png",), resume=True)
    assert outcome.result.status == "skipped" and outcome.kernel is None


def test_files_of_an_earlier_run_go_and_no_others(memory: Any) -> None:
    done({A: "a"}, formats=("npy", "png"))
    record = json.loads(memory.cat_file("/out/a.json"))
    record["files"] += ["../photos/b.png", "other.txt"]
    memory.pipe_file("/out/a.json", json.dumps(record).encode())
    memory.pipe_file("/out/other.txt", b"kept")
    done({A: "a"}, formats=("npy",))
    names = [name.rpartition("/")[2] for name in memory.find("/out")]
    assert sorted(names) == ["a.json", "a_kernel_x2.npy", "other.txt"]
    assert memory.exists("/photos/b.png")


def test_a_foreign_json_is_never_replaced(memory: Any) -> None:
    memory.pipe_file("/out/a.json", b'{"labels": []}')
    for resume in (False, True):
        (outcome,) = done({A: "a"}, resume=resume)
        assert outcome.result.status == "failed"
        assert "not a record of this program" in str(outcome.result.error)
    assert memory.find("/out") == ["/out/a.json"]


def test_a_photo_that_cannot_be_used_fails_alone(memory: Any, tmp_path: Path) -> None:
    memory.pipe_file("/photos/bad.png", b"not a photo")
    bad, gone, elsewhere = Url("memory://photos/bad.png"), Url("memory://gone.png"), tmp_path / "x"
    photos: dict[Photo, str] = {bad: "bad", gone: "gone", elsewhere: "x", A: "a"}
    for resume in (False, True):
        if resume:  # a record of the photo's earlier self changes nothing
            memory.pipe_file("/out/bad.json", memory.cat_file("/out/a.json"))
            memory.pipe_file("/out/gone.json", memory.cat_file("/out/a.json"))
        found = {outcome.result.source: outcome.result for outcome in done(photos, resume=resume)}
        assert found[A].status == ("skipped" if resume else "done")
        for photo in (bad, gone, elsewhere):
            told = found[photo].error
            assert found[photo].status == "failed" and told is not None
            assert str(photo) in told and "kernelgan_fast_" not in told
        assert "a disk that every machine" in str(found[elsewhere].error)


def test_an_unshared_folder_is_refused(tmp_path: Path) -> None:
    photo = write_photo(tmp_path / "a.png")
    (tmp_path / "out").mkdir()
    with pytest.raises(OutputError, match="all machines share"):
        done({photo: "a"}, out=tmp_path / "out", token=".token")
    (tmp_path / "out" / ".token").touch()
    assert statuses(done({photo: "a"}, out=tmp_path / "out", token=".token")) == ["done"]


def test_a_photo_in_storage_and_a_folder_here(memory: Any, tmp_path: Path) -> None:
    (outcome,) = done({A: "a"}, out=tmp_path / "out")
    assert outcome.result.record == tmp_path / "out" / "a.json"
    assert json.loads((tmp_path / "out" / "a.json").read_text())["source"]["path"] == str(A)
    assert memory.find("/out") == []


def test_another_version_is_refused() -> None:
    with pytest.raises(WorkerLost, match=r"must have the same kernelgan-fast.* 9\.9 where"):
        done({A: "a"}, version="9.9")


def test_a_gpu_is_looked_for_where_the_worker_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "missing_for_cuda", lambda: "none here")
    with pytest.raises(DeviceUnavailable, match="none here"):
        done({A: "a"}, device="cuda")
