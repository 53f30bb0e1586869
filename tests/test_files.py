from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import BinaryIO

import pytest

from kernelgan_fast.errors import InputError, OutputError
from kernelgan_fast.files import advice_for_missing, atomic_write, read_file, read_json


def write_new(stream: BinaryIO) -> None:
    stream.write(b"new")


def fail_half_way(stream: BinaryIO) -> None:
    stream.write(b"ne")
    raise RuntimeError("half way")


def test_a_missing_file_is_likely_the_one_of_nearly_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "photo.png").touch()
    assert advice_for_missing(tmp_path / "foto.png") == f"did you mean {tmp_path / 'photo.png'}?"
    assert advice_for_missing(tmp_path / "kernel.mat") == "check the path"
    assert advice_for_missing(tmp_path / "nowhere" / "photo.png") == "check the path"
    assert advice_for_missing("\0") == "check the path"
    monkeypatch.chdir(tmp_path)
    assert advice_for_missing("photo.pgn") == "did you mean photo.png?"


def test_reads_whole_files_up_to_a_size(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    for content in (b"", b"x" * 100):
        path.write_bytes(content)
        assert read_file(path, 100) == content
    with pytest.raises(InputError, match=r"a\.bin: larger than the 99 bytes"):
        read_file(path, 99)
    path.write_bytes(b"")
    os.truncate(path, 1 << 40)  # claims a terabyte, and nothing of it is allocated
    with pytest.raises(InputError, match="larger than the 99 bytes"):
        read_file(path, 99)
    with pytest.raises(InputError, match=r"none: no such file; check the path"):
        read_file(tmp_path / "none", 99)
    for name in ("a\0b", "\ud800"):
        with pytest.raises(InputError):
            read_file(tmp_path / name, 99)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "\udcff", "1" * 5000])
def test_what_is_not_json_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(InputError, match=r"a\.json: not a JSON file"):
        read_json(path)


def test_writes_the_file_and_nothing_else(tmp_path: Path) -> None:
    atomic_write(tmp_path / "a.bin", write_new)
    assert (tmp_path / "a.bin").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_replaces_an_old_file(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"old and longer")
    atomic_write(str(tmp_path / "a.bin"), write_new)
    assert (tmp_path / "a.bin").read_bytes() == b"new"


def test_new_files_get_the_ordinary_mode(tmp_path: Path) -> None:
    (tmp_path / "ordinary").write_bytes(b"")
    atomic_write(tmp_path / "a.bin", write_new)
    assert (tmp_path / "a.bin").stat().st_mode == (tmp_path / "ordinary").stat().st_mode


def test_a_failure_half_way_leaves_the_old_file_alone(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"old")
    with pytest.raises(RuntimeError, match="half way"):
        atomic_write(tmp_path / "a.bin", fail_half_way)
    assert (tmp_path / "a.bin").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_an_interrupt_leaves_no_temporary_file(tmp_path: Path) -> None:
    def interrupted(stream: BinaryIO) -> None:
        stream.write(b"ne")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        atomic_write(tmp_path / "a.bin", interrupted)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "quota"),
        (errno.EACCES, "no permission"),
        (errno.EROFS, "read-only"),
        (errno.EIO, os.strerror(errno.EIO)),
    ],
)
def test_the_system_s_refusals_are_explained(tmp_path: Path, number: int, words: str) -> None:
    def refused(stream: BinaryIO) -> None:
        stream.write(b"ne")
        raise OSError(number, os.strerror(number))

    with pytest.raises(OutputError, match=words) as caught:
        atomic_write(tmp_path / "a.bin", refused)
    assert str(tmp_path / "a.bin") in str(caught.value)
    assert isinstance(caught.value.__cause__, OSError)
    assert os.listdir(tmp_path) == []


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="the folder does not exist"):
        atomic_write(tmp_path / "missing" / "a.bin", write_new)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="not a folder"):
        atomic_write(tmp_path / "file" / "a.bin", write_new)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="the path is a folder"):
        atomic_write(tmp_path / "folder", write_new)
    assert os.listdir(tmp_path) == ["folder"]


def test_a_failed_clean_up_does_not_hide_the_first_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stuck(name: str) -> None:
        raise OSError(errno.EBUSY, "busy")

    monkeypatch.setattr(os, "unlink", stuck)
    with pytest.raises(RuntimeError, match="half way"):
        atomic_write(tmp_path / "a.bin", fail_half_way)


def test_our_own_errors_pass_unchanged(tmp_path: Path) -> None:
    def refused(stream: BinaryIO) -> None:
        raise OutputError("already explained")

    with pytest.raises(OutputError, match=r"^already explained$"):
        atomic_write(tmp_path / "a.bin", refused)
