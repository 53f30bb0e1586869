"""Memory that runs out: the photo fails, in those words, and the run goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from quick import environment, write_photo

from kernelgan_fast.errors import InputError, OutputError, WorkerLost, is_out_of_memory
from kernelgan_fast.estimation import pipeline
from kernelgan_fast.estimation.options import estimate_options
from kernelgan_fast.estimation.result import PhotoResult
from kernelgan_fast.jobs import records
from kernelgan_fast.jobs.downscale import DownscaleRun, downscale_settings
from kernelgan_fast.jobs.estimate import FolderRun

ERRORS = {
    "Python": MemoryError(),
    "PyTorch": RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
    "Pillow": OSError("out of memory error when reading image file"),
    "thread": RuntimeError("can't start new thread"),
    "loader": ImportError("libtorch_cpu.so: failed to map segment from shared object"),
}


@pytest.mark.parametrize("kind", ERRORS)
def test_whoever_says_it(kind: str) -> None:
    assert is_out_of_memory(ERRORS[kind])


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("sizes do not match"),
        OSError(2, "No such file or directory"),
        InputError("memory ran out"),
        KeyError("out of memory"),
        WorkerLost("ended from outside"),
        OutputError("the disk is full"),
    ],
    ids=repr,
)
def test_what_is_something_else(error: Exception) -> None:
    assert not is_out_of_memory(error)


def fail_once(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, error: Exception) -> None:
    """Make the first call of a function fail."""
    real, calls = getattr(module, name), []

    def wrapped(*given: Any, **named: Any) -> Any:
        calls.append(name)
        if len(calls) == 1:
            raise error
        return real(*given, **named)

    monkeypatch.setattr(module, name, wrapped)


def photos(folder: Path) -> Path:
    for name in "ab":
        write_photo(folder / "in" / f"{name}.png")
    return folder / "in"


def check(results: list[PhotoResult]) -> None:
    assert [result.status for result in results] == ["failed", "done"]
    assert str(results[0].error).endswith(
        "a.png: memory ran out; close other programs, or crop the photo"
    )


@pytest.mark.parametrize("kind", ERRORS)
def test_a_recorded_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    fail_once(monkeypatch, DownscaleRun, "make", ERRORS[kind])
    run = DownscaleRun([photos(tmp_path)], tmp_path / "out", downscale_settings(kernel="bicubic"))
    check(list(run.results()))


@pytest.mark.parametrize("stage", ["prepare", "finish"])
def test_an_estimate_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    fail_once(monkeypatch, pipeline, stage, MemoryError())
    settings = estimate_options(threads=1, device="cpu")
    check(list(FolderRun([photos(tmp_path)], tmp_path / "out", settings).results()))


def test_other_errors_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = estimate_options(threads=1, device="cpu")
    run = FolderRun([photos(tmp_path)], tmp_path / "out", settings)
    monkeypatch.setattr(records, "source_facts", lambda path: [][0])
    with pytest.raises(IndexError):
        list(run.results())


# As much address space as the process has by then, and some.
LIMITED = """
import json, resource, sys
def limit(room):
    with open("/proc/self/statm") as sizes:
        used = int(sizes.read().split()[0]) * resource.getpagesize()
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (used + room, hard))
"""

# More and more, until it is enough.
READ = """
from kernelgan_fast.images import read_picture
from kernelgan_fast.errors import ImageError
read_picture("small")
errors, pixels = [], None
for room in range(0, 10**9, 2**20):
    limit(room)
    try:
        pixels = read_picture("large").pixels
        break
    except ImageError as error:
        errors.append(str(error))
print(json.dumps([errors, pixels.shape]))
"""

# Enough for b, not for a.
UPSCALE = """
import torch
from kernelgan_fast.images import read_picture
from kernelgan_fast.jobs.upscale import UpscaleRun, upscale_settings
run = UpscaleRun(["in"], "out", upscale_settings(kernel="bicubic", method="bicubic", threads=1))
read_picture("in/b.png")
limit(130_000_000)
print(json.dumps([[result.status, result.error] for result in run.results()]))
"""

needs_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="the limit of address space is kept on Linux"
)


def limited(folder: Path, program: str) -> Any:
    """What a program prints that may limit its address space."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED + program],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**environment(), "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@needs_linux
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True, "exif": Image.Exif()}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("BMP", {}),
    ],
)
def test_a_sound_photo_is_not_called_damaged(
    tmp_path: Path, kind: str, options: dict[str, Any]
) -> None:
    for name, side in (("small", 32), ("large", 2000)):
        flat = Image.new("RGB", (side, side), (200, 100, 50))
        flat.save(tmp_path / name, format=kind, **options)
    errors, shape = limited(tmp_path, READ)
    assert shape == [2000, 2000, 3] and len(errors) > 5
    for error in errors:
        assert error.startswith("large: memory ran out while it was decoded"), error


@needs_linux
def test_a_run_goes_on_with_smaller_photos(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name, width in (("a", 4000), ("b", 40)):  # a is 36 MB, and 144 MB enlarged
        Image.new("RGB", (width, width * 3 // 4), "teal").save(tmp_path / f"in/{name}.png")
    (large, error), small = limited(tmp_path, UPSCALE)
    assert large == "failed" and "in/a.png" in error and "memory ran out" in error
    assert small == ["done", None]
