"""Files, folders and patterns; reading them is in test_reading.py."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kernelgan_fast.errors import ImageError
from kernelgan_fast.images import find_images


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    for name in ("b.png", "a.JPG", "c.txt", ".hidden.png", "sub/d.tiff", "weird[1].bmp"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "folder.png").mkdir()
    return tmp_path


def names(paths: list[Path], root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in paths]


@pytest.mark.parametrize(
    ("inputs", "found"),
    [
        (["."], ["a.JPG", "b.png", "weird[1].bmp"]),
        (["*.png"], ["b.png"]),
        (["**/*"], ["a.JPG", "b.png", "sub/d.tiff", "weird[1].bmp"]),
        (["sub", "b.png", "./b.png", "sub/../b.png"], ["b.png", "sub/d.tiff"]),
        (["c.txt"], ["c.txt"]),
        (["weird[1].bmp"], ["weird[1].bmp"]),
    ],
)
def test_files_folders_and_patterns(tree: Path, inputs: list[str], found: list[str]) -> None:
    assert names(find_images([tree / item for item in inputs]), tree) == found
    assert names(find_images([str(tree / item) for item in reversed(inputs)]), tree) == found


@pytest.mark.parametrize("item", ["missing.png", "missing/*.png", "*.txt", "folder.png"])
def test_an_input_without_images_is_named(tree: Path, item: str) -> None:
    with pytest.raises(ImageError, match="no image found there") as caught:
        find_images([tree / "b.png", tree / item])
    assert str(tree / item) in str(caught.value)


def test_a_file_of_nearly_that_name_is_proposed(tree: Path) -> None:
    with pytest.raises(ImageError, match=r"did you mean .*b\.png\?$"):
        find_images([tree / "b.pgn"])


def test_no_input_at_all() -> None:
    with pytest.raises(ImageError, match="no photo was given"):
        find_images([])


def test_pipes_and_devices_are_named(tree: Path) -> None:
    os.mkfifo(tree / "pipe.png")
    (tree / "zero.png").symlink_to("/dev/zero")
    for name, kind in (("pipe.png", "a pipe"), ("zero.png", "a device")):
        with pytest.raises(ImageError, match=f"{name}: {kind}, not an image"):
            find_images([tree / name])
    assert names(find_images([tree]), tree) == ["a.JPG", "b.png", "weird[1].bmp"]


def test_names_that_cannot_be(tree: Path) -> None:
    for name in ("a" * 300, "\0"):
        with pytest.raises(ImageError, match="no image found there"):
            find_images([tree / name])


def test_a_folder_that_cannot_be_listed(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(ImageError, match="the folder cannot be listed: Permission denied"):
        find_images([tree])
