"""Upscaling: one photo from Python, and folders with all that their files hold."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from quick import write_photo

from kernelgan_fast.degradation.blur_models import draw
from kernelgan_fast.errors import DeviceUnavailable, ImageError, InputError
from kernelgan_fast.images import Picture, read_picture, save_picture
from kernelgan_fast.jobs.upscale import UpscaleRun, upscale, upscale_settings
from kernelgan_fast.kernels import BlurKernel, save

KERNEL = BlurKernel(draw("anisotropic", 2, seed=0, name="").array, 2)


@pytest.fixture
def photo() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (30, 44, 3)).astype(np.uint8)


def test_one_photo(photo: NDArray[np.uint8]) -> None:
    before = photo.copy()
    steps: list[tuple[int, int]] = []
    found = upscale(
        photo, kernel=KERNEL, method="backprojection", tile=32,
        progress=lambda *step: steps.append(step),
    )  # fmt: skip
    assert found.pixels.shape == (60, 88, 3) and found.pixels.dtype == np.uint8
    assert found.kernel == KERNEL and found.method == "backprojection"
    assert np.array_equal(photo, before)
    assert steps == [(1, 2), (2, 2)]


def test_deep_photos_stay_deep(photo: NDArray[np.uint8]) -> None:
    deep = upscale(photo / np.float32(255), kernel=KERNEL, method="bicubic").pixels
    assert deep.dtype == np.float32 and deep.min() >= 0 and deep.max() <= 1
    assert abs(deep * 255 - upscale(photo, kernel=KERNEL, method="bicubic").pixels).max() < 0.51


def test_the_scale_is_the_kernels(photo: NDArray[np.uint8]) -> None:
    four = BlurKernel(draw("anisotropic", 4, seed=0, name="").array, 4)
    assert upscale(photo, kernel=four, method="tv", iterations=1).pixels.shape == (120, 176, 3)


def test_the_kernel_is_estimated_once_on_the_whole_photo(tmp_path: Path) -> None:
    pixels = read_picture(write_photo(tmp_path / "a.png")).pixels
    found = upscale(pixels, method="backprojection")
    assert found.kernel.array.shape == (13, 13) and found.kernel != KERNEL
    tiled = upscale(pixels, method="backprojection", tile=48)
    assert found.kernel == tiled.kernel


def test_wrong_use_says_what_to_do(photo: NDArray[np.uint8], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="kernel is for scale 2, got scale 4; give scale=2"):
        upscale(photo, kernel=KERNEL, scale=4)
    with pytest.raises(ImageError, match="sides of 16 px or more, got 44 x 10"):
        upscale(photo[:10], kernel=KERNEL, method="tv")
    with pytest.raises(InputError, match="did you mean backprojection"):
        upscale(photo, kernel=KERNEL, method="back-projection")
    doubled = tmp_path / "doubled.npy"
    np.save(doubled, KERNEL.array * 2)
    with pytest.raises(InputError, match="must sum to 1, got 2; divide it"):
        upscale(photo, kernel=doubled)
    with pytest.raises(InputError, match="no such file; train weights"):
        upscale(photo, kernel=KERNEL, method="unfold", weights=tmp_path / "none")
    with pytest.raises(DeviceUnavailable, match="use cpu"):
        upscale(photo, kernel=KERNEL, device="cuda:63")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"noise": -1.0}, "noise must be 0 to 255"),
        ({"iterations": 0}, "iterations must be at least 1, got 0"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"threads": 0}, "threads must be at least 1"),
        ({"precision": "int8"}, "precision must be one of auto, float32"),
        ({"suffix": "gif"}, "format must be one of png"),
        ({"device": "tpu"}, "device must be cpu, cuda or cuda:1"),
        ({"device": "meta"}, "device must be cpu, cuda or cuda:1"),
        ({"scale": 5}, "scale must be 1, 2, 3 or 4"),
    ],
)
def test_options_out_of_range(option: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        upscale_settings(kernel="bicubic", **option)  # type: ignore[arg-type]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A 16-bit photo with alpha, and a grey one of 8 bits."""
    folder = tmp_path / "in"
    folder.mkdir()
    random = np.random.default_rng(0)
    deep = random.random((24, 30, 3), dtype=np.float32)
    alpha = random.random((24, 30), dtype=np.float32)
    sixteen = Picture(deep, bits=16)
    save_picture(deep, folder / "deep.png", sixteen, alpha=alpha)
    Image.fromarray(random.integers(0, 256, (20, 22)).astype(np.uint8)).save(folder / "grey.png")
    return folder


def run(pictures: Path, out: Path, **options: object) -> list[str]:
    settings = upscale_settings(kernel=KERNEL, method="backprojection", **options)  # type: ignore[arg-type]
    upscaling = UpscaleRun([pictures], out, settings, resume=True)
    return [f"{result.source.name} {result.status}" for result in upscaling.results()]


def test_a_folder_keeps_what_its_files_hold(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(pictures, out) == ["deep.png done", "grey.png done"]
    deep, grey = (read_picture(out / f"{name}_x2.png") for name in ("deep", "grey"))
    assert deep.bits == 16 and deep.pixels.shape == (48, 60, 3)
    assert deep.alpha is not None and deep.alpha.shape == (48, 60)
    assert grey.grey and grey.bits == 8 and grey.pixels.shape == (40, 44, 3)
    entry = json.loads((out / "upscale.json").read_text())["photos"]["deep"]["x2"]
    assert entry["method"] == "backprojection" and entry["size"] == [60, 48]
    assert entry["request"]["scale"] == 2


def test_resuming_leaves_out_what_is_done(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(pictures, out)
    assert run(pictures, out) == ["deep.png skipped", "grey.png skipped"]
    assert run(pictures, out, iterations=3) == ["deep.png done", "grey.png done"]
    (out / "grey_x2.png").unlink()
    assert run(pictures, out, iterations=3) == ["deep.png skipped", "grey.png done"]


def test_a_kernel_file_is_used(tmp_path: Path, photo: NDArray[np.uint8]) -> None:
    save(KERNEL, tmp_path / "k.mat")
    by_file = upscale(photo, kernel=tmp_path / "k.mat", method="backprojection").pixels
    by_value = upscale(photo, kernel=KERNEL, method="backprojection").pixels
    assert abs(by_file.astype(int) - by_value).max() <= 1
