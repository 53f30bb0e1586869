"""Runs over many files: failures stay apart, finished photos stay, a second run resumes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from quick import QUICK, pixels, write_photo

from kernelgan_fast.api import estimate, estimate_files
from kernelgan_fast.errors import NativeUnavailable, OutputError, TrainingDiverged
from kernelgan_fast.estimation.result import PhotoResult
from kernelgan_fast.gan import trainer
from kernelgan_fast.jobs.estimate import FolderRun
from kernelgan_fast.jobs.outputs import file_names
from kernelgan_fast.kernels import store


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with three photos of different sizes."""
    for seed, name in enumerate(("a", "b", "c")):
        write_photo(tmp_path / "in" / f"{name}.png", 96 + 2 * seed, seed=seed)
    return tmp_path / "in"


def make(source: Path | list[Path], **options: Any) -> FolderRun:
    sources = source if isinstance(source, list) else [source]
    options = {"profile": QUICK, "threads": 2, "formats": ["npy", "json"], **options}
    out = options.pop("out", sources[0].parent / "out")
    return estimate_files(sources, out, **options)


def statuses(results: list[PhotoResult]) -> dict[str, str]:
    return {result.source.name: result.status for result in results}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_every_photo_gets_its_files_and_the_kernel_it_gets_alone(photos: Path) -> None:
    run = make(photos)
    results = list(run.results())
    assert len(run) == 3
    assert statuses(results) == {"a.png": "done", "b.png": "done", "c.png": "done"}
    names = [name for stem in "abc" for name in file_names(stem, [2], ["npy", "json"])]
    assert sorted(os.listdir(run.folder.path)) == sorted([*names, "a.json", "b.json", "c.json"])
    for result in results:
        alone = estimate(result.source, profile=QUICK, threads=1)
        assert result.estimate is not None and result.record is not None
        assert result.record.is_file()
        saved = np.load(run.folder.path / f"{result.source.stem}_kernel_x2.npy")
        assert np.array_equal(saved, alone.kernel.array)


def test_the_same_seed_gives_the_same_bytes(photos: Path) -> None:
    formats = ["npy", "mat", "json", "png"]
    for out in ("one", "two"):
        list(make(photos, out=photos.parent / out, formats=formats, scale=4).results())
    one, two = contents(photos.parent / "one"), contents(photos.parent / "two")
    assert len(one) == 3 * 9
    for name in one:
        if "_kernel_" in name:
            assert one[name] == two[name], name


def test_bad_photos_are_told_and_the_others_are_done(photos: Path) -> None:
    (photos / "empty.png").touch()
    (photos / "text.jpg").write_text("not an image")
    whole = (photos / "a.png").read_bytes()
    (photos / "cut.png").write_bytes(whole[: len(whole) // 2])
    write_photo(photos / "tiny.png", 60)
    run = make([photos, photos / "missing.png"])
    results = list(run.results())
    assert len(run) == len(results) == 8
    failed = {result.source.name: result.error for result in results if result.status == "failed"}
    assert set(failed) == {"empty.png", "text.jpg", "cut.png", "tiny.png", "missing.png"}
    for name, error in failed.items():
        assert error is not None and name in error and "\n" not in error
    assert "84" in str(failed["tiny.png"])
    assert {path.name[0] for path in run.folder.path.iterdir()} == {"a", "b", "c"}


def test_a_second_run_resumes(photos: Path) -> None:
    list(make(photos).results())
    before = contents(photos.parent / "out")
    write_photo(photos / "b.png", seed=9)
    (photos.parent / "out" / "c_kernel_x2.npy").unlink()
    results = list(make(photos, resume=True).results())
    assert statuses(results) == {"a.png": "skipped", "b.png": "done", "c.png": "done"}
    skipped = next(result for result in results if result.status == "skipped")
    assert skipped.summary["files"] and skipped.record is not None
    after = contents(photos.parent / "out")
    assert after["a.json"] == before["a.json"]
    assert after["b_kernel_x2.npy"] != before["b_kernel_x2.npy"]
    assert after["c_kernel_x2.npy"] == before["c_kernel_x2.npy"]


def test_other_settings_or_no_resume_run_again(photos: Path) -> None:
    list(make(photos).results())
    for options in ({"resume": False}, {"resume": True, "seed": 1}):
        assert set(statuses(list(make(photos, **options).results())).values()) == {"done"}


def test_a_record_of_a_photo_that_became_unreadable_does_not_count(photos: Path) -> None:
    list(make(photos).results())
    (photos / "a.png").write_bytes(b"")
    found = statuses(list(make(photos, resume=True).results()))
    assert found == {"a.png": "failed", "b.png": "skipped", "c.png": "skipped"}


def test_stopping_keeps_finished_photos_only(photos: Path) -> None:
    run = make(photos, threads=1)
    results = run.results()
    assert next(results).source.name == "a.png"
    results.close()
    assert sorted(os.listdir(run.folder.path)) == ["a.json", "a_kernel_x2.json", "a_kernel_x2.npy"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OutputError])
def test_a_photo_whose_writing_is_cut_short_leaves_nothing(
    photos: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    real_save = store.save

    def save(kernel: Any, path: Path) -> None:
        if path.name == "b_kernel_x2.json":
            raise error("no space left")
        real_save(kernel, path)

    monkeypatch.setattr(store, "save", save)
    run = make(photos)
    with pytest.raises(error, match="no space left"):
        list(run.results())
    assert sorted(os.listdir(run.folder.path)) == ["a.json", "a_kernel_x2.json", "a_kernel_x2.npy"]


def test_a_folder_made_for_nothing_is_removed(tmp_path: Path) -> None:
    run = make([tmp_path / "missing.png"])
    assert statuses(list(run.results())) == {"missing.png": "failed"}
    assert not run.folder.path.exists()


def test_photos_are_found_once_and_kernel_pictures_left_out(photos: Path) -> None:
    first = make(photos, out=photos, formats=["png"])
    assert len(list(first.results())) == 3
    again = make([photos, photos / "a.png", photos / "*.png"], out=photos, formats=["png"])
    assert list(again.photos.values()) == ["a", "b", "c"]
    assert again.notices == ["left out kernel pictures of an earlier run: 3"]


def test_photos_that_share_a_name_are_told(photos: Path) -> None:
    write_photo(photos / "a.bmp")
    run = make(photos)
    assert list(run.photos.values()) == ["a_bmp", "a_png", "b", "c"]
    assert len(run.notices) == 2 and "a_bmp" in run.notices[0]


def test_a_foreign_json_is_never_replaced(photos: Path) -> None:
    (photos / "b.json").write_text('{"labels": []}')
    found = statuses(list(make(photos, out=photos).results()))
    assert found == {"a.png": "done", "b.png": "failed", "c.png": "done"}
    assert (photos / "b.json").read_text() == '{"labels": []}'
    assert not (photos / "b_kernel_x2.npy").exists()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[:300],
        lambda text: text.replace("width_minor", "other"),
        lambda text: text.replace("record 1", "record 2"),
    ],
)
def test_a_damaged_record_counts_as_not_done(photos: Path, spoil: Callable[[str], str]) -> None:
    out = photos.parent / "out"
    list(make(photos).results())
    before = contents(out)
    record = out / "a.json"
    record.write_text(spoil(record.read_text()))
    with pytest.warns(UserWarning, match=r"a\.json is damaged, or of another version"):
        found = statuses(list(make(photos, resume=True).results()))
    assert found.pop("a.png") == "done"
    assert set(found.values()) == {"skipped"}
    kernels = [name for name in before if "_kernel_" in name]
    assert [contents(out)[name] == before[name] for name in kernels] == [True] * 6
    record.write_text(spoil(record.read_text()))
    assert set(statuses(list(make(photos).results())).values()) == {"done"}


def changed_runs(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    real_train = trainer.train

    def train(problems: Any, *args: Any, **options: Any) -> Iterator[trainer.TrainedKernel]:
        runs = real_train(problems, *args, **options)
        wide = [problem.plan.image.shape[1] == 98 - 20 for problem in problems]
        return [
            replace(run, **changes) if hit else run for run, hit in zip(runs, wide, strict=True)
        ]

    monkeypatch.setattr(trainer, "train", train)


@pytest.mark.parametrize("changes", [{"diverged": True}, {"kernel": -np.ones((13, 13))}], ids=str)
def test_a_photo_whose_training_fails_fails_alone(
    photos: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    changed_runs(monkeypatch, **changes)
    found = statuses(list(make(photos).results()))
    assert found == {"a.png": "done", "b.png": "failed", "c.png": "done"}


def test_a_batch_that_diverges_altogether(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def train(*args: Any, **options: Any) -> None:
        raise TrainingDiverged("losses must stay finite")

    monkeypatch.setattr(trainer, "train", train)
    results = list(make(photos).results())
    assert set(statuses(results).values()) == {"failed"}
    assert results[0].error == f"{photos / 'a.png'}: losses must stay finite"


def test_a_missing_extension_ends_the_run(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def train(*args: Any, **options: Any) -> None:
        raise NativeUnavailable("the compiled extension must be importable")

    monkeypatch.setattr(trainer, "train", train)
    run = make(photos)
    with pytest.raises(NativeUnavailable):
        list(run.results())
    assert not run.folder.path.exists()


def test_photos_are_not_written_to(photos: Path) -> None:
    before = contents(photos)
    list(make(photos).results())
    assert contents(photos) == before
    assert pixels().dtype == np.uint8
