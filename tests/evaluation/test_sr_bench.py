"""Super-resolution measured on two small photos."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_sets import write_set
from torch import Tensor

from kernelgan_fast import sr
from kernelgan_fast.errors import InputError
from kernelgan_fast.evaluation import quality
from kernelgan_fast.evaluation.sr_bench import SrOptions, check_request, evaluate_sr
from kernelgan_fast.evaluation.sr_kernels import (
    GivenKernel,
    Kernels,
    bicubic_kernels,
    true_kernels,
)
from kernelgan_fast.evaluation.sr_report import BICUBIC_WAY, MethodKernel, SrReport
from kernelgan_fast.evaluation.sr_set import SrSet, find_set
from kernelgan_fast.images import read_image, save_png

TRUE = MethodKernel("backprojection", "true")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> SrSet:
    return find_set(write_set(tmp_path_factory.mktemp("sets") / "set"), 2)


@pytest.fixture(scope="module")
def report(photos: SrSet) -> SrReport:
    return evaluate_sr(photos, ["backprojection"], [bicubic_kernels(photos), true_kernels(photos)])


def test_every_photo_goes_every_way(report: SrReport) -> None:
    assert report.methods == ("bicubic", "backprojection") and report.failures == ()
    ways = (BICUBIC_WAY, MethodKernel("backprojection", "bicubic"), TRUE)
    assert report.ways == ways
    assert [row.photo.name for row in report.rows] == ["osprey", "roma"]
    for row in report.rows:
        assert tuple(row.scores) == ways
        assert all(score.seconds > 0 <= score.cpu_seconds for score in row.scores.values())
    assert report.rows[1].size == (56, 80)


def test_the_true_kernel_makes_the_best_photo(report: SrReport) -> None:
    for row in report.rows:
        gain, lower = row.gain(TRUE), row.gain(MethodKernel("backprojection", "bicubic"))
        assert gain is not None and lower is not None and gain > 1.5 and lower < gain - 1
        true, base = row.scores[TRUE], row.scores[BICUBIC_WAY]
        assert true.ssim > base.ssim
        assert true.consistency is not None and base.consistency is not None
        assert true.consistency > 45 > base.consistency
        assert row.kernel_errors["true"] == 0 < row.kernel_errors["bicubic"]


def test_bicubic_is_pillow_s(report: SrReport) -> None:
    """Another program's bicubic, measured by hand, gives the figures of the table."""
    from PIL import Image

    photo = report.rows[1].photo
    with Image.open(photo.low) as low:
        large = low.convert("RGB").resize((160, 112), Image.Resampling.BICUBIC)
    planes = [quality.luma(np.asarray(each)) for each in (large, read_image(photo.high).pixels)]
    score = report.rows[1].scores[BICUBIC_WAY]
    shaved = [plane[2:-2, 2:-2] for plane in planes]
    assert score.psnr == pytest.approx(quality.psnr(*shaved), abs=0.01)
    assert score.ssim == pytest.approx(quality.ssim(*shaved), abs=1e-3)


def test_luma_can_be_rounded(photos: SrSet, report: SrReport) -> None:
    rounded = evaluate_sr(photos, ["bicubic"], [], SrOptions(rounded_luma=True))
    assert rounded.rounded_luma and rounded.kernels == ()
    one, other = (each.rows[0].scores[BICUBIC_WAY].psnr for each in (report, rounded))
    assert one is not None and other is not None and 0 < abs(one - other) < 0.05


def test_methods_are_told_what_is_known(photos: SrSet, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    prepare = sr.prepare

    def spy(method: str, kernel: Any, options: Any, photo: Tensor) -> Any:
        told.append((method, photo.shape[-1], options))
        return prepare(method, kernel, options, photo)

    monkeypatch.setattr(sr, "prepare", spy)
    (given,) = {each for each in bicubic_kernels(photos).given.values()}
    assert isinstance(given, GivenKernel)
    wrong = replace(given, expected_error=0.3)
    kernels = Kernels("wrong", {photo.key: wrong for photo in photos.photos})
    weights = {"backprojection": Path("w")}
    evaluate_sr(photos, ["backprojection"], [kernels], SrOptions(noise=2.0, weights=weights))
    by_kernel = [
        options for method, side, options in told if (method, side) == ("backprojection", 80)
    ]
    (options,) = by_kernel
    assert (options.kernel_error, options.noise, options.weights) == (0.3, 2.0, Path("w"))
    plain = [options for method, side, options in told if (method, side) == ("bicubic", 80)]
    assert [(each.kernel_error, each.weights) for each in plain] == [(0.0, None)]


def test_what_fails_is_told_and_the_rest_measured(
    photos: SrSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare = sr.prepare

    def choosy(method: str, kernel: Any, options: Any, photo: Tensor) -> Any:
        if method == "tv":
            raise InputError("tv has no weights")
        return prepare(method, kernel, options, photo)

    monkeypatch.setattr(sr, "prepare", choosy)
    found = true_kernels(photos)
    partly = Kernels("true", {**found.given, "roma": "roma: no kernel"})
    report = evaluate_sr(photos, ["tv", "backprojection"], [partly])
    assert [(each.photo, each.way, each.error) for each in report.failures] == [
        ("osprey", MethodKernel("tv", "true"), "tv has no weights"),
        ("roma", MethodKernel("", "true"), "roma: no kernel"),
    ]
    assert [set(row.scores) for row in report.rows] == [{BICUBIC_WAY, TRUE}, {BICUBIC_WAY}]


def test_photos_that_do_not_fit_are_told(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set")
    high = read_image(folder / "hr/roma.png").pixels
    save_png(high[:-2], folder / "hr/roma.png")
    (folder / "lr_x2/osprey.png").write_bytes(b"none")
    photos = find_set(folder, 2)
    report = evaluate_sr(photos, ["bicubic"], [])
    assert report.rows == () and [each.way for each in report.failures] == [None, None]
    errors = [each.error for each in report.failures]
    assert "osprey.png" in errors[0]
    assert "must be 2 times as large as 80 x 56, got 160 x 110" in errors[1]


def test_deep_photos_are_measured_in_8_bits(tmp_path: Path, report: SrReport) -> None:
    folder = write_set(tmp_path / "set")
    for file in (folder / "lr_x2/roma.png", folder / "hr/roma.png"):
        save_png(read_image(file).pixels.astype(np.uint16) * 257, file)
    photos = find_set(folder, 2)
    deep = evaluate_sr(photos, ["backprojection"], [true_kernels(photos)])
    assert deep.failures == () and read_image(photos.photos[1].low).pixels.dtype == np.float32
    for way in (BICUBIC_WAY, TRUE):
        one, other = (each.rows[1].scores[way] for each in (deep, report))
        assert one.psnr == pytest.approx(other.psnr, abs=1e-3)
        assert one.consistency == pytest.approx(other.consistency, abs=1e-3)


@pytest.mark.parametrize("cut", [1, -1])
def test_an_odd_row_is_left_out(tmp_path: Path, cut: int) -> None:
    """`degrade` rounds sides up, others down."""
    folder = write_set(tmp_path / "set")
    high = read_image(folder / "hr/roma.png").pixels
    odd = high[:-1] if cut > 0 else np.concatenate([high, high[-1:]])
    save_png(odd, folder / "hr/roma.png")
    report = evaluate_sr(find_set(folder, 2), ["bicubic"], [])
    assert report.failures == () and len(report.rows) == 2


def test_without_true_kernels_there_is_no_consistency(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set")
    for file in (folder / "gt_k_x2").iterdir():
        file.unlink()
    (folder / "gt_k_x2").rmdir()
    photos = find_set(folder, 2)
    report = evaluate_sr(photos, ["backprojection"], [bicubic_kernels(photos)])
    row = report.rows[0]
    assert {score.consistency for score in row.scores.values()} == {None}
    assert row.kernel_errors == {} and row.kept(MethodKernel("backprojection", "bicubic")) is None


def test_progress_goes_from_0_to_1_and_may_stop(photos: SrSet) -> None:
    parts: list[float] = []
    evaluate_sr(photos, ["bicubic"], [], progress=parts.append)
    assert parts[0] == 0 and parts == sorted(parts) and parts[-1] < 1

    def stop(part: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate_sr(photos, ["bicubic"], [], progress=stop)


def test_wrong_requests() -> None:
    assert check_request(["tv", "bicubic", "tv"], ["true"]) == ("bicubic", "tv")
    with pytest.raises(InputError, match="got 'backprojecton'; did you mean backprojection"):
        check_request(["backprojecton"], ["true"])
    with pytest.raises(InputError, match="tv needs kernels, got none"):
        check_request(["tv"], [])
    with pytest.raises(InputError, match="names of their own, got 'true' twice"):
        check_request(["tv"], ["true", "bicubic", "true"])
