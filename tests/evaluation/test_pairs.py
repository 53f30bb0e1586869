"""Estimates find their true kernels by name, and nothing is dropped in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from kernelgan_fast.errors import InputError
from kernelgan_fast.evaluation.metrics import constant_gaussian
from kernelgan_fast.evaluation.pairs import match, named_scale, natural
from kernelgan_fast.kernels import save


def write(folder: Path, *names: str, scale: int = 2) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        save(constant_gaussian(scale), path)
    return folder


def names(estimates: Path, truth: Path, scale: int = 2) -> list[tuple[str, str, str]]:
    pairing = match(estimates, truth, scale)
    return [(pair.name, pair.estimate.name, pair.truth.name) for pair in pairing.pairs]


def test_our_estimates_and_our_truths(tmp_path: Path) -> None:
    made = write(tmp_path / "out", "a_kernel_x2.npy", "b_kernel_x2.mat", "b_kernel_x4.mat")
    (made / "a.json").write_text('{"format": "a record", "kernels": {}}')
    (made / "a_kernel_x2.png").touch()
    truth = write(tmp_path / "gt_k_x2", "a.mat", "b.mat")
    assert names(made, truth) == [
        ("a", "a_kernel_x2.npy", "a.mat"),
        ("b", "b_kernel_x2.mat", "b.mat"),
    ]


def test_one_kernel_in_several_formats_is_one(tmp_path: Path) -> None:
    made = write(tmp_path / "out", *(f"a_kernel_x2.{end}" for end in ("npy", "mat", "json")))
    truth = write(tmp_path / "gt", "a.npy")
    assert names(made, truth) == [("a", "a_kernel_x2.json", "a.npy")]


def test_the_published_program_and_the_published_set(tmp_path: Path) -> None:
    made = write(
        tmp_path / "results",
        *(f"im_{n}/im_{n}_kernel_x{s}.mat" for n in (1, 2, 10) for s in (2, 4)),
    )
    set_ = tmp_path / "DIV2KRK"
    for scale in (2, 4):
        write(set_ / f"gt_k_x{scale}", "kernel_1.mat", "kernel_2.mat", "kernel_10.mat")
        for truth in (set_, set_ / f"gt_k_x{scale}"):
            found = match(made, truth, scale)
            assert [pair.name for pair in found.pairs] == ["im_1", "im_2", "im_10"]
            assert found.pairs[2].truth == set_ / f"gt_k_x{scale}" / "kernel_10.mat"
            assert found.pairs[2].estimate.name == f"im_10_kernel_x{scale}.mat"


@pytest.mark.parametrize("name", ["im_7", "img_7_gt", "IM_007", "7", "image7"])
def test_names_of_a_numbered_photo(name: str, tmp_path: Path) -> None:
    made = write(tmp_path / "out", f"{name}_kernel_x2.mat")
    truth = write(tmp_path / "gt", "kernel_7.mat", "kernel_17.mat")
    assert names(made, truth) == [(name, f"{name}_kernel_x2.mat", "kernel_7.mat")]


def test_what_is_left_over_is_told(tmp_path: Path) -> None:
    made = write(tmp_path / "out", "a_kernel_x2.mat", "x_kernel_x2.mat", "im_3_kernel_x2.mat")
    truth = write(tmp_path / "gt", "a.mat", "y.mat", "kernel_30.mat")
    found = match(made, truth, 2)
    assert [pair.name for pair in found.pairs] == ["a"]
    assert [path.name for path in found.without_truth] == ["im_3_kernel_x2.mat", "x_kernel_x2.mat"]
    assert [path.name for path in found.without_estimate] == ["kernel_30.mat", "y.mat"]


def test_a_folder_with_both_is_told_apart(tmp_path: Path) -> None:
    write(tmp_path / "gt_k_x2", "a.mat")
    write(tmp_path, "a_kernel_x2.npy")
    assert names(tmp_path, tmp_path) == [("a", "a_kernel_x2.npy", "a.mat")]


def test_two_files_are_a_pair_whatever_their_names(tmp_path: Path) -> None:
    write(tmp_path, "one_kernel_x2.mat", "other.npy")
    found = match(tmp_path / "one_kernel_x2.mat", tmp_path / "other.npy", 2)
    assert [pair.name for pair in found.pairs] == ["one"]


def test_json_kernels_of_any_name(tmp_path: Path) -> None:
    made = write(tmp_path / "out", "a.json")
    (made / "b.json").write_text("damaged")
    (made / ".hidden.npy").touch()
    assert names(made, write(tmp_path / "gt", "a.mat", "b.mat")) == [("a", "a.json", "a.mat")]


@pytest.mark.parametrize(
    ("estimates", "truths", "words"),
    [
        ([], ["a.mat"], "no kernels of scale 2 there"),
        (["a_kernel_x4.mat"], ["a.mat"], "no kernels of scale 2 there"),
        (["a_kernel_x2.mat"], ["b.mat", "c.mat"], "must share names, got a_kernel_x2.mat and b"),
        (["a_kernel_x2.mat", "a/a_kernel_x2.mat"], ["a.mat"], "stand for the same photo"),
        (["im_1.mat", "kernel_1.mat"], ["1.mat"], "stand for the same photo"),
    ],
)
def test_folders_that_cannot_be_matched(
    tmp_path: Path, estimates: list[str], truths: list[str], words: str
) -> None:
    (tmp_path / "out").mkdir()
    write(tmp_path / "out", *estimates)
    write(tmp_path / "gt", *truths)
    with pytest.raises(InputError, match=words):
        match(tmp_path / "out", tmp_path / "gt", 2)


def test_folders_that_are_not_there(tmp_path: Path) -> None:
    truth = write(tmp_path / "gt", "a.mat")
    with pytest.raises(InputError, match="the estimates must be a folder"):
        match(tmp_path / "out", truth, 2)
    with pytest.raises(InputError, match="the true kernels must be a folder"):
        match(truth, tmp_path / "none", 2)
    with pytest.raises(InputError, match="the true kernels must be a folder"):
        match(truth, truth / "a.mat", 2)


def test_a_folder_may_name_its_scale(tmp_path: Path) -> None:
    assert named_scale(tmp_path / "gt_k_x4") == 4
    assert named_scale(tmp_path / "kernels") is None


def test_numbers_count_in_the_order() -> None:
    assert sorted(["im_10", "im_2", "a", "im_1b"], key=natural) == ["a", "im_1b", "im_2", "im_10"]
