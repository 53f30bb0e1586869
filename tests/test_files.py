from __future__ import annotations

import errno
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from patience import PATIENCE

from kernelgan_fast import files
from kernelgan_fast.errors import InputError, OutputError
from kernelgan_fast.files import (
    advice_for_missing,
    atomic_write,
    check_target,
    read_file,
    read_json,
    remove_leftovers,
    running_mark,
    special,
)


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
        (errno.EFBIG, "larger than the file system or `ulimit -f` allows"),
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
    with pytest.raises(OutputError, match="it is a folder"):
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


def test_temporary_names_do_not_depend_on_the_target(tmp_path: Path) -> None:
    seen: list[str] = []

    def look(stream: BinaryIO) -> None:
        seen.extend(os.listdir(tmp_path))

    longest = "ü" * 127  # 254 bytes
    atomic_write(tmp_path / longest, look)
    (temporary,) = seen
    assert re.fullmatch(r"\.kernelgan-fast-[0-9a-f]{8}-\w{8}\.part", temporary)
    assert os.listdir(tmp_path) == [longest]


def test_a_name_that_is_too_long_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    def write(stream: BinaryIO) -> None:
        raise AssertionError("not to be called")

    for path in (tmp_path / ("a" * 256), tmp_path.joinpath(*["a" * 200] * 21)):
        with pytest.raises(OutputError, match="the file name is too long"):
            check_target(path)
        with pytest.raises(OutputError, match="the file name is too long"):
            atomic_write(path, write)
    assert os.listdir(tmp_path) == []


def special_paths(folder: Path) -> Iterator[tuple[Path, str]]:
    """Paths that are no files, each with what it is."""
    os.mkfifo(folder / "fifo")
    yield folder / "fifo", "a pipe"
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.path.relpath(folder / "socket"))  # a long path would be refused
        yield folder / "socket", "a socket"
        (folder / "null").symlink_to("/dev/null")
        yield folder / "null", "a device"
        (folder / "folder").mkdir()
        yield folder / "folder", "a folder"


def test_what_is_no_file_is_neither_replaced_nor_written_to(tmp_path: Path) -> None:
    for path, kind in special_paths(tmp_path):
        before = os.stat(path), sorted(os.listdir(tmp_path))
        assert special(path) == kind
        with pytest.raises(OutputError, match=f"cannot write .*: it is {kind}"):
            atomic_write(path, write_new)
        assert (os.stat(path).st_ino, sorted(os.listdir(tmp_path))) == (before[0].st_ino, before[1])


def test_files_and_nothing_are_not_special(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "broken").symlink_to("missing")
    for name in ("file", "missing", "broken", "a" * 300, "file/below", "nul\0"):
        assert special(tmp_path / name) is None


WRITER = """
import sys
from kernelgan_fast.files import atomic_write
def write(stream):
    stream.write(b"half")
    stream.flush()
    print("writing", flush=True)
    sys.stdin.readline()
atomic_write(sys.argv[1], write)
"""


@contextmanager
def writer(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has written half of a file and waits for a line on its stdin."""
    command = [sys.executable, "-c", WRITER, str(path)]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "writing\n"
            yield process
        finally:
            process.kill()


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    with writer(tmp_path / "a.bin") as process:
        process.kill()
    assert process.returncode == -signal.SIGKILL
    (left,) = os.listdir(tmp_path)
    assert left.endswith(".part")
    strangers = ("a.part", ".kernelgan-fast-0.part", ".kernelgan-fast-01234567-a.part.txt")
    for name in strangers:
        (tmp_path / name).touch()
    atomic_write(tmp_path / "b.bin", write_new)
    assert sorted(os.listdir(tmp_path)) == sorted(["b.bin", *strangers])


def test_what_a_running_process_writes_is_kept(tmp_path: Path) -> None:
    with writer(tmp_path / "a.bin") as process:
        remove_leftovers(tmp_path)
        assert len(os.listdir(tmp_path)) == 1
        process.communicate("go on\n", timeout=PATIENCE)
    assert process.returncode == 0
    assert (tmp_path / "a.bin").read_bytes() == b"half"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_what_this_process_writes_is_kept_too(tmp_path: Path) -> None:
    def write(stream: BinaryIO) -> None:
        remove_leftovers(tmp_path)
        stream.write(b"new")

    atomic_write(tmp_path / "a.bin", write)
    assert (tmp_path / "a.bin").read_bytes() == b"new"


def test_of_another_machine_only_what_is_old_is_removed(tmp_path: Path) -> None:
    for name in ("new.part", "old.part", "old.run"):
        path = tmp_path / f".kernelgan-fast-00000000-{name}"
        path.touch()
        if name.startswith("old"):
            os.utime(path, (0, 0))
    remove_leftovers(tmp_path)
    kept = [f".kernelgan-fast-00000000-{name}" for name in ("new.part", "old.run")]
    assert sorted(os.listdir(tmp_path)) == kept


def test_a_new_file_that_was_taken_for_a_leftover_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[Exception | None] = [BlockingIOError(), None, None]

    def flock(handle: int, kind: int) -> None:
        answer = answers.pop(0)
        if answer is not None:
            raise answer
        if len(answers) == 1:  # removed just before it was locked
            for name in os.listdir(tmp_path):
                os.unlink(tmp_path / name)

    remove_leftovers(tmp_path)
    monkeypatch.setattr(files.fcntl, "flock", flock)
    atomic_write(tmp_path / "a.bin", write_new)
    assert answers == [] and (tmp_path / "a.bin").read_bytes() == b"new"


def test_without_locks_nothing_is_taken_for_a_leftover(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(handle: int, kind: int) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    with writer(tmp_path / "a.bin") as process:
        process.kill()
    monkeypatch.setattr(files.fcntl, "flock", flock)
    atomic_write(tmp_path / "b.bin", write_new)
    assert (tmp_path / "b.bin").read_bytes() == b"new" and len(os.listdir(tmp_path)) == 2


def test_a_mark_lasts_as_long_as_its_run(tmp_path: Path) -> None:
    with running_mark(tmp_path) as mark:
        remove_leftovers(tmp_path)
        assert mark.is_file() and os.listdir(tmp_path) == [mark.name]
    assert os.listdir(tmp_path) == []
    with pytest.raises(OutputError, match="the folder does not exist"), running_mark(mark):
        pass
    with pytest.raises(RuntimeError, match="of the run"), running_mark(tmp_path):
        raise RuntimeError("of the run")
    assert os.listdir(tmp_path) == []
