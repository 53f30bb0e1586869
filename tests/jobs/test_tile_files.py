"""Kernels by region in a run: files, record, picture, resuming; refused where there are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from quick import QUICK, pixels, write_photo

from kernelgan_fast.api import Estimate
from kernelgan_fast.errors import ConfigError, OutputError
from kernelgan_fast.estimation.devices import Choice
from kernelgan_fast.estimation.options import estimate_options
from kernelgan_fast.estimation.pipeline import find_batch, finish, prepare
from kernelgan_fast.estimation.spectral import TileMap, estimate_spectral, estimate_tiles
from kernelgan_fast.jobs.estimate import FolderRun
from kernelgan_fast.jobs.outputs import is_own_picture
from kernelgan_fast.jobs.tile_files import save_tiles, tile_facts
from kernelgan_fast.jobs.tile_picture import _ellipse, draw_tiles


@pytest.fixture(scope="module")
def half() -> Any:
    """Blobs on the left, one grey on the right: (200, 300, 3) uint8."""
    photo = pixels(200, 300)
    photo[:, 150:] = 128
    return photo


@pytest.fixture(scope="module")
def tiles(half: Any) -> TileMap:
    return estimate_tiles(half, (1, 2))


def run(source: Path, **options: Any) -> Any:
    formats = options.pop("formats", ["npy", "png"])
    resume = options.pop("resume", False)
    settings = estimate_options(**{"threads": 1, "tiles": (1, 2), **options})
    made = FolderRun([source], source.parent / "out", settings, formats=formats, resume=resume)
    return list(made.results())


def test_the_arrays(tiles: TileMap, tmp_path: Path) -> None:
    save_tiles(tiles, tmp_path / "t.npz")
    save_tiles(tiles, tmp_path / "u.npz")
    assert (tmp_path / "t.npz").read_bytes() == (tmp_path / "u.npz").read_bytes()
    with np.load(tmp_path / "t.npz") as stored:
        assert stored["kernels"].shape == (1, 2, 13, 13)
        assert stored["kernels"].sum(axis=(2, 3)) == pytest.approx(np.ones((1, 2)))
        assert stored["known"].tolist() == [[True, False]]
        assert np.array_equal(stored["kernels"][0, 1], stored["whole"])
        assert np.array_equal(stored["widths"], tiles.widths, equal_nan=True)
        assert np.isfinite(stored["expected_error"]).tolist() == [[True, False]]
        assert stored["row_edges"].tolist() == [0, 200]
        assert stored["col_edges"].tolist() == [0, 150, 300]
        assert stored["scale"] == 2
    with pytest.raises(OutputError, match="cannot write"):
        save_tiles(tiles, tmp_path / "nowhere" / "t.npz")


def test_what_a_record_tells(tiles: TileMap) -> None:
    facts: Any = json.loads(json.dumps(tile_facts(tiles), allow_nan=False))
    assert facts["grid"] == [1, 2]
    for name in ("width_major", "width_minor", "angle", "expected_error"):
        assert facts[name][0][1] is None and isinstance(facts[name][0][0], float)


def test_the_picture_shows_what_is_known(tiles: TileMap) -> None:
    picture = draw_tiles(tiles, "a.png")
    assert picture.size[0] == 900
    left, right = picture.getpixel((60, 80)), picture.getpixel((840, 80))
    assert right == (226, 226, 226) and left != right
    middle = picture.crop((100, 80, 400, 500)).convert("L").getextrema()
    assert middle[0] < 80  # an ellipse
    assert draw_tiles(tiles, "a.png").tobytes() == picture.tobytes()


def test_a_picture_without_anything_known(tiles: TileMap) -> None:
    blank = np.full((20, 1, 3), np.nan)
    nothing = TileMap(tiles.whole, ((None,),) * 20, blank, (2000, 100))
    picture = draw_tiles(nothing, "a_long_name_" * 20)
    assert picture.size[0] < 900 and picture.size[1] == 900


def test_ellipses_lean_as_the_kernels_do(tiles: TileMap) -> None:
    widths = tiles.whole.widths._replace(major=2.0, minor=1.0, angle=30.0)
    right, down = np.array(_ellipse(widths, 10.0)).T
    furthest = np.hypot(right, down).argmax()
    assert np.hypot(right, down)[furthest] == pytest.approx(20)
    assert right[furthest] * down[furthest] < 0  # rises to the right, rows grow downwards


def test_a_run_writes_records_and_resumes(tmp_path: Path, half: Any) -> None:
    photo = tmp_path / "a.png"
    Image.fromarray(half).save(photo)
    (result,) = run(photo)
    out = tmp_path / "out"
    names = ["a_kernel_x2.npy", "a_kernel_x2.png", "a_tiles_x2.npz", "a_tiles_x2.png"]
    assert sorted(path.name for path in out.iterdir()) == ["a.json", *names]
    assert result.summary["files"] == names
    assert result.summary["tiles"]["grid"] == [1, 2]
    assert result.summary["request"]["tiles"] == [1, 2]
    with np.load(out / "a_tiles_x2.npz") as stored:
        assert np.array_equal(stored["whole"], np.load(out / "a_kernel_x2.npy"))
    assert is_own_picture(out / "a_tiles_x2.png")
    quick: Any = {"resume": True, "formats": ["npy"]}
    assert [again.status for again in run(photo, **quick)] == ["skipped"]
    (out / "a_tiles_x2.npz").unlink()
    assert [again.status for again in run(photo, **quick)] == ["done"]
    assert [again.status for again in run(photo, **quick, tiles=(2, 1))] == ["done"]
    assert [again.status for again in run(photo, **quick, tiles=None)] == ["done"]
    assert not list(out.glob("a_tiles*"))


def test_at_scale_4_and_without_pictures(tmp_path: Path) -> None:
    photo = write_photo(tmp_path / "a.png", 120, 200)
    run(photo, scale=4, formats=["npy"])
    found = sorted(path.name for path in (tmp_path / "out").glob("*x4*"))
    assert found == ["a_kernel_x4.npy", "a_tiles_x4.npz"]
    with np.load(tmp_path / "out" / "a_tiles_x4.npz") as stored:
        assert stored["kernels"].shape == (1, 2, 25, 25)


def test_files_of_a_photo_that_could_not_be_finished_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any) -> None:
        raise OutputError("the disk is full")

    photo = write_photo(tmp_path / "a.png")
    monkeypatch.setattr("kernelgan_fast.jobs.tile_picture.save_tile_picture", fail)
    with pytest.raises(OutputError, match="disk is full"):
        run(photo)
    assert not (tmp_path / "out").exists()


def estimated(photo: Any, tiles: Any) -> Estimate:
    settings = estimate_options(tiles=tiles, threads=1)
    prepared = prepare(photo, settings)
    (found,) = find_batch([prepared], settings, Choice(("cpu",), "cpu", "asked"))
    return finish(prepared, found, settings)


def test_as_many_as_there_is_room_for() -> None:
    result = estimated(pixels(500, 640), "auto")
    assert result.tiles is not None and result.tiles.grid == (3, 3)
    small = pixels()
    result = estimated(small, "auto")
    assert result.tiles is not None and result.tiles.grid == (1, 1)
    assert any("tiles need 160 px per side" in warning for warning in result.diagnostics.warnings)
    assert result.kernel.array.tobytes() == estimate_spectral(small).kernel.array.tobytes()
    assert estimated(small, None).tiles is None


@pytest.mark.parametrize("wrong", [(0, 3), (3, 65), (3,), "3x3", (2.0, 2)])
def test_grids_are_checked(wrong: Any) -> None:
    with pytest.raises(ConfigError, match="tiles must be auto, or rows and columns of 1 to 64"):
        estimate_options(tiles=wrong)


@pytest.mark.parametrize(
    "options", [{"profile": QUICK}, {"method": "recurrence"}], ids=["trained", "searched"]
)
def test_only_kernels_in_closed_form_have_tiles(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="tiles are estimated by the method spectral"):
        estimate_options(tiles="auto", **options)
    assert estimate_options(tiles="auto", method="spectral").tiles == "auto"
