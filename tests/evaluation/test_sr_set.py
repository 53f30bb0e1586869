"""Which files of a test set belong together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kernelgan_fast.errors import InputError
from kernelgan_fast.evaluation import metrics
from kernelgan_fast.evaluation.sr_set import find_set
from kernelgan_fast.kernels import save


def photo(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(path)


def kernel(path: Path, scale: int = 2) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save(metrics.constant_gaussian(scale), path)


def test_a_folder_as_degrade_makes_it(tmp_path: Path) -> None:
    for name in ("b", "a"):
        photo(tmp_path / "hr" / f"{name}.png")
        photo(tmp_path / "lr_x2" / f"{name}.png")
        kernel(tmp_path / "gt_k_x2" / f"{name}.mat")
    photo(tmp_path / "lr_x2" / "c.png")
    found = find_set(tmp_path, 2)
    assert [each.name for each in found.photos] == ["a", "b"]
    assert found.photos[0].high == tmp_path / "hr/a.png"
    assert found.photos[0].true_kernel == tmp_path / "gt_k_x2/a.mat"
    assert found.without_high == (tmp_path / "lr_x2/c.png",)


def test_numbers_of_div2krk(tmp_path: Path) -> None:
    for number in (10, 9):
        photo(tmp_path / "gt" / f"img_{number}_gt.png")
        photo(tmp_path / "lr_x4" / f"im_{number}.png")
        kernel(tmp_path / "gt_k_x4" / f"kernel_{number}.mat", 4)
    found = find_set(tmp_path, 4)
    assert [each.name for each in found.photos] == ["im_9", "im_10"]
    assert [each.high.name for each in found.photos] == ["img_9_gt.png", "img_10_gt.png"]
    assert [each.true_kernel for each in found.photos] == [
        tmp_path / "gt_k_x4/kernel_9.mat",
        tmp_path / "gt_k_x4/kernel_10.mat",
    ]


def test_hr_photos_elsewhere_and_no_kernels(tmp_path: Path) -> None:
    photo(tmp_path / "set/lr_x2/a.png")
    photo(tmp_path / "photos/a.jpg")
    (found,) = find_set(tmp_path / "set", 2, high=tmp_path / "photos").photos
    assert found.high.name == "a.jpg" and found.true_kernel is None


def test_some_of_the_photos(tmp_path: Path) -> None:
    for name in ("im_1", "im_2", "im_10", "other"):
        photo(tmp_path / "hr" / f"{name}.png")
        photo(tmp_path / "lr_x2" / f"{name}.png")
    found = find_set(tmp_path, 2)

    def names(wanted: list[str] | int) -> list[str]:
        return [each.name for each in found.chosen(wanted).photos]

    assert names(2) == ["im_1", "im_2"]
    assert names(9) == ["im_1", "im_2", "im_10", "other"]
    assert names(["o*", "im_1*"]) == ["im_1", "im_10", "other"]
    for nothing in (0, ["none*"]):
        with pytest.raises(InputError, match="at least one photo must be chosen"):
            names(nothing)


def test_what_is_no_test_set(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="scale 2 or 4, got 3"):
        find_set(tmp_path, 3)
    with pytest.raises(InputError, match="LR photos in lr_x2/"):
        find_set(tmp_path, 2)
    photo(tmp_path / "lr_x2/a.png")
    with pytest.raises(InputError, match=r"HR photos in hr/ or gt/.*--hr"):
        find_set(tmp_path, 2)
    photo(tmp_path / "hr/b.png")
    with pytest.raises(InputError, match=r"must share names, got a\.png and b\.png"):
        find_set(tmp_path, 2)
    photo(tmp_path / "hr/a.png")
    photo(tmp_path / "hr/a.jpg")
    with pytest.raises(InputError, match="stand for the same photo"):
        find_set(tmp_path, 2)
