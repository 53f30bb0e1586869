"""The method recurrence inside a run: seeds, scales, progress, photos that fail alone, resuming."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from quick import pixels, write_photo

from kernelgan_fast import estimate
from kernelgan_fast.api import estimate_files
from kernelgan_fast.errors import ConfigError, ImageError
from kernelgan_fast.estimation import recurrence, recurrence_search
from kernelgan_fast.estimation.options import estimate_options
from kernelgan_fast.estimation.recurrence import estimate_recurrence
from kernelgan_fast.estimation.result import Estimate, ProgressEvent


@pytest.fixture(scope="module", autouse=True)
def _fewer_patches() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recurrence, "_QUERIES", 300)
        patch.setattr(recurrence, "_PARENTS", 1000)
        yield


def find(source: Any, **options: Any) -> Any:
    return estimate(source, **{"method": "recurrence", "iterations": 2, **options})


def test_it_is_the_estimator_s_kernel() -> None:
    photo = pixels()
    result: Estimate = find(photo, scale=4, seed=5)
    for scale, kernel in result.kernels.items():
        alone = estimate_recurrence(photo, scale=scale, iterations=2, seed=5)
        assert np.array_equal(kernel.array, alone.kernel.array)
        assert kernel.scale == scale
    assert np.array_equal(result.raw, [alone.recurring.array])
    assert (result.spread, result.expected_error) == (None, None)
    assert result.diagnostics.recurrence == (alone.facts(),)
    assert result.diagnostics.spectrum is None and result.history["iteration"].size == 0
    assert set(alone.warnings) <= set(result.diagnostics.warnings)
    assert result.kernel.provenance["method"] == "recurrence"
    assert result.kernel.provenance["seeds"] == [5]
    assert (result.diagnostics.device, result.diagnostics.seeds) == ("cpu", (5,))


def test_the_border_stays_where_it_is_real() -> None:
    photo = pixels()
    assert find(photo, real=True).kernel == find(np.pad(photo, ((10,), (10,), (0,)))).kernel


def test_several_seeds_give_their_mean_and_spread() -> None:
    photo = pixels()
    result = find(photo, seeds=2)
    one, two = (find(photo, seed=seed).kernel.array for seed in (0, 1))
    assert np.allclose(result.kernel.array, (one + two) / 2)
    apart = np.linalg.norm(one - two) / 2
    assert result.spread == pytest.approx(apart / np.linalg.norm(one + two) * 2)
    assert result.raw.shape == (2, 13, 13)
    assert len(result.diagnostics.recurrence) == 2
    assert find(photo, seeds=2).kernel == result.kernel


def test_the_warnings_of_all_seeds_are_told_once() -> None:
    quality = recurrence.RecurrenceQuality(300, 0.3, 0.7, 2, 0.1)
    kernel = np.zeros((13, 13))
    kernel[6:8, 6:8] = 0.25
    searches = [{2: recurrence._result(kernel, 2, seed, quality)} for seed in (0, 1)]
    assert recurrence_search._found(searches, 2, (0, 1)).warnings == recurrence._warnings(quality)


def test_progress_counts_rounds_of_all_searches() -> None:
    events: list[ProgressEvent] = []
    photo = pixels()
    find([photo, photo], seeds=2, threads=1, iterations=3, progress=events.append)
    assert {event.iterations for event in events} == {3}
    fractions = [event.fraction for event in events]
    assert fractions == sorted(fractions) and len(set(fractions)) > 4
    assert fractions[-1] == 1.0


def test_a_stop_in_progress_ends_the_run() -> None:
    def stop(event: ProgressEvent) -> None:
        if event.iteration:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        find(pixels(), progress=stop)


def test_a_photo_that_cannot_be_used_fails_alone(tmp_path: Path) -> None:
    write_photo(tmp_path / "a.png", 83)
    write_photo(tmp_path / "b.png")
    Image.new("RGB", (99, 99), (9, 9, 9)).save(tmp_path / "c.png")
    run = estimate_files(
        [tmp_path], tmp_path / "out", method="recurrence", iterations=2, formats=["npy"]
    )
    results = {result.source.name: result for result in run.results()}
    assert {name: result.status for name, result in results.items()} == {
        "a.png": "failed",
        "b.png": "done",
        "c.png": "failed",
    }
    assert "at least 84 px a side for recurring patches" in str(results["a.png"].error)
    assert "patches with contrast" in str(results["c.png"].error)
    with pytest.raises(ImageError, match="at least 84 px"):
        find(tmp_path / "a.png")


def test_the_record_tells_and_resume_believes_it(tmp_path: Path) -> None:
    photo = write_photo(tmp_path / "a.png")
    options: dict[str, Any] = {"method": "recurrence", "iterations": 2, "formats": ["npy"]}
    list(estimate_files([photo], tmp_path / "out", **options).results())
    record = json.loads((tmp_path / "out" / "a.json").read_text())
    assert record["request"]["method"] == "recurrence" and record["request"]["config"] is None
    assert record["expected_error"] is None and record["spectrum"] is None
    (facts,) = record["recurrence"]
    assert set(facts) == {"patches", "accepted", "residual", "iterations", "change"}

    def statuses(**changes: Any) -> list[str]:
        run = estimate_files([photo], tmp_path / "out", resume=True, **{**options, **changes})
        return [result.status for result in run.results()]

    assert statuses() == ["skipped"]
    assert statuses(iterations=3) == ["done"]
    assert statuses(method="spectral", iterations=None) == ["done"]


def test_it_runs_on_the_cpu_alone() -> None:
    assert estimate_options(method="recurrence").devices == ("cpu",)
    assert estimate_options(method="recurrence").iterations == recurrence.ITERATIONS
    assert estimate_options(method="recurrence", device="cpu").devices == ("cpu",)
    for words in ({"device": "cuda:0"}, {"devices": "all"}):
        with pytest.raises(ConfigError, match=r"on the CPU, got '?(cuda:0|all)"):
            estimate_options(method="recurrence", **words)
    with pytest.raises(ConfigError, match="iterations must be"):
        estimate_options(method="recurrence", iterations=0)
