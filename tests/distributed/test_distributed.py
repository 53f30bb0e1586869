"""Runs over photos anywhere, in this process."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from quick import QUICK, write_photo

from kernelgan_fast.cli.main import main
from kernelgan_fast.errors import ConfigError, InputError, OutputError
from kernelgan_fast.estimation.result import PhotoResult, ProgressEvent
from kernelgan_fast.jobs import distributed
from kernelgan_fast.jobs.distributed import estimate_everywhere
from kernelgan_fast.jobs.inputs import failed


def here(inputs: list[Any], out: str | Path, **options: Any) -> list[PhotoResult]:
    return list(estimate_everywhere(inputs, out, engine="local", threads=1, **options).results())


@pytest.mark.usefixtures("memory")
def test_urls_need_no_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ray", "pyarrow"):
        monkeypatch.setitem(sys.modules, name, None)
    photo = write_photo(tmp_path / "c.png")
    results = here(["memory://photos", photo, "memory://none"], "memory://out", formats=["npy"])
    assert [(str(result.source), result.status) for result in results] == [
        ("memory://none", "failed"),
        (str(photo), "done"),
        ("memory://photos/a.png", "done"),
        ("memory://photos/b.png", "done"),
    ]
    again = here(["memory://photos"], "memory://out", formats=["npy"], resume=True)
    assert [result.status for result in again] == ["skipped", "skipped"]


@pytest.mark.usefixtures("memory")
def test_the_command_takes_urls(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["memory://photos", "memory://none", "--out", "memory://out", "--jobs", "1"]
    assert main(["estimate", *words]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines()[0].startswith("memory://photos/a.png  widths ")
    assert out.splitlines()[0].endswith("  memory://out/a_kernel_x2.npy")
    assert "3 photos, spectral estimate, 1 thread, into memory://out" in err
    assert "error: memory://none: no image found there" in err
    assert "2 done, 1 failed" in err


@pytest.mark.usefixtures("memory")
def test_training_tells_its_progress() -> None:
    events: list[ProgressEvent] = []
    run = estimate_everywhere(
        ["memory://photos"], "memory://out", engine="local", profile=QUICK, threads=1
    )
    assert len(run) == 2
    assert [result.status for result in run.results(events.append)] == ["done", "done"]
    assert {event.photos_total for event in events} == {2}
    assert max(event.iteration for event in events) == QUICK.iterations
    assert run.elapsed > 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"engine": "spark"}, "engine must be one of local, ray, got 'spark'"),
        ({"engine": "local", "address": "head:6379"}, "add --engine ray"),
        ({"device": "cuda:1"}, "auto, cpu or cuda with Ray, got 'cuda:1'"),
        ({"devices": "all"}, "auto, cpu or cuda with Ray, got 'all'"),
        ({"formats": ["png"]}, "npy, mat or json with Ray"),
    ],
)
def test_what_cannot_be_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], words: str
) -> None:
    monkeypatch.setattr(distributed, "required", lambda *names: None)
    with pytest.raises(ConfigError, match=words):
        estimate_everywhere([tmp_path], tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(InputError, match=r"pip install 'kernelgan-fast\[ray\]'"):
        estimate_everywhere([tmp_path], tmp_path / "out")


def test_a_folder_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputError, match="it is a file"):
        here([tmp_path], tmp_path / "out")
    assert here([tmp_path / "missing.png"], tmp_path / "new")[0].status == "failed"
    assert not (tmp_path / "new").exists()


def test_the_time_left_is_that_of_photos_done_now(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(distributed.time, "perf_counter", lambda: now[0])
    events: list[ProgressEvent] = []
    pace = distributed._Pace(10, events.append)
    photo = Path("a.png")
    skipped = PhotoResult(photo, "skipped", None, {}, None, None)
    done = PhotoResult(photo, "done", None, {}, None, None)
    seconds = (1, 30, 30, 34, 36)  # workers start for 30 seconds, then two photos come together
    results = (skipped, done, done, done, failed(photo, OSError("lost")))
    for second, result in zip(seconds, results, strict=True):
        now[0] = float(second)
        pace.count(result)
    assert [event.photos_done for event in events] == [1, 2, 3, 4, 5]
    assert [event.remaining for event in events] == [None, None, None, 24.0, 30.0]
    assert events[-1].elapsed == 36.0
