"""Where kernels come from: files, pools, estimates, bicubic."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from quick import pixels
from scipy.io import savemat

from kernelgan_fast import config
from kernelgan_fast.errors import ImageError, InputError
from kernelgan_fast.evaluation.blur_laws import draw
from kernelgan_fast.images import Photo
from kernelgan_fast.kernels import BlurKernel, geometry, save
from kernelgan_fast.runs.kernel_source import kernel_source

PHOTO = Photo(pixels(), source="photo.png")


def drawn(law: str, name: str = "a", scale: int = 2) -> Any:
    return draw(law, scale, seed=1, name=name).array


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


def test_an_estimate_is_the_photo_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    from kernelgan_fast.api import estimate

    source = kernel_source("estimate", 2)
    applied = source.of(PHOTO, "photo")
    assert applied.kernel == estimate(PHOTO.pixels).kernel
    assert applied.facts["estimate"] == "default"
    assert source.identity("a") == source.identity("b")
    assert source.identity("a") != kernel_source("estimate", 4).identity("a")
    assert json.dumps(source.identity("a"))
    with pytest.raises(ImageError):
        source.of(Photo(pixels(20, 20)), "small")
    other = config.PROFILES["default"].replace(kept_values=39)
    monkeypatch.setattr(config, "PROFILES", {**config.PROFILES, "default": other})
    assert kernel_source("estimate", 2).identity("a") != source.identity("a")


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    """A folder as `estimate --scale 4` leaves it, and one kernel more."""
    folder = tmp_path / "pool"
    folder.mkdir()
    for name, law in (("a", "disk"), ("b", "motion"), ("c", "gaussian")):
        for suffix in ("npy", "mat", "json"):
            save(BlurKernel(drawn(law, name), 2), folder / f"{name}_kernel_x2.{suffix}")
            kernel = BlurKernel(drawn(law, name, 4), 4)
            save(kernel, folder / f"{name}_kernel_x4.{suffix}")
        (folder / f"{name}.json").write_text('{"format": "kernelgan-fast record 1"}')
    (folder / "own").mkdir()
    np.save(folder / "own" / "d.npy", drawn("anisotropic"))
    return folder


def test_a_pool_holds_each_kernel_of_the_scale_once(pool: Path) -> None:
    assert kernel_source(pool, 2).label == "a pool of 4 kernels"
    (pool / "own" / "d.npy").unlink()
    source = kernel_source(pool, 4)
    assert source.label == "a pool of 3 kernels"
    assert {source.of(PHOTO, str(n)).kernel.size for n in range(20)} == {33}
    assert source.of(PHOTO, "0").label.endswith("_kernel_x4.json")  # read without loss


def test_draws_depend_on_seed_and_name_and_take_all_kernels(pool: Path) -> None:
    source, again = kernel_source(pool, 2, seed=1), kernel_source(pool, 2, seed=1)
    names = [f"photo{number}" for number in range(400)]
    first = [source.of(PHOTO, name).label for name in names]
    assert first == [again.of(PHOTO, name).label for name in names]
    other = kernel_source(pool, 2, seed=2)
    assert first != [other.of(PHOTO, name).label for name in names]
    counts = Counter(first)
    # 5 standard deviations of a binomial count, one side of four: 1e-6 of all seeds would fail.
    least = 400 / 4 - 5 * (400 * 1 / 4 * 3 / 4) ** 0.5
    assert len(counts) == 4 and min(counts.values()) > least
    assert len({str(source.identity(name)) for name in names}) == 4


def test_a_kernel_more_leaves_the_other_draws_alone(pool: Path) -> None:
    names = [f"photo{number}" for number in range(200)]
    source = kernel_source(pool, 2)
    before = {name: source.identity(name) for name in names}
    np.save(pool / "new.npy", drawn("disk", "other"))
    source = kernel_source(pool, 2)
    changed = [name for name in names if source.identity(name) != before[name]]
    assert {source.of(PHOTO, name).label for name in changed} == {"new.npy"}
    # 5 standard deviations of a binomial count: 6e-7 of all names would fail.
    assert abs(len(changed) - 200 / 5) < 5 * (200 * 1 / 5 * 4 / 5) ** 0.5


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
        ("bad", 2, "not a readable .json file"),
        ("bicubic", 3, "scale must be 2 or 4, got 3"),
    ],
)
def test_what_is_no_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kernel: str, scale: int, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("empty/record.json").write_text("{}")
    Path("bad").mkdir()
    Path("bad/k.json").write_text("{")
    Path("text.txt").write_text("")
    np.save("heavy.npy", drawn("disk") * 2)
    save(BlurKernel(drawn("disk", scale=4), 4), "x4.json")
    with pytest.raises(InputError, match=words):
        kernel_source(kernel, scale)
