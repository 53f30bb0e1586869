"""`estimate`: what goes in, what comes out, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from quick import QUICK, pixels, write_photo

from kernelgan_fast.api import Estimate, ProgressEvent, estimate
from kernelgan_fast.errors import (
    ConfigError,
    DeviceUnavailable,
    ImageError,
    InputError,
    TrainingDiverged,
)
from kernelgan_fast.gan import trainer


def quick(source: Any, **options: Any) -> Any:
    return estimate(source, profile=QUICK, **options)


@pytest.fixture(scope="module")
def plain() -> Estimate:
    """The photo of `pixels()` with seed 0."""
    result = quick(pixels())
    assert isinstance(result, Estimate)
    return result


def test_estimate_of_an_array(plain: Estimate) -> None:
    assert plain.kernel.array.shape == (13, 13)
    assert plain.kernel.scale == 2
    assert plain.kernel.centre_of_mass == pytest.approx((6.5, 6.5), abs=1e-6)
    assert plain.kernel is plain.kernel_x2
    assert plain.raw.shape == (1, 13, 13)
    assert plain.spread is None
    assert plain.source == "array"


def test_history_and_diagnostics(plain: Estimate) -> None:
    steps = plain.history["iteration"]
    assert steps[0] == 0 and steps[-1] == QUICK.iterations - 1
    for name, values in plain.history.items():
        assert values.shape == (len(steps),) if name == "iteration" else (1, len(steps))
    diagnostics = plain.diagnostics
    stages = {"read", "analysis", "prepare", "train", "finish"}
    assert set(diagnostics.timings) == stages
    assert diagnostics.config == QUICK
    assert diagnostics.seeds == (0,)
    assert {"kernelgan_fast", "python", "torch", "numpy"} <= set(diagnostics.versions)
    assert "BlurKernel(13x13" in repr(plain)


def test_every_kind_of_source_gives_the_same_kernel(plain: Estimate, tmp_path: Path) -> None:
    photo = write_photo(tmp_path / "a.png")
    tensor = torch.from_numpy(pixels()).permute(2, 0, 1)
    for source in (photo, str(photo), tensor, pixels()):
        assert np.array_equal(quick(source).raw, plain.raw)


def test_the_source_is_never_written_to() -> None:
    for image in (pixels(), pixels().astype(np.float32) / 255):
        before = image.copy()
        image.setflags(write=False)
        quick(image)
        assert np.array_equal(image, before)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(plain: Estimate) -> None:
    assert quick(pixels(), threads=1).kernel.array.tobytes() == plain.kernel.array.tobytes()
    assert quick(pixels(), threads=3).kernel.array.tobytes() == plain.kernel.array.tobytes()
    assert not np.array_equal(quick(pixels(), seed=1).raw, plain.raw)


def test_scale_4(plain: Estimate) -> None:
    result = quick(pixels(), scale=4)
    assert result.kernel.array.shape == (25, 25)
    assert result.kernel.scale == 4
    assert np.array_equal(result.kernel_x2.array, plain.kernel.array)
    assert list(result.kernels) == [2, 4]


def test_a_list_gives_what_each_photo_gives_alone(plain: Estimate) -> None:
    photos = [pixels(), pixels(130, 90, seed=1), pixels(100, 100, seed=2)]
    together = quick(photos, threads=2)
    assert np.array_equal(together[0].raw, plain.raw)
    for photo, result in zip(photos, together, strict=True):
        assert np.array_equal(quick(photo).raw, result.raw)
    assert quick([]) == []


def test_seeds_train_together_and_give_their_mean_and_spread(plain: Estimate) -> None:
    result = quick(pixels(), seeds=3)
    alone = [quick(pixels(), seed=seed) for seed in range(3)]
    assert result.diagnostics.seeds == (0, 1, 2)
    assert np.array_equal(result.raw, np.concatenate([one.raw for one in alone]))
    members = np.stack([one.kernel.array for one in alone])
    mean = members.mean(axis=0)
    assert np.allclose(result.kernel.array, mean, rtol=0, atol=1e-15)
    assert result.kernel.centre_of_mass == pytest.approx((6.5, 6.5), abs=1e-6)
    distances = [np.linalg.norm(member - mean) for member in members]
    assert result.spread == pytest.approx(np.mean(distances) / np.linalg.norm(mean))
    assert "spread" in repr(result)


def test_real_photos_keep_their_edges() -> None:
    small = pixels(70, 80)
    assert quick(small, real=True).kernel.array.shape == (13, 13)
    with pytest.raises(ImageError, match="84"):
        quick(small)


@pytest.mark.parametrize("scale", [2, 4])
def test_kernels_in_closed_form_use_the_whole_photo_anyway(scale: int) -> None:
    without, with_edges = (estimate(pixels(), scale=scale, real=real) for real in (False, True))
    assert without.kernel == with_edges.kernel
    assert without.expected_error == with_edges.expected_error


def test_grey_photos_are_told_of() -> None:
    result = quick(pixels()[:, :, 0])
    assert any("grey" in warning for warning in result.diagnostics.warnings)


def test_progress_reaches_the_end() -> None:
    events: list[ProgressEvent] = []
    quick([pixels(), pixels(seed=1), pixels(seed=2)], threads=2, progress=events.append)
    fractions = [event.fraction for event in events]
    assert fractions == sorted(fractions)
    assert events[0].iteration == 0 and events[0].remaining is None
    assert events[-1].fraction == 1.0 and events[-1].remaining == 0.0
    assert {event.photos_done for event in events} == {0, 2}
    assert set(events[-1].losses) >= {"gan_g", "gan_d"}


def test_raising_in_progress_stops() -> None:
    class Enough(Exception):
        pass

    def stop(event: ProgressEvent) -> None:
        raise Enough

    with pytest.raises(Enough):
        quick(pixels(), progress=stop)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"scale": 5}, ConfigError, "scale must be 1, 2, 3 or 4, got 5"),
        ({"seeds": 0}, ConfigError, "seeds must be 1 to 100, got 0"),
        ({"seed": -1}, ConfigError, "seed must be 0 to"),
        ({"seed": 2**63 - 1}, ConfigError, "seed must be 0 to"),
        ({"threads": 0}, ConfigError, "at least 1, got 0"),
        ({"iterations": -1}, ConfigError, "iterations"),
        ({"iterations": 0, "profile": "paper"}, ConfigError, "iterations"),
        ({"method": "spectral", "iterations": 9}, ConfigError, "trains nothing, got 9"),
        ({"method": "spectrum"}, ConfigError, "got 'spectrum'"),
        ({"profile": "papr"}, ConfigError, "paper"),
        ({"device": "cuda:999"}, DeviceUnavailable, "got 'cuda:999'"),
        ({"device": "tpu"}, ConfigError, "auto, cpu or cuda, got 'tpu'"),
    ],
)
def test_refused_options(options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        estimate(pixels(), **options)


@pytest.mark.parametrize(
    "source",
    [
        np.full((96, 96, 3), 7, np.uint8),
        np.full((96, 96, 3), np.nan),
        np.full((96, 96, 3), 1.5),
        np.zeros((4, 96, 96, 3), np.uint8),
        "no such file.png",
        12,
    ],
    ids=["constant", "nan", "range", "four axes", "missing", "number"],
)
def test_refused_photos(source: Any) -> None:
    with pytest.raises(ImageError):
        quick(source)


def test_a_bad_photo_of_a_list_is_numbered() -> None:
    with pytest.raises(ImageError, match="photo 1 of the list"):
        quick([pixels(), "no such file.png"])


def test_a_run_too_short_for_a_positive_kernel_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    change_runs(monkeypatch, lambda run: replace(run, kernel=-np.abs(run.kernel)))
    with pytest.raises(InputError, match=r"after 20 iterations .* train longer"):
        quick(pixels())


def test_diverged_seeds_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    change_runs(monkeypatch, lambda run: replace(run, diverged=run.seed == 1))
    result = quick(pixels(), seeds=2)
    assert result.diagnostics.seeds == (0,)
    assert result.spread is None
    assert "seed 1 diverged and was left out" in result.diagnostics.warnings
    with pytest.raises(TrainingDiverged, match="finite") as caught:
        quick(pixels(), seed=1)
    assert caught.value.iteration == QUICK.iterations - 1
    assert set(caught.value.losses) >= {"gan_g", "gan_d"}


def change_runs(
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[trainer.TrainedKernel], trainer.TrainedKernel],
) -> None:
    """Let training end otherwise than it did."""
    real_train = trainer.train

    def train(*args: Any, **options: Any) -> list[trainer.TrainedKernel]:
        return [change(run) for run in real_train(*args, **options)]

    monkeypatch.setattr(trainer, "train", train)
