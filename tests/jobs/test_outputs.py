"""The output folder: refused where it cannot be used, names that do not clash, whole photos."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from quick import QUICK, write_photo

from kernelgan_fast.api import Estimate, estimate
from kernelgan_fast.errors import ConfigError, OutputError
from kernelgan_fast.estimation.options import estimate_options
from kernelgan_fast.files import atomic_write
from kernelgan_fast.jobs import records
from kernelgan_fast.jobs.outputs import (
    FORMATS,
    OutputFolder,
    check_formats,
    file_names,
    is_own_picture,
    unique_names,
)
from kernelgan_fast.kernels import store


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Estimate:
    photo = write_photo(tmp_path_factory.mktemp("photo") / "a.png")
    return estimate(photo, profile=QUICK, scale=4)


def test_a_folder_is_made_and_removed_if_nothing_came(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path / "deep" / "out")
    assert folder.path.is_dir() and not any(folder.path.iterdir())
    folder.remove_if_unused()
    assert not folder.path.exists()


def test_a_folder_that_was_there_or_is_used_stays(tmp_path: Path) -> None:
    OutputFolder(tmp_path).remove_if_unused()
    assert tmp_path.is_dir()
    folder = OutputFolder(tmp_path / "out")
    (folder.path / "kept").touch()
    folder.remove_if_unused()
    assert folder.path.is_dir()


def test_a_file_is_refused_as_folder(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputError, match="it is a file"):
        OutputFolder(tmp_path / "out")
    with pytest.raises(OutputError, match="choose another with --out"):
        OutputFolder(tmp_path / "out" / "below")
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="Permission denied"):
        OutputFolder(tmp_path)


def test_an_unwritable_folder_is_refused() -> None:
    if not Path("/proc/self").is_dir():
        pytest.skip("needs a folder that not even root can write to")
    with pytest.raises(OutputError, match="choose another with --out"):
        OutputFolder("/proc/self")


def test_formats() -> None:
    assert check_formats(["png", "npy", "png"]) == ("npy", "png")
    with pytest.raises(ConfigError, match="got 'matt'; did you mean mat"):
        check_formats(["npy", "matt"])
    with pytest.raises(ConfigError, match="got none"):
        check_formats([])


def test_every_format_is_written_at_every_scale(result: Estimate, tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path)
    names = folder.write("a", result, FORMATS)
    assert names == file_names("a", (2, 4), FORMATS)
    assert sorted(os.listdir(tmp_path)) == sorted(names)
    for name in names:
        if not name.endswith(".png"):
            kernel = store.load(tmp_path / name, scale=4 if "x4" in name else 2)
            assert kernel.size == (25 if "x4" in name else 13)


def test_files_of_an_earlier_run_go(result: Estimate, tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path)
    settings = estimate_options(profile=QUICK, scale=4)
    facts = records.SourceFacts("a.png", 1, "0")
    names = folder.write("a", result, FORMATS)
    record = records.make_record(result, facts, settings, [*names, "../elsewhere"])
    records.write_record(folder.record_path("a"), record)
    (tmp_path / "mine.npy").touch()
    folder.write("a", result, ("npy",))
    assert sorted(os.listdir(tmp_path)) == ["a_kernel_x2.npy", "a_kernel_x4.npy", "mine.npy"]


def test_files_that_cannot_be_replaced(result: Estimate, tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path)
    (tmp_path / "a_kernel_x2.npy").mkdir()
    with pytest.raises(OutputError, match=r"a_kernel_x2\.npy"):
        folder.write("a", result, FORMATS)
    settings = estimate_options(profile=QUICK)
    facts = records.SourceFacts("a.png", 1, "0")
    record = records.make_record(result, facts, settings, ["a_kernel_x2.npy"])
    records.write_record(folder.record_path("a"), record)
    with pytest.raises(OutputError, match="cannot replace"):
        folder.write("a", result, FORMATS)


def test_a_foreign_json_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"labels": []}')
    with pytest.raises(OutputError, match="not a record of this program"):
        OutputFolder(tmp_path).check("a", [])
    OutputFolder(tmp_path).check("b", [])


def test_own_pictures_are_known_by_their_record(tmp_path: Path) -> None:
    picture = tmp_path / "a_kernel_x2.png"
    assert not is_own_picture(picture)
    records.write_record(tmp_path / "a.json", {"format": records.FORMAT})
    assert is_own_picture(picture)
    assert not is_own_picture(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("photos", "names"),
    [
        (["a.png", "b.png"], ["a", "b"]),
        (["a.png", "a.jpg", "b.png"], ["a_png", "a_jpg", "b"]),
        (["a.png", "A.jpg"], ["a_png", "A_jpg"]),
        (["x/a.png", "y/a.png"], ["x_a", "y_a"]),
        (["x/a.png", "x/a.jpg", "y/a.png"], ["x_a", "a_jpg", "y_a"]),
        (["a.png", "a_kernel_x2.png"], ["a_png", "a_kernel_x2_png"]),
        (["f/a.png", "f/a.jpg", "f/a_png.bmp"], ["f_a", "a_jpg", "a_png_bmp"]),
    ],
    ids=str,
)
def test_names_do_not_clash(photos: list[str], names: list[str]) -> None:
    found = unique_names([Path(photo) for photo in photos])
    assert len({name.casefold() for name in found}) == len(photos)
    assert found == names
    backwards = unique_names([Path(photo) for photo in reversed(photos)])
    assert backwards == names[::-1]


def test_names_of_the_same_path_in_different_places_end_in_a_hash() -> None:
    photos = [Path("1/x/a.png"), Path("2/x/a.png")]
    names = unique_names(photos)
    assert len(set(names)) == 2
    assert all(name.startswith("a_png_") for name in names)


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    seen: list[str] = []
    atomic_write(tmp_path / "a", lambda stream: seen.extend(os.listdir(tmp_path)))
    (tmp_path / seen[0]).touch()  # as if the process had ended then
    OutputFolder(tmp_path)
    assert os.listdir(tmp_path) == ["a"]


def test_names_are_checked_before_the_work(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path)
    (tmp_path / "a_kernel_x2.npy").mkdir()
    folder.check("a", ["a_kernel_x4.npy"])
    with pytest.raises(OutputError, match="it is a folder"):
        folder.check("a", ["a_kernel_x2.npy"])
    folder.check("b" * 250, [])
    with pytest.raises(OutputError, match="the file name is too long"):
        folder.check("b" * 251, [])
    with pytest.raises(OutputError, match="the file name is too long"):
        folder.check("b" * 250, ["b" * 250 + "_kernel_x2.npy"])


def test_a_folder_whose_name_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="File name too long"):
        OutputFolder(tmp_path / ("a" * 300))
