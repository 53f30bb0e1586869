"""Folders of kernels: each photo gets its own, or draws from a pool where that was asked for."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from quick import pixels, write_photo

from kernelgan_fast.degradation.blur_models import draw
from kernelgan_fast.errors import InputError
from kernelgan_fast.images import Photo, read_image
from kernelgan_fast.jobs import records
from kernelgan_fast.jobs.kernel_folder import kernel_pool, photo_kernels
from kernelgan_fast.jobs.resolved_kernel import KernelSource, ResolvedKernel
from kernelgan_fast.kernels import BlurKernel, save

FILE = Path("photo.png")
PHOTO = Photo(pixels(), source=str(FILE))
ADVICE = "estimate it first"


def drawn(blur_model: str, name: str = "a", scale: int = 2) -> Any:
    return draw(blur_model, scale, seed=1, name=name).array


def store(path: Path, name: str, photo: Path | None = None, **fields: object) -> BlurKernel:
    """A kernel of its own for each name, and the record beside it where there is a photo."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kernel = BlurKernel(drawn("anisotropic", name), 2)
    save(kernel, path)
    if photo is not None:
        facts = records.source_facts(photo)
        source = {"path": facts.path, "bytes": facts.bytes, "sha256": facts.sha256}
        record = {"format": records.FORMAT, "source": source, "warnings": [], **fields}
        file = path.with_name(path.stem.replace("_kernel_x2", "") + ".json")
        file.write_text(json.dumps(record))
    return kernel


@pytest.fixture
def photos(tmp_path: Path) -> dict[str, Path]:
    """Three photos; b and c have the name of a in other folders and formats."""
    return {
        "a": write_photo(tmp_path / "in" / "a.png", 20, 20, seed=0),
        "b": write_photo(tmp_path / "other" / "a.png", 20, 20, seed=1),
        "c": write_photo(tmp_path / "in" / "c.png", 20, 20, seed=2),
    }


def own(folder: Path, photo: Path, scale: int = 2) -> ResolvedKernel:
    return photo_kernels(folder, scale, ADVICE).of(read_image(photo), "any name")


def test_the_kernel_of_the_same_name(tmp_path: Path, photos: dict[str, Path]) -> None:
    folder = tmp_path / "kernels"
    for file in ("a_kernel_x2.npy", "a_kernel_x4.mat", "c.mat", "own/d_kernel_x2.mat"):
        store(folder / file, file)
    expected = store(folder / "a_kernel_x2.json", "a")
    save(expected, folder / "a_kernel_x2.npy")
    found = own(folder, photos["a"])
    assert np.allclose(found.kernel.array, expected.array)
    assert found.label == "a_kernel_x2.json" and found.error == 0
    assert own(folder, photos["c"]).label == "c.mat"
    shutil.copy(photos["a"], tmp_path / "d.png")
    assert own(folder, tmp_path / "d.png").label == "d_kernel_x2.mat"


def test_the_hash_in_a_record_decides(tmp_path: Path, photos: dict[str, Path]) -> None:
    """Names that photos share, and photos that were renamed."""
    folder = tmp_path / "kernels"
    store(folder / "a_kernel_x2.json", "a", photos["a"], expected_error=0.2)
    store(folder / "other_a_kernel_x2.json", "b", photos["b"], warnings=["doubtful"])
    first, second = own(folder, photos["a"]), own(folder, photos["b"])
    assert (first.label, first.error) == ("a_kernel_x2.json", 0.2)
    assert (second.label, second.error) == ("other_a_kernel_x2.json", 0.0)
    assert first.facts["expected_error"] == 0.2 and second.notes == ("doubtful",)
    renamed = photos["a"].rename(tmp_path / "holiday.png")
    assert own(folder, renamed).label == "a_kernel_x2.json"
    shutil.copy(renamed, tmp_path / "c.png")
    store(folder / "c_kernel_x2.json", "c", tmp_path / "c.png")
    assert own(folder, tmp_path / "c.png").label == "c_kernel_x2.json"


def test_photos_without_a_kernel(tmp_path: Path, photos: dict[str, Path]) -> None:
    folder = tmp_path / "kernels"
    store(folder / "a_kernel_x2.json", "a", photos["a"])
    looked_for = r"looked for c_kernel_x2 or c as \.json, \.mat or \.npy, and for a record with its"
    with pytest.raises(
        InputError, match=rf"c\.png: .*kernels has no kernel .*{looked_for} SHA-256"
    ):
        own(folder, photos["c"])
    with pytest.raises(InputError, match=r"is the kernel of another photo of this name.*estimate"):
        own(folder, photos["b"])
    with pytest.raises(InputError, match="are for photos in files, got array; give a kernel"):
        photo_kernels(folder, 2, ADVICE).of(Photo(pixels(), source="array"), "array")
    for name in ("one", "two"):
        store(folder / name / "c.npy", name)
    with pytest.raises(InputError, match=r"one.c\.npy and .*two.c\.npy are both kernels of c"):
        own(folder, photos["c"])
    store(folder / "two" / "c.npy", "c", photos["c"])
    assert own(folder, photos["c"]).label == "c.npy"


def test_damage_is_of_one_photo_alone(tmp_path: Path, photos: dict[str, Path]) -> None:
    folder = tmp_path / "kernels"
    store(folder / "a_kernel_x2.json", "a", photos["a"])
    (folder / "c_kernel_x2.json").write_text("{")
    with pytest.raises(InputError, match=r"c_kernel_x2\.json: not a"):
        own(folder, photos["c"])
    for record in (
        '{"format": "kernelgan-fast record 1", "source": {"sha256": 3}}',
        '{"format": "kernelgan-fast record 1"',
        "[]",
    ):
        (folder / "a.json").write_text(record)
        assert own(folder, photos["a"]).label == "a_kernel_x2.json"
    for error in ("0.2", 10**400, float("nan"), -1.0):
        store(folder / "a_kernel_x2.json", "a", photos["a"], expected_error=error, warnings=3)
        found = own(folder, photos["a"])
        assert (found.error, found.notes) == (0.0, ())


def test_the_identity_follows_kernel_and_error(tmp_path: Path, photos: dict[str, Path]) -> None:
    folder = tmp_path / "kernels"

    def identity() -> object:
        source: KernelSource = photo_kernels(folder, 2, ADVICE)
        return json.loads(json.dumps(source.identity(photos["a"], "any")))

    store(folder / "a_kernel_x2.json", "a", photos["a"], expected_error=0.2)
    first = identity()
    assert first == identity()
    store(folder / "a_kernel_x2.json", "a", photos["a"], expected_error=0.3)
    assert identity() not in (first, None)
    store(folder / "a_kernel_x2.json", "b", photos["a"], expected_error=0.2)
    assert identity() not in (first, None)
    write_photo(photos["a"], 20, 20, seed=9)
    assert identity() is None


def test_a_folder_without_kernels(tmp_path: Path) -> None:
    os.mkdir(tmp_path / "empty")
    for make in (lambda path: photo_kernels(path, 2, ""), lambda path: kernel_pool(path, 2, 0)):
        with pytest.raises(InputError, match="empty: no kernels of scale 2 there"):
            make(tmp_path / "empty")
    with pytest.raises(InputError, match="a pool of kernels must be a folder, got"):
        kernel_pool(tmp_path / "none", 2, 0)


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    """A folder as `estimate --scale 4` leaves it, and one kernel more."""
    folder = tmp_path / "pool"
    folder.mkdir()
    for name, blur_model in (("a", "disk"), ("b", "motion"), ("c", "gaussian")):
        for suffix in ("npy", "mat", "json"):
            save(BlurKernel(drawn(blur_model, name), 2), folder / f"{name}_kernel_x2.{suffix}")
            kernel = BlurKernel(drawn(blur_model, name, 4), 4)
            save(kernel, folder / f"{name}_kernel_x4.{suffix}")
        (folder / f"{name}.json").write_text('{"format": "kernelgan-fast record 1"}')
    (folder / "own").mkdir()
    np.save(folder / "own" / "d.npy", drawn("anisotropic"))
    return folder


def test_a_pool_holds_each_kernel_of_the_scale_once(pool: Path) -> None:
    assert kernel_pool(pool, 2, 0).label == "a pool of 4 kernels"
    (pool / "own" / "d.npy").unlink()
    source = kernel_pool(pool, 4, 0)
    assert source.label == "a pool of 3 kernels"
    assert {source.of(PHOTO, str(n)).kernel.size for n in range(20)} == {33}
    assert source.of(PHOTO, "0").label.endswith("_kernel_x4.json")  # read without loss


def test_draws_depend_on_seed_and_name_and_take_all_kernels(pool: Path) -> None:
    source, again = kernel_pool(pool, 2, 1), kernel_pool(pool, 2, 1)
    names = [f"photo{number}" for number in range(400)]
    first = [source.of(PHOTO, name).label for name in names]
    assert first == [again.of(PHOTO, name).label for name in names]
    other = kernel_pool(pool, 2, 2)
    assert first != [other.of(PHOTO, name).label for name in names]
    counts = Counter(first)
    # 5 standard deviations of a binomial count, one side of four: 1e-6 of all seeds would fail.
    least = 400 / 4 - 5 * (400 * 1 / 4 * 3 / 4) ** 0.5
    assert len(counts) == 4 and min(counts.values()) > least
    assert len({str(source.identity(FILE, name)) for name in names}) == 4


def test_a_kernel_more_leaves_the_other_draws_alone(pool: Path) -> None:
    names = [f"photo{number}" for number in range(200)]
    source = kernel_pool(pool, 2, 0)
    before = {name: source.identity(FILE, name) for name in names}
    np.save(pool / "new.npy", drawn("disk", "other"))
    source = kernel_pool(pool, 2, 0)
    changed = [name for name in names if source.identity(FILE, name) != before[name]]
    assert {source.of(PHOTO, name).label for name in changed} == {"new.npy"}
    # 5 standard deviations of a binomial count: 6e-7 of all names would fail.
    assert abs(len(changed) - 200 / 5) < 5 * (200 * 1 / 5 * 4 / 5) ** 0.5


def test_a_pool_is_read_at_once(pool: Path) -> None:
    (pool / "bad.json").write_text("{")
    with pytest.raises(InputError, match=r"bad\.json: not a"):
        kernel_pool(pool, 2, 0)
