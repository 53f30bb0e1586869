from __future__ import annotations

import dataclasses
import io
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mat_cells import cells
from scipy.io import loadmat, savemat

from kernelgan_fast.errors import InputError, OutputError
from kernelgan_fast.kernels import BlurKernel, load, save, store


def some_kernel(scale: int = 2, size: int = 13) -> BlurKernel:
    array = np.random.default_rng(size).random((size, size))
    provenance = {"method": "kernelgan", "seed": 7, "photo": "a photo.png"}
    return BlurKernel(array / array.sum(), scale, provenance=provenance)


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("suffix", [".npy", ".mat", ".json", ".NPY"])
def test_round_trip_is_bit_exact(tmp_path: Path, suffix: str, scale: int) -> None:
    kernel = some_kernel(scale)
    save(kernel, tmp_path / f"k{suffix}")
    asked = scale if suffix.lower() == ".npy" else None
    again = load(str(tmp_path / f"k{suffix}"), scale=asked)
    assert again == kernel
    assert again.convention == kernel.convention
    assert os.listdir(tmp_path) == [f"k{suffix}"]


def test_json_tells_all(tmp_path: Path) -> None:
    kernel = some_kernel()
    save(kernel, tmp_path / "k.json")
    document = json.loads((tmp_path / "k.json").read_text("utf-8"))
    assert list(document) == [
        "scale",
        "convention",
        "provenance",
        "expected_error",
        "statistics",
        "kernel",
    ]
    assert document["kernel"] == kernel.array.tolist()
    assert document["provenance"] == dict(kernel.provenance)
    statistics = document["statistics"]
    assert statistics["size"] == 13
    assert statistics["centre_of_mass"] == list(kernel.centre_of_mass)
    assert statistics["covariance"] == kernel.covariance.tolist()
    widths = (statistics["sigma_major"], statistics["sigma_minor"], statistics["angle_degrees"])
    assert widths == kernel.widths
    assert load(tmp_path / "k.json").provenance == kernel.provenance


def test_other_programs_read_our_files(tmp_path: Path) -> None:
    kernel = some_kernel(4)
    save(kernel, tmp_path / "k.mat")
    save(kernel, tmp_path / "k.npy")
    content = loadmat(tmp_path / "k.mat")
    assert content["Kernel"].dtype == np.float64
    np.testing.assert_array_equal(content["Kernel"], kernel.array)
    np.testing.assert_array_equal(np.load(tmp_path / "k.npy"), kernel.array)


@pytest.mark.parametrize("suffix", [".npy", ".mat", ".json", ".png"])
def test_the_same_kernel_gives_the_same_bytes(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    save(some_kernel(), first)
    monkeypatch.setattr(time, "asctime", lambda: "another day")
    save(some_kernel(), second)
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_size > 0


@pytest.mark.parametrize("suffix", [".npy", ".mat", ".json", ".png"])
def test_a_failure_leaves_the_old_file_alone(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"k{suffix}"
    path.write_bytes(b"old")

    def refused(source: str, target: str) -> None:
        raise OSError(28, "no space")

    monkeypatch.setattr(os, "replace", refused)
    with pytest.raises(OutputError, match="the disk is full"):
        save(some_kernel(), path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == [path.name]


def test_save_names_the_formats(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"saved as .npy, .mat, .json or .png, got '.txt'"):
        save(some_kernel(), tmp_path / "k.txt")
    assert os.listdir(tmp_path) == []


def test_a_picture_is_not_a_kernel_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"read from .npy, .mat or .json, got '.png'"):
        load(tmp_path / "k.png", scale=2)


def test_the_scale_is_never_guessed(tmp_path: Path) -> None:
    np.save(tmp_path / "k.npy", some_kernel().array)
    with pytest.raises(InputError, match="give scale=2 or scale=4"):
        load(tmp_path / "k.npy")
    save(some_kernel(4), tmp_path / "k.mat")
    with pytest.raises(InputError, match="for scale 4, not 2"):
        load(tmp_path / "k.mat", scale=2)
    assert load(tmp_path / "k.mat", scale=4).scale == 4


@pytest.mark.parametrize("variable", store.MAT_VARIABLES)
def test_reads_the_names_others_use(tmp_path: Path, variable: str) -> None:
    savemat(tmp_path / "k.mat", {variable: np.ones((5, 5)) / 25})
    assert load(tmp_path / "k.mat", scale=2).size == 5


def test_a_mat_file_without_a_kernel_names_what_it_has(tmp_path: Path) -> None:
    savemat(tmp_path / "k.mat", {"P": np.ones((15, 225)), "q": 1})
    with pytest.raises(InputError, match="only P, q; rename"):
        load(tmp_path / "k.mat", scale=2)
    savemat(tmp_path / "k.mat", {})
    with pytest.raises(InputError, match="only nothing"):
        load(tmp_path / "k.mat", scale=2)


def test_matlab_7_3_is_refused_in_words(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    savemat(buffer, {"Kernel": np.ones((1, 1))})
    header = buffer.getvalue()[:124] + b"\x00\x02IM"  # version 2 is HDF5
    (tmp_path / "k.mat").write_bytes(header + bytes(512))
    with pytest.raises(InputError, match="save it with '-v7'"):
        load(tmp_path / "k.mat", scale=2)


@pytest.mark.parametrize("layout", ["cells", "last axis", "first axis"])
def test_several_kernels_need_an_index(tmp_path: Path, layout: str) -> None:
    kernels = [some_kernel(size=5).array, np.ones((5, 5)) / 25, np.eye(5) / 5]
    stack: Any = {
        "cells": cells(*kernels),
        "last axis": np.stack(kernels, axis=-1),
        "first axis": np.stack(kernels),
    }[layout]
    savemat(tmp_path / "k.mat", {"kernels": stack})
    with pytest.raises(InputError, match="holds 3 kernels; say which with index=0 to 2"):
        load(tmp_path / "k.mat", scale=2)
    for number, array in enumerate(kernels):
        np.testing.assert_array_equal(load(tmp_path / "k.mat", scale=2, index=number).array, array)
    for wrong in (3, -1):
        with pytest.raises(InputError, match=f"index must be 0 to 2, got {wrong}"):
            load(tmp_path / "k.mat", scale=2, index=wrong)


def test_an_even_kernel_gets_its_middle_where_the_half_pixel_rule_wants_it(
    tmp_path: Path,
) -> None:
    np.save(tmp_path / "k.npy", np.ones((8, 8)) / 64)
    kernel = load(tmp_path / "k.npy", scale=2)
    assert kernel.size == 9
    assert kernel.centre_of_mass == pytest.approx((4.5, 4.5))
    assert not kernel.array[0].any() and not kernel.array[:, 0].any()


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.ones((5, 5)), "sum to 1, got 25"),
        (np.full((5, 5), np.nan), "sum to 1, got nan"),
        (np.ones((5, 7)) / 35, "square"),
        (np.ones(25) / 25, r"got shape \(25,\)"),
        (np.ones((0, 5, 5)), "index must be"),
        (np.ones((5, 5), dtype=complex), "<c16"),
    ],
)
def test_refuses_arrays_that_are_no_kernels(tmp_path: Path, array: Any, words: str) -> None:
    np.save(tmp_path / "k.npy", array)
    with pytest.raises(InputError, match=words):
        load(tmp_path / "k.npy", scale=2)


def test_a_rounded_sum_is_made_1(tmp_path: Path) -> None:
    np.save(tmp_path / "k.npy", np.full((5, 5), 0.0401))
    assert load(tmp_path / "k.npy", scale=2).array.sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("suffix", [".npy", ".mat", ".json"])
def test_missing_and_damaged_files(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"k{suffix}"
    with pytest.raises(InputError, match="no such file"):
        load(path, scale=2)
    save(some_kernel(), path)
    content = path.read_bytes()
    for length in (0, 20, len(content) - 100):
        path.write_bytes(content[:length])
        with pytest.raises(InputError, match=f"not a readable {suffix} file"):
            load(path, scale=2)


def test_pickles_are_not_opened(tmp_path: Path) -> None:
    np.save(tmp_path / "k.npy", cells(np.ones((1, 1))), allow_pickle=True)
    with pytest.raises(InputError, match=r"not a readable .npy"):
        load(tmp_path / "k.npy", scale=2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[1]", '"kernel"'),
        ('{"scale": 2}', '"kernel"'),
        ('{"kernel": [[1]], "scale": 2, "convention": "flipped"}', "convention"),
        ('{"kernel": [[1]], "scale": 2.5}', "scale must be an integer"),
        ('{"kernel": [["a"]], "scale": 2}', "not a readable"),
        ('{"kernel": [[1]], "scale": 2, "provenance": 3}', "provenance"),
    ],
)
def test_refuses_json_that_is_not_ours(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "k.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=words):
        load(tmp_path / "k.json")


def test_reads_the_original_program_s_outputs(shared: Path) -> None:
    files = sorted((shared / "data" / "kernels" / "kernelgan_estimates").glob("*.mat"))
    assert files
    for file in files:
        kernel = load(file, scale=2)
        assert kernel.size == 17
        assert kernel.centre_of_mass == pytest.approx((8.5, 8.5), abs=1e-4)


def test_reads_the_kernel_sets_of_the_field(shared: Path) -> None:
    kernels = shared / "data" / "kernels"
    assert load(kernels / "kair" / "kernels_12.mat", scale=2, index=11).size == 25
    with pytest.raises(InputError, match="holds 12 kernels"):
        load(kernels / "kair" / "kernels_12.mat", scale=2)
    assert load(kernels / "kair" / "kernels_bicubicx234.mat", scale=4, index=2).size == 25
    with pytest.raises(InputError, match="-v7"):
        load(kernels / "kair" / "Levin09.mat", scale=2)
    for file in (kernels / "dpsr_bsd68").glob("*.mat"):
        assert load(file, scale=4).size % 2 == 1
    for file in (shared / "data" / "dev_cc0" / "gt_k_x2").glob("*.mat"):
        assert load(file, scale=2).size == 11


@pytest.mark.parametrize("suffix", ["json", "mat"])
def test_the_expected_error_is_kept(tmp_path: Path, suffix: str) -> None:
    kernel = dataclasses.replace(some_kernel(), expected_error=0.125)
    save(kernel, tmp_path / f"k.{suffix}")
    assert load(tmp_path / f"k.{suffix}").expected_error == 0.125
    save(some_kernel(), tmp_path / f"known.{suffix}")
    assert load(tmp_path / f"known.{suffix}").expected_error is None
