"""Runs that begin at the kernel in closed form: what is kept of it, what training adds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from quick import pixels

from kernelgan_fast import estimate
from kernelgan_fast.errors import ImageError
from kernelgan_fast.estimation.options import estimate_options
from kernelgan_fast.estimation.pipeline import prepare
from kernelgan_fast.estimation.spectral import estimate_spectral
from kernelgan_fast.gan.batches import Problem
from kernelgan_fast.gan.config import profile
from kernelgan_fast.gan.trainer import train

SHORT = profile("corrected").replace(
    profile="short", start="spectral", iterations=20, learning_rate=2e-5, similar_below=0.0
)


def result_of(source: Any, **options: Any) -> Any:
    chosen = {} if "method" in options else {"profile": SHORT}
    return estimate(source, **{**chosen, "threads": 1, **options})


def test_the_method_spectral_trains_nothing() -> None:
    photo = pixels()
    for options in ({"method": "spectral"}, {}):
        result = estimate(photo, **options, scale=4, threads=1)
        for scale, kernel in result.kernels.items():
            assert np.array_equal(kernel.array, estimate_spectral(photo, scale=scale).kernel.array)
            assert kernel.scale == scale
        assert result.history["iteration"].size == 0
        assert result.diagnostics.similar_at == ()
        assert result.expected_error == estimate_spectral(photo).quality.expected_error


def test_training_from_the_kernel_in_closed_form_tells_how_far_to_trust_it() -> None:
    photo = pixels()
    start = estimate_spectral(photo)
    result = result_of(photo, scale=4)
    begin, end = start.kernel.array, result.raw[0] / result.raw[0].sum()
    moved = np.linalg.norm(end - begin) / np.linalg.norm(begin)
    assert 1e-4 < moved < 0.05
    assert np.array_equal(result.kernel_x2.array, begin)
    assert result.expected_error == pytest.approx(
        np.hypot(start.quality.expected_error, moved), rel=1e-12
    )
    assert result.diagnostics.spectrum["shape"] == start.shape
    assert len(result.history["ideal"][0]) == len(result.history["iteration"]) == 3
    assert np.array_equal(result.kernel.array, estimate_spectral(photo, scale=4).kernel.array)
    assert not any("ideal downscaler" in warning for warning in result.diagnostics.warnings)


def test_each_problem_has_its_own_start_whoever_is_beside() -> None:
    settings = estimate_options(profile=SHORT, threads=1)
    problems = []
    for seed in (0, 1, 2):
        photo = prepare(pixels(seed=seed), settings)
        assert photo.plan is not None
        problems.append(Problem(photo.plan, seed, photo.spectra[2].kernel.array))
    alone = [train([problem], SHORT)[0].kernel for problem in problems]
    for threads in (1, 2):
        together = train(problems, SHORT, threads=threads)
        for got, wanted in zip(together, alone, strict=True):
            assert np.array_equal(got.kernel, wanted)
    assert np.abs(alone[0] - alone[1]).max() > 1e-3


def test_seeds_differ_from_each_other_and_from_the_start() -> None:
    result = result_of(pixels(), seeds=3)
    assert len(result.raw) == 3
    assert 0 < result.spread < 0.1
    assert np.array_equal(result.kernel.array, estimate_spectral(pixels()).kernel.array)


def test_a_photo_too_small_to_train_on() -> None:
    small = pixels(60, 80)
    result = result_of(small)
    assert np.array_equal(result.kernel.array, estimate_spectral(small).kernel.array)
    assert any("84 px per side, this photo has 60" in text for text in result.diagnostics.warnings)
    together = result_of([small, pixels()])
    assert [len(one.history["iteration"]) > 0 for one in together] == [False, True]
    with pytest.raises(ImageError, match="84"):
        result_of(small, profile="paper")
    with pytest.raises(ImageError, match="48"):
        result_of(pixels(40, 80))


def test_a_kernel_not_to_rely_on_is_told() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (96, 104, 3)).astype(np.uint8)
    result = result_of(noise, method="spectral")
    assert result.expected_error > 0.25
    assert any("expected kernel error" in warning for warning in result.diagnostics.warnings)
