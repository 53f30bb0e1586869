"""Runs that make LR photos: what they write, what they leave alone, and going on after a stop."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from quick import write_photo
from scipy.io import loadmat

from kernelgan_fast import images
from kernelgan_fast.degradation import shapes
from kernelgan_fast.degradation.blur_models import draw, generator
from kernelgan_fast.degradation.degrade import degrade
from kernelgan_fast.errors import InputError, OutputError
from kernelgan_fast.estimation.result import PhotoResult, ProgressEvent
from kernelgan_fast.images import read_image
from kernelgan_fast.jobs.degrade import RECORD, DegradeRun, degrade_settings
from kernelgan_fast.jobs.inputs import find_photos


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with three small photos."""
    for seed, name in enumerate("abc"):
        write_photo(tmp_path / "in" / f"{name}.png", 40, 36, seed=seed)
    return tmp_path / "in"


def make(photos: Path | list[Path], out: Path, *, resume: bool = False, **options: Any) -> Any:
    sources = photos if isinstance(photos, list) else [photos]
    return DegradeRun(sources, out, degrade_settings(**options), resume=resume)


def statuses(results: list[PhotoResult]) -> dict[str, str]:
    return {result.source.name: result.status for result in results}


def record(out: Path) -> Any:
    return json.loads((out / RECORD).read_text())["photos"]


def test_every_photo_gets_its_lr_photo_its_kernel_and_its_entry(
    photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    results = list(make(photos, out, seed=3, noise=2.0).results())
    assert statuses(results) == {"a.png": "done", "b.png": "done", "c.png": "done"}
    assert sorted(os.listdir(out)) == [RECORD, "gt_k_x2", "lr_x2"]
    for name in "abc":
        kernel = draw("div2krk", 2, seed=3, name=name)
        stored = loadmat(out / "gt_k_x2" / f"{name}.mat")
        assert stored["Kernel"] == pytest.approx(kernel.array, abs=1e-12)
        assert stored["scale"] == 2
        random = generator(3, "noise", "2", name)
        lr = degrade(read_image(photos / f"{name}.png"), kernel.array, 2, noise=2.0, random=random)
        assert np.array_equal(read_image(out / "lr_x2" / f"{name}.png").pixels, lr)
        entry = record(out)[name]["x2"]
        assert entry["parameters"] == pytest.approx(dict(kernel.parameters))
        assert entry["request"]["seed"] == 3 and entry["request"]["noise"] == 2.0
        assert entry["size"] == [18, 20] and entry["sum"] == 1
        assert all((out / file).is_file() for file in entry["files"])
        assert entry["versions"]["numpy"] == np.__version__


def test_a_photo_comes_out_the_same_alone(photos: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"blur_model": "motion", "noise": 1.0, "jpeg": 80}
    list(make(photos, tmp_path / "all", **options).results())
    list(make(photos / "b.png", tmp_path / "one", **options).results())
    for file in ("lr_x2/b.png", "gt_k_x2/b.mat"):
        assert (tmp_path / "all" / file).read_bytes() == (tmp_path / "one" / file).read_bytes()


def test_both_scales_share_a_folder_and_a_record(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for scale in (2, 4):
        assert len(list(make(photos, out, scale=scale, blur_model="disk").results())) == 3
    assert sorted(os.listdir(out)) == [RECORD, "gt_k_x2", "gt_k_x4", "lr_x2", "lr_x4"]
    assert set(record(out)["a"]) == {"x2", "x4"}
    assert read_image(out / "lr_x4" / "a.png").pixels.shape == (10, 9, 3)


def test_resume_makes_what_is_missing_or_was_asked_otherwise(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    list(make(photos, out).results())
    before = (out / "lr_x2" / "a.png").stat().st_mtime_ns
    write_photo(photos / "b.png", 40, 36, seed=9)
    (out / "gt_k_x2" / "c.mat").unlink()
    results = list(make(photos, out, resume=True).results())
    assert statuses(results) == {"a.png": "skipped", "b.png": "done", "c.png": "done"}
    assert (out / "lr_x2" / "a.png").stat().st_mtime_ns == before
    assert results[0].summary["kernel"]
    for other in ({"seed": 1}, {"noise": 1.0}, {"jpeg": 90}, {"blur_model": "disk"}):
        again = list(make(photos / "a.png", out, resume=True, **other).results())
        assert statuses(again) == {"a.png": "done"}
    assert statuses(list(make(photos / "a.png", out).results())) == {"a.png": "done"}


def test_a_kernel_file_serves_all_photos(photos: Path, tmp_path: Path) -> None:
    file = tmp_path / "k.npy"
    np.save(file, shapes.resampler("lanczos", 17, 2))
    out = tmp_path / "out"
    list(make(photos, out, blur_model=str(file)).results())
    stored = [loadmat(out / "gt_k_x2" / f"{name}.mat")["Kernel"] for name in "abc"]
    assert all(np.array_equal(kernel, stored[0]) for kernel in stored)
    entry = record(out)["a"]["x2"]
    assert entry["parameters"] == {"file": "k.npy", "index": 0}
    assert entry["request"]["blur_model"] == "k.npy"
    np.save(file, shapes.resampler("box", 17, 2))  # another kernel under the same name
    again = list(make(photos, out, blur_model=str(file), resume=True).results())
    assert set(statuses(again).values()) == {"done"}


def test_bad_photos_fail_alone(photos: Path, tmp_path: Path) -> None:
    (photos / "b.png").write_bytes(b"")
    run = make([photos, tmp_path / "none.png"], tmp_path / "out")
    results = list(run.results())
    assert len(run) == len(results) == 4
    found = statuses(results)
    assert found == {"none.png": "failed", "a.png": "done", "b.png": "failed", "c.png": "done"}
    assert all(result.error and "\n" not in result.error for result in results[:1])
    assert set(record(tmp_path / "out")) == {"a", "c"}


def test_a_folder_made_for_nothing_is_removed(tmp_path: Path) -> None:
    list(make(tmp_path / "none.png", tmp_path / "out").results())
    assert not (tmp_path / "out").exists()


def test_photos_of_others_are_not_replaced(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "published"
    write_photo(out / "lr_x2" / "a.png")
    before = (out / "lr_x2" / "a.png").read_bytes()
    with pytest.raises(OutputError, match="they are not replaced"):
        make(photos, out)
    assert (out / "lr_x2" / "a.png").read_bytes() == before
    list(make(photos, out, scale=4).results())  # another scale is free


@pytest.mark.parametrize("text", ["", "[]", '{"format": "other", "photos": {}}'])
def test_a_foreign_record_is_not_replaced(photos: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / RECORD).write_text(text)
    with pytest.raises(OutputError, match="not a record of this program"):
        make(photos, tmp_path)
    assert (tmp_path / RECORD).read_text() == text


def test_a_folder_that_cannot_be_made(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "lr_x2").write_text("a file")
    with pytest.raises(OutputError, match="cannot make the folder"):
        list(make(photos, tmp_path / "out").results())


@pytest.mark.parametrize("error", [KeyboardInterrupt, OutputError])
def test_a_photo_cut_short_leaves_nothing(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    real = images.save_png

    def save_png(pixels: Any, path: Path) -> None:
        if path.name == "b.png":
            raise error("no space left")
        real(pixels, path)

    out = tmp_path / "out"
    list(make(photos, out).results())  # an earlier run's files go too
    monkeypatch.setattr(images, "save_png", save_png)
    with pytest.raises(error, match="no space left"):
        list(make(photos, out, seed=1).results())
    assert sorted(os.listdir(out / "lr_x2")) == ["a.png", "c.png"]
    assert sorted(os.listdir(out / "gt_k_x2")) == ["a.mat", "c.mat"]
    assert {name: entry["x2"]["request"]["seed"] for name, entry in record(out).items()} == {
        "a": 1,
        "c": 0,
    }
    monkeypatch.undo()
    again = list(make(photos, out, seed=1, resume=True).results())
    assert statuses(again) == {"a.png": "skipped", "b.png": "done", "c.png": "done"}


def test_progress_counts_photos(photos: Path, tmp_path: Path) -> None:
    events: list[ProgressEvent] = []
    list(make(photos, tmp_path / "out").results(events.append))
    assert [event.photos_done for event in events] == [0, 1, 2]
    assert events[0].remaining is None and events[2].remaining is not None
    assert events[1].batch == ("b.png",) and events[1].fraction == pytest.approx(1 / 3)


def test_deep_photos_and_jpeg_are_told(tmp_path: Path) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (30, 30, 3)).astype(np.uint16)
    images.save_png(deep, tmp_path / "a.png")
    for jpeg, told in ((None, 0), (90, 1)):
        (result,) = make(tmp_path / "a.png", tmp_path / f"{jpeg}", jpeg=jpeg).results()
        warnings = result.summary["warnings"]
        assert len(warnings) == told
        depth = read_image(tmp_path / f"{jpeg}" / "lr_x2" / "a.png").pixels.dtype
        assert depth == (np.float32 if jpeg is None else np.uint8)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seed": -1}, "seed must be 0 to"),
        ({"noise": -1.0}, "noise must be"),
        ({"jpeg": 100}, "quality must be 1 to 95"),
        ({"blur_model": "dsk"}, "did you mean disk"),
        ({"blur_model": "disk", "fixed": {"radius": 9.0}}, "at most 3.5"),
        ({"blur_model": "none.mat"}, "no such file"),
        ({"scale": 3}, "scale 2 and 4"),
    ],
)
def test_wrong_options_are_told_before_the_run(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        degrade_settings(**options)


def test_a_kernel_file_has_no_parameters(tmp_path: Path) -> None:
    np.save(tmp_path / "k.npy", shapes.resampler("box", 17, 2))
    with pytest.raises(InputError, match="no parameters to set, got 'radius'"):
        degrade_settings(blur_model=str(tmp_path / "k.npy"), fixed={"radius": 2.0})


def test_photos_that_share_a_name_are_told(photos: Path, tmp_path: Path) -> None:
    write_photo(photos / "a.bmp", 40, 36)
    run = make(photos, tmp_path / "out")
    assert list(run.photos.values()) == ["a_bmp", "a_png", "b", "c"]
    assert len(run.notices) == 2 and "a_bmp" in run.notices[0]


def test_photos_can_be_left_out(photos: Path) -> None:
    names, failures, left = find_photos(
        [photos, photos / "a.png"], lambda photo: photo.name == "a.png"
    )
    assert list(names.values()) == ["b", "c"] and not failures and left == 1
