"""Photos and results in storage that fsspec reaches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kernelgan_fast.errors import ImageError, InputError, OutputError
from kernelgan_fast.jobs import storage as our
from kernelgan_fast.jobs.storage import StorageFolder, fetch, find_urls, open_storage
from kernelgan_fast.urls import Url

A, B = Url("memory://photos/a.png"), Url("memory://photos/b.png")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(our, "_SECONDS_BETWEEN", 0.0)


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("memory://photos", [A, B]),
        ("memory://photos/", [A, B]),
        ("memory://photos/a.png", [A]),
        ("memory://photos/[b].png", [B]),
        ("memory://**/*.png", [A, B]),
    ],
)
def test_what_a_url_stands_for(given: str, found: list[Url]) -> None:
    assert find_urls(given) == (found, [])


def test_only_photos_are_found_and_no_kernel_pictures(memory: Any) -> None:
    for name in ("a.json", "a_kernel_x2.png", "c_kernel_x2.png", ".d.png", "notes.txt"):
        memory.pipe_file(f"/photos/{name}", b"{}")
    memory.pipe_file("/photos/deeper/e.png", b"")
    c = Url("memory://photos/c_kernel_x2.png")  # no record says whose
    own = [Url("memory://photos/a_kernel_x2.png")]
    assert find_urls("memory://photos") == ([A, B, c], own)
    assert find_urls("memory://photos/*.png") == ([A, B, c], own)
    memory.pipe_file("/empty/notes.txt", b"")
    for nothing in ("memory://empty", "memory://missing", "memory://missing/*.png"):
        with pytest.raises(ImageError, match="no image found there"):
            find_urls(nothing)


def test_storage_that_is_not_there_is_told(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="of a kind that fsspec can reach"):
        open_storage(Url("nowhere://photos"))

    def ls(*args: Any, **options: Any) -> None:
        raise RuntimeError("the network\nis down")

    monkeypatch.setattr(type(memory), "ls", ls)
    with pytest.raises(ImageError, match=r"cannot be listed: the network$"):
        find_urls("memory://photos/")


def test_a_photo_is_fetched_with_patience(
    memory: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real, tries = type(memory).get_file, []

    def get_file(self: Any, path: str, to: str) -> None:
        tries.append(path)
        if len(tries) % 3:
            raise TimeoutError("slow")
        real(self, path, to)

    monkeypatch.setattr(type(memory), "get_file", get_file)
    fetch(A, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == memory.cat_file("/photos/a.png")
    assert len(tries) == 3
    monkeypatch.setattr(our, "_TRIES", 2)
    with pytest.raises(ImageError, match=r"photos/b.png: cannot be read: slow"):
        fetch(B, tmp_path / "b.png")


@pytest.mark.usefixtures("memory")
def test_a_photo_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no such file"):
        fetch(Url("memory://photos/z.png"), tmp_path / "z.png")


def test_a_folder_takes_and_gives_files(memory: Any, tmp_path: Path) -> None:
    folder = StorageFolder(Url("memory://out/deep"))
    folder.check()
    assert memory.find("/out") == []
    (tmp_path / "a.json").write_text("1")
    folder.put(tmp_path / "a.json")
    assert memory.cat_file("/out/deep/a.json") == b"1"
    (tmp_path / "here").mkdir()
    assert folder.fetch("a.json", tmp_path / "here")
    assert not folder.fetch("b.json", tmp_path / "here")
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["a.json"]
    folder.remove("a.json")
    folder.remove("a.json")
    assert memory.find("/out") == []


def test_a_folder_that_fails_is_told(
    memory: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = StorageFolder(Url("memory://out"))

    def refuse(*args: Any, **options: Any) -> None:
        raise PermissionError("not yours")

    for name in ("pipe_file", "put_file", "get_file", "rm_file"):
        monkeypatch.setattr(type(memory), name, refuse)
    with pytest.raises(OutputError, match="can be written to, got memory://out: not yours"):
        folder.check()
    with pytest.raises(OutputError, match=r"cannot write memory://out/a\.json: not yours"):
        folder.put(tmp_path / "a.json")
    with pytest.raises(OutputError, match="cannot read"):
        folder.fetch("a.json", tmp_path)
    with pytest.raises(OutputError, match="cannot replace"):
        folder.remove("a.json")
