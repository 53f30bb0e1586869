"""Photos made smaller, one or many: sizes, rounding, pairs, what is kept, what is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from quick import pixels, write_photo
from scipy.io import loadmat

from kernelgan_fast.degradation.blur_models import draw
from kernelgan_fast.errors import ImageError, InputError
from kernelgan_fast.estimation.result import PhotoResult
from kernelgan_fast.images import Metadata, Picture, read_picture, save_picture
from kernelgan_fast.jobs.downscale import DownscaleRun, downscale, downscale_settings
from kernelgan_fast.jobs.shrinking import shrink
from kernelgan_fast.kernels import BlurKernel, load, save

KERNEL = BlurKernel(draw("div2krk", 2, seed=1, name="a").array, 2)


def make(photos: Path, out: Path, *, resume: bool = False, **options: Any) -> list[PhotoResult]:
    settings = downscale_settings(**{"kernel": KERNEL, **options})
    return list(DownscaleRun([photos], out, settings, resume=resume).results())


def entry(out: Path, name: str = "a", scale: int = 2) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "downscale.json").read_text())["photos"][name]
    return dict(found[f"x{scale}"])


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A photo whose sides are no multiples of 2."""
    return write_photo(tmp_path / "in" / "a.png", 43, 37)


def levels(array: Any, kernel: Any = KERNEL, scale: int = 2) -> Any:
    height, width = (side - side % scale for side in array.shape[:2])
    small, _ = shrink(array[:height, :width], kernel.array, scale)
    return np.rint(np.clip(small, 0, 1) * 255).astype(np.uint8)


def test_a_photo_in_python(photo: Path) -> None:
    array = pixels(43, 37)
    before = array.copy()
    small = downscale(array, KERNEL)
    assert small.dtype == np.uint8 and small.shape == (21, 18, 3)
    assert np.array_equal(small, levels(array)) and np.array_equal(array, before)
    assert np.array_equal(downscale(photo, KERNEL), small)
    tensor = torch.from_numpy(array / np.float32(255)).permute(2, 0, 1)
    deep = downscale(tensor, KERNEL, scale=2)
    assert deep.dtype == np.float32
    assert np.array_equal(np.rint(deep * 255), small)
    bright = downscale(np.ones((40, 40), np.float32), "bicubic")
    assert bright.shape == (20, 20, 3) and bright.max() <= 1


def test_the_scale_is_the_kernel_s_or_2(tmp_path: Path) -> None:
    array = pixels(70, 70)
    kernel = BlurKernel(draw("disk", 4, seed=1, name="a").array, 4)
    assert downscale(array, kernel).shape == (17, 17, 3)
    assert downscale(array, "bicubic").shape == (35, 35, 3)
    assert downscale(array, "bicubic", scale=4).shape == (17, 17, 3)
    save(kernel, tmp_path / "k.json")
    assert downscale(array, tmp_path / "k.json", scale=4).shape == (17, 17, 3)


def test_the_kernel_of_an_estimate_or_of_a_pool(tmp_path: Path, photo: Path) -> None:
    assert downscale(write_photo(tmp_path / "b.png"), "estimate").shape == (48, 52, 3)
    save(KERNEL, tmp_path / "in" / "k.npy")
    drawn = downscale(photo, kernel_pool=photo.parent)
    assert np.array_equal(drawn, downscale(photo, KERNEL))
    with pytest.raises(InputError, match=r"at random for each photo, use --kernel-pool"):
        downscale(photo, photo.parent)
    save(KERNEL, tmp_path / "in" / f"{photo.stem}.npy")
    assert np.array_equal(downscale(photo, photo.parent), drawn)
    for wrong in ({}, {"kernel": KERNEL, "kernel_pool": photo.parent}):
        with pytest.raises(InputError, match="either a kernel or a pool of kernels is wanted"):
            downscale(photo, **wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="scale must be 2 or 4, got 3"):
        downscale(photo, kernel_pool=photo.parent, scale=3)


def test_noise_has_its_strength_and_its_seed(tmp_path: Path) -> None:
    """Three estimates, each within 5 of its standard deviations: 2e-6 of all seeds would fail."""
    flat = np.full((200, 200, 3), 0.5, np.float32)
    one, same, other = (downscale(flat, KERNEL, noise=5, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one, same) and not np.array_equal(one, other)
    assert one.std() * 255 == pytest.approx(5, rel=5 / (2 * one.size) ** 0.5)
    red, green = one[:, :, 0].ravel(), one[:, :, 1].ravel()
    assert abs(np.corrcoef(red, green)[0, 1]) < 5 / red.size**0.5
    Image.fromarray(np.full((200, 200), 128, np.uint8)).save(tmp_path / "a.png")
    make(tmp_path / "a.png", tmp_path / "out", noise=5.0)
    grey = read_picture(tmp_path / "out" / "a_x2.png")
    rounded = (5**2 + 1 / 12) ** 0.5  # to whole levels
    strength = grey.pixels[:, :, 0].std()
    assert grey.grey and strength == pytest.approx(rounded, rel=5 / (2 * 100 * 100) ** 0.5)


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
def test_a_file_is_the_array_rounded(photo: Path, tmp_path: Path, suffix: str) -> None:
    (result,) = make(photo, tmp_path / "out", suffix=suffix)
    small = read_picture(tmp_path / "out" / f"a_x2.{suffix}")
    assert small.bits == 8 and np.array_equal(small.pixels, levels(pixels(43, 37)))
    found = entry(tmp_path / "out")
    assert found["size_before"] == [36, 42] and found["size"] == [18, 21]
    assert found["files"] == [f"a_x2.{suffix}"] and found["applied"] == "a kernel"
    assert found["warnings"] == ["cropped from 37 x 43 to 36 x 42 px, a multiple of 2"]
    assert result.summary == found


def test_pairs_hold_what_they_say(photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "train"
    make(photo, out, pairs=True)
    assert sorted(os.listdir(out)) == ["HR", "LR", "downscale.json", "kernels"]
    high = read_picture(out / "HR" / "a.png").pixels
    assert np.array_equal(high, pixels(43, 37)[:42, :36])
    kernel = load(out / "kernels" / "a.mat")
    assert kernel == KERNEL and loadmat(out / "kernels" / "a.mat")["scale"] == 2
    assert np.array_equal(read_picture(out / "LR" / "a.png").pixels, levels(high, kernel))
    make(photo, out, pairs=True, kernel="bicubic", scale=4)  # takes the place of the others
    assert read_picture(out / "LR" / "a.png").pixels.shape == (10, 9, 3)
    assert list(json.loads((out / "downscale.json").read_text())["photos"]["a"]) == ["x4"]


def test_both_scales_share_a_folder(photo: Path, tmp_path: Path) -> None:
    for scale in (2, 4):
        make(photo, tmp_path / "out", kernel="bicubic", scale=scale)
    assert sorted(os.listdir(tmp_path / "out")) == ["a_x2.png", "a_x4.png", "downscale.json"]
    assert entry(tmp_path / "out", scale=4)["size"] == [9, 10]


def test_deep_photos_with_alpha_and_metadata(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    large = random.random((44, 38, 3)).astype(np.float32)
    alpha = random.random((44, 38)).astype(np.float32)
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    like = Picture(large, bits=16, metadata=Metadata(exif=exif.tobytes(), dpi=(300.0, 300.0)))
    save_picture(large, tmp_path / "a.tif", like, alpha=alpha)
    make(tmp_path / "a.tif", tmp_path / "out")
    source, small = read_picture(tmp_path / "a.tif"), read_picture(tmp_path / "out" / "a_x2.png")
    assert small.bits == 16 and small.metadata.exif and small.metadata.dpi
    wanted, wanted_alpha = shrink(source.pixels, KERNEL.array, 2, alpha=source.alpha)
    assert wanted_alpha is not None and small.alpha is not None
    assert np.abs(small.pixels - wanted).max() <= 0.51 / 65535
    assert np.abs(small.alpha - wanted_alpha).max() <= 0.51 / 65535


def test_what_a_format_loses_is_told_once(tmp_path: Path) -> None:
    Image.fromarray(pixels(40, 40)).convert("RGBA").save(tmp_path / "a.png")
    make(tmp_path / "a.png", tmp_path / "out", suffix="bmp", pairs=True)
    assert entry(tmp_path / "out")["warnings"] == ["BMP has no alpha: composed on white"]


def test_a_turned_photo_is_turned_once(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels(40, 30)).save(tmp_path / "a.jpg", exif=exif)
    make(tmp_path / "a.jpg", tmp_path / "out", suffix="jpg")
    small = read_picture(tmp_path / "out" / "a_x2.jpg")
    assert small.pixels.shape == (15, 20, 3) and small.notes == ()


def test_resume_knows_kernels_by_their_content(photo: Path, tmp_path: Path) -> None:
    pool, out = tmp_path / "pool", tmp_path / "out"
    pool.mkdir()
    save(KERNEL, pool / "k.npy")

    def status(**options: Any) -> str:
        kernel = {} if "kernel" in options else {"kernel": None, "kernel_pool": pool}
        (result,) = make(photo, out, resume=True, **kernel, **options)
        return result.status

    assert [status(), status(), status(kernel=pool / "k.npy")] == ["done", "skipped", "skipped"]
    assert [status(noise=1.0), status(noise=1.0), status(noise=1.0, seed=1)] == [
        "done",
        "skipped",
        "done",
    ]
    assert [status(suffix="tif"), status(pairs=True), status(pairs=True)] == [
        "done",
        "done",
        "skipped",
    ]
    save(BlurKernel(draw("disk", 2, seed=1, name="a").array, 2), pool / "k.npy")
    assert status(pairs=True) == "done"


def test_photos_that_cannot_be_used_fail_alone(photo: Path, tmp_path: Path) -> None:
    write_photo(photo.parent / "small.png", 10, 40)
    (photo.parent / "void.png").write_bytes(b"")
    results = {result.source.stem: result for result in make(photo.parent, tmp_path / "out")}
    assert {name: result.status for name, result in results.items()} == {
        "a": "done",
        "small": "failed",
        "void": "failed",
    }
    assert "at least as large as its kernel, 11 x 11" in str(results["small"].error)
    with pytest.raises(ImageError, match="at least as large as its kernel"):
        downscale(pixels(10, 40), KERNEL)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seed": -1}, "seed must be 0 to"),
        ({"noise": 256.0}, "noise must be 0 to 255"),
        ({"noise": float("nan")}, "noise must be 0 to 255"),
        ({"suffix": "gif"}, "format must be one of png, jpg, webp, tif, bmp, got 'gif'"),
        ({"suffix": "jpg", "pairs": True}, "a format without loss, got jpg"),
        ({"scale": 3}, "scale must be 2 or 4"),
        ({"kernel": KERNEL, "scale": 4}, "is for scale 2, got scale 4"),
        ({"kernel": "none"}, "got 'none'"),
    ],
)
def test_wrong_options_are_told_before_the_run(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        downscale_settings(**{"kernel": "bicubic", **options})


def test_wrong_arguments_in_python() -> None:
    for options in ({"noise": -1.0}, {"seed": -1}, {"scale": 3}):
        with pytest.raises(InputError):
            downscale(pixels(40, 40), "bicubic", **options)  # type: ignore[arg-type]
    with pytest.raises(ImageError):
        downscale("none.png", "bicubic")
