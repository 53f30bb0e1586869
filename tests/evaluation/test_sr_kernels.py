"""The kernels that super-resolution is given."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from small_sets import write_set

from kernelgan_fast.degradation.blur_models import draw
from kernelgan_fast.errors import InputError
from kernelgan_fast.evaluation.sr_kernels import (
    UNKNOWN_ERROR,
    GivenKernel,
    applied_kernel,
    bicubic_kernels,
    stored_kernels,
    true_kernels,
)
from kernelgan_fast.evaluation.sr_set import SrSet, find_set
from kernelgan_fast.kernels import BlurKernel, save, shift


@pytest.fixture
def photos(tmp_path: Path) -> SrSet:
    return find_set(write_set(tmp_path / "set"), 2)


def test_bicubic(photos: SrSet) -> None:
    found = bicubic_kernels(photos)
    assert found.label == "bicubic" and set(found.given) == {"osprey", "roma"}
    given = found.given["roma"]
    assert isinstance(given, GivenKernel) and given.expected_error == 0
    assert given.kernel.array.min() < 0 and given.kernel.centre_of_mass == pytest.approx(
        (16.5,) * 2
    )


def test_true_kernels_are_those_that_were_applied(photos: SrSet) -> None:
    found = true_kernels(photos).given["roma"]
    assert isinstance(found, GivenKernel) and found.expected_error == 0
    assert np.allclose(found.kernel.array, draw("div2krk", 2, seed=3, name="roma").array)


def test_true_kernels_of_div2krk_are_centred_and_sum_to_one(photos: SrSet) -> None:
    photo = photos.photos[1]
    assert photo.true_kernel is not None
    stored = shift(draw("div2krk", 2, seed=3, name="roma").array, (-0.5, -0.5))
    save(BlurKernel(stored / stored.sum(), 2), photo.true_kernel)
    assert BlurKernel(stored / stored.sum(), 2).centre_of_mass == pytest.approx((5, 5), abs=0.05)
    kernel = applied_kernel(photo, 2)
    assert kernel.centre_of_mass == pytest.approx((5.5, 5.5), abs=0.05)
    assert kernel.array.sum() == pytest.approx(1, abs=1e-12)


def test_a_true_kernel_that_is_missing_or_damaged_is_told(photos: SrSet) -> None:
    first, second = photos.photos
    assert first.true_kernel is not None and second.true_kernel is not None
    first.true_kernel.write_bytes(b"")
    second.true_kernel.unlink()
    found = true_kernels(find_set(photos.folder, 2)).given
    assert "not a readable .mat" in str(found["osprey"])
    assert found["roma"] == "roma: no true kernel in gt_k_x2/"
    first.true_kernel.unlink()
    first.true_kernel.parent.rmdir()
    with pytest.raises(InputError, match="true kernels must be in gt_k_x2/"):
        true_kernels(find_set(photos.folder, 2))


def test_a_folder_of_estimates(photos: SrSet, tmp_path: Path) -> None:
    folder = tmp_path / "found"
    folder.mkdir()
    kernel = BlurKernel(draw("gaussian", 2, seed=0, name="").array, 2)
    save(kernel, folder / "roma_kernel_x2.npy")
    found = stored_kernels(folder, photos)
    assert found.label == "found"
    assert found.given["osprey"] == f"osprey: no estimate in {folder}"
    assert found.given["roma"] == GivenKernel(kernel, UNKNOWN_ERROR)
    for text, error in (
        (json.dumps({"expected_error": 0.12}), 0.12),
        (json.dumps({"expected_error": None}), UNKNOWN_ERROR),
        ("[]", UNKNOWN_ERROR),
        ("{", UNKNOWN_ERROR),
    ):
        (folder / "roma.json").write_text(text)
        given = stored_kernels(folder, photos).given["roma"]
        assert isinstance(given, GivenKernel) and given.expected_error == error


def test_estimates_of_other_photos_are_refused(photos: SrSet, tmp_path: Path) -> None:
    (tmp_path / "found").mkdir()
    save(BlurKernel(np.eye(3)[1:2].T @ np.eye(3)[1:2], 2), tmp_path / "found/x_kernel_x2.npy")
    with pytest.raises(InputError, match=r"got x_kernel_x2\.npy and osprey\.png"):
        stored_kernels(tmp_path / "found", photos)
