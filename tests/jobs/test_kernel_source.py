"""Where kernels come from: files, estimates, bicubic."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from quick import pixels
from scipy.io import savemat

from kernelgan_fast.degradation.blur_models import draw
from kernelgan_fast.errors import ImageError, InputError
from kernelgan_fast.images import Photo
from kernelgan_fast.jobs.kernel_source import kernel_source
from kernelgan_fast.kernels import BlurKernel, geometry, save

FILE = Path("photo.png")
PHOTO = Photo(pixels(), source=str(FILE))


def drawn(blur_model: str, name: str = "a", scale: int = 2) -> Any:
    return draw(blur_model, scale, seed=1, name=name).array


def test_bicubic_is_the_antialiased_one() -> None:
    for scale in (2, 4):
        applied = kernel_source("bicubic", scale).of(PHOTO, "photo")
        assert applied.kernel == BlurKernel(drawn("bicubic", scale=scale), scale)
        assert applied.label == "bicubic" and applied.notes == ()


def test_a_file_is_read_centred_and_made_to_sum_to_one(tmp_path: Path) -> None:
    blob = np.outer(*[np.exp(-((np.arange(9) - 4) ** 2) / 3)] * 2)
    np.save(tmp_path / "k.npy", (blob / blob.sum()).astype(np.float32))  # around its middle tap
    applied = kernel_source(tmp_path / "k.npy", 2).of(PHOTO, "photo")
    assert geometry.centre_of_mass(applied.kernel.array) == pytest.approx((4.5, 4.5), abs=0.02)
    assert applied.kernel.array.sum() == pytest.approx(1, abs=1e-12)
    assert applied.label == "k.npy" and "left its frame" in applied.notes[0]
    assert applied.facts == {"file": "k.npy", "index": 0}


def test_one_of_several_and_an_even_one(tmp_path: Path) -> None:
    stack = np.stack([drawn("disk"), drawn("motion")], axis=2)
    savemat(tmp_path / "k.mat", {"kernels": stack})
    with pytest.raises(InputError, match="holds 2 kernels"):
        kernel_source(tmp_path / "k.mat", 2)
    applied = kernel_source(f"{tmp_path}/k.mat:1", 2).of(PHOTO, "photo")
    assert np.allclose(applied.kernel.array, drawn("motion"), atol=1e-6)
    np.save(tmp_path / "even.npy", np.full((2, 2), 0.25))
    applied = kernel_source(tmp_path / "even.npy", 2).of(PHOTO, "photo")
    assert applied.kernel.array.tolist() == [[0, 0, 0], [0, 0.25, 0.25], [0, 0.25, 0.25]]


def test_a_kernel_is_taken_as_it_is() -> None:
    kernel = BlurKernel(drawn("disk"), 2)
    assert kernel_source(kernel, 2).of(PHOTO, "photo").kernel is kernel
    with pytest.raises(InputError, match="the kernel is for scale 2, got scale 4; give scale=2"):
        kernel_source(kernel, 4)


def test_an_estimate_is_the_photo_s_own() -> None:
    from kernelgan_fast.api import estimate

    source = kernel_source("estimate", 2)
    applied = source.of(PHOTO, "photo")
    assert applied.kernel == estimate(PHOTO.pixels).kernel
    assert applied.facts["estimate"] == "spectral"
    assert source.identity(FILE, "a") == source.identity(FILE, "b")
    assert source.identity(FILE, "a") != kernel_source("estimate", 4).identity(FILE, "a")
    assert json.dumps(source.identity(FILE, "a"))
    with pytest.raises(ImageError):
        source.of(Photo(pixels(20, 20)), "small")


@pytest.mark.parametrize(
    ("kernel", "scale", "words"),
    [
        ("none.mat", 2, "no such file"),
        ("none.mat:3", 2, "no such file"),
        ("estmate", 2, "estimate, bicubic, a file .* or a folder of them, got 'estmate'"),
        ("empty", 2, "empty: no kernels of scale 2 there"),
        ("heavy.npy", 2, r"must sum to 1, got 2"),
        ("x4.json", 2, "the kernel is for scale 4, not 2"),
        ("text.txt", 2, "a kernel is read from .npy, .mat or .json"),
        ("bicubic", 5, "scale must be 1, 2, 3 or 4, got 5"),
    ],
)
def test_what_is_no_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kernel: str, scale: int, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("empty/record.json").write_text("{}")
    Path("text.txt").write_text("")
    np.save("heavy.npy", drawn("disk") * 2)
    save(BlurKernel(drawn("disk", scale=4), 4), "x4.json")
    with pytest.raises(InputError, match=words):
        kernel_source(kernel, scale)
