"""Batches on GPUs that are not there: their training is done by the CPU."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from patience import wait_until
from quick import ENDLESS, QUICK, pixels, write_photo

from kernelgan_fast.api import ProgressEvent, estimate, estimate_files
from kernelgan_fast.errors import (
    DeviceUnavailable,
    ImageError,
    OutputError,
    TrainingDiverged,
)
from kernelgan_fast.estimation import capacity, gpu_scheduler
from kernelgan_fast.gan import trainer
from kernelgan_fast.kernels import store
from kernelgan_fast.ops import native


class Cards:
    """Two GPUs: what was trained on each, and how many problems fit.

    Attributes:
        calls: (device, number of problems) of every training begun.
        fits: problems at once, more run out of memory.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []
        self.fits = 1000
        self.error: Exception = torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate")
        self._train = trainer.train_each

    def train_each(
        self, problems: Sequence[Any], config: Any, *, device: str = "cpu", **options: Any
    ) -> list[trainer.TrainedKernel]:
        if device != "cpu":
            self.calls.append((device, len(problems)))
            if len(problems) > self.fits:
                raise self.error
        return self._train(problems, config, device="cpu", **options)


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch) -> Cards:
    cards = Cards()
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda name: (9, 0))
    built = {"cuda": "13.0", "cuda_architectures": ["90-real"]}
    monkeypatch.setattr(native, "info", lambda: built)
    monkeypatch.setattr(gpu_scheduler, "free_bytes", lambda device: 1 << 36)
    monkeypatch.setattr(trainer, "train_each", cards.train_each)
    return cards


PHOTOS = [pixels(seed=seed) for seed in range(5)]


def raw(result: Any) -> Any:
    return [one.raw for one in result]


def test_a_list_on_two_gpus_comes_back_in_order(cards: Cards) -> None:
    wanted = estimate(PHOTOS, profile=QUICK, device="cpu")
    found = estimate(PHOTOS, profile=QUICK, devices="all")
    assert all(np.array_equal(a, b) for a, b in zip(raw(found), raw(wanted), strict=True))
    assert sorted(count for _, count in cards.calls) == [2, 3]
    assert {one.diagnostics.device for one in found} == {device for device, _ in cards.calls}
    choice = found[0].diagnostics.device_choice
    assert choice == {
        "asked": "cuda:0,cuda:1", "why": "asked for", "seconds": {}, "notes": []
    }  # fmt: skip


def test_a_method_that_trains_nothing_needs_no_gpu(cards: Cards) -> None:
    found = estimate(PHOTOS[0], device="cuda")
    assert np.array_equal(found.kernel.array, estimate(PHOTOS[0], device="cpu").kernel.array)
    assert cards.calls == [] and found.diagnostics.device == "cpu"
    assert found.diagnostics.device_choice["why"] == "nothing to train"


def test_one_photo_with_seeds(cards: Cards) -> None:
    found = estimate(PHOTOS[0], profile=QUICK, seeds=3, device="cuda:1")
    assert np.array_equal(found.raw, estimate(PHOTOS[0], profile=QUICK, seeds=3, device="cpu").raw)
    assert cards.calls == [("cuda:1", 3)]
    assert found.diagnostics.device == "cuda:1"


def test_out_of_memory_halves_the_batch_and_says_so(cards: Cards) -> None:
    cards.fits = 2
    with pytest.warns(RuntimeWarning, match="out of memory") as told:
        found = estimate(PHOTOS, profile=QUICK, device="cuda")
    assert [count for _, count in cards.calls] == [5, 3, 2, 2, 1]
    note = "cuda:0 ran out of memory with 5 problems at once and went on with 3"
    assert str(told[0].message) == note
    wanted = estimate(PHOTOS, profile=QUICK, device="cpu")
    assert all(np.array_equal(a, b) for a, b in zip(raw(found), raw(wanted), strict=True))
    notes = found[0].diagnostics.device_choice["notes"]
    assert isinstance(notes, list) and len(notes) == 2 and notes[0] == note


def test_later_batches_stay_small(cards: Cards, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "MOST_PROBLEMS", 4)
    monkeypatch.setattr(gpu_scheduler, "photos_at_once", lambda photos, seeds, gpus, room: room)
    cards.fits = 2
    with pytest.warns(RuntimeWarning, match="went on with 2"):
        found = estimate([*PHOTOS, *PHOTOS[:4]], profile=QUICK, device="cuda")
    assert [count for _, count in cards.calls] == [4, 2, 2, 2, 2, 1]
    assert found[8].diagnostics.device_choice["notes"] == []


def test_a_gpu_without_memory_for_one_is_told(cards: Cards) -> None:
    cards.fits = 0
    with pytest.raises(DeviceUnavailable, match="memory for one problem"):
        estimate(PHOTOS[:2], profile=QUICK, device="cuda")
    assert [count for _, count in cards.calls] == [2, 1]


def test_the_drivers_own_words_count_too_and_others_do_not(cards: Cards) -> None:
    cards.fits, cards.error = 1, RuntimeError("CUDA error: out of memory")
    with pytest.warns(RuntimeWarning, match="went on with 1"):
        estimate(PHOTOS[:2], profile=QUICK, device="cuda")
    cards.error = RuntimeError("CUDA error: an illegal memory access")
    with pytest.raises(RuntimeError, match="illegal"):
        estimate(PHOTOS[:2], profile=QUICK, device="cuda")


def test_progress_is_told_here_and_reaches_the_end(cards: Cards) -> None:
    cards.fits = 2
    events: list[ProgressEvent] = []

    def note(event: ProgressEvent) -> None:
        assert threading.current_thread() is threading.main_thread()
        events.append(event)

    with pytest.warns(RuntimeWarning, match="memory"):
        estimate(PHOTOS, profile=QUICK, device="cuda", progress=note)
    fractions = [event.fraction for event in events]
    assert fractions == sorted(fractions) and fractions[0] == 0.0 and fractions[-1] == 1.0


def test_an_error_in_progress_ends_every_thread(cards: Cards) -> None:
    class Enough(Exception):
        pass

    def stop(event: ProgressEvent) -> None:
        if event.iteration:
            raise Enough

    # One in a hundred of its iterations is when threads look up.
    long = ENDLESS.replace(iterations=5000, learning_rate=1e-6)
    before = threading.active_count()
    with pytest.raises(Enough):
        estimate(PHOTOS[:4], profile=long, devices="all", progress=stop)
    assert threading.active_count() == before


def test_a_bad_photo_of_a_list_ends_the_run(cards: Cards) -> None:
    before = threading.active_count()
    with pytest.raises(ImageError, match="photo 1 of the list"):
        estimate([PHOTOS[0], "no such file.png", PHOTOS[1]], profile=QUICK, device="cuda")
    assert threading.active_count() == before
    assert estimate([], profile=QUICK, device="cuda") == []


def test_a_photo_that_diverges_is_told(cards: Cards, monkeypatch: pytest.MonkeyPatch) -> None:
    import dataclasses

    whole = cards.train_each

    def train_each(*args: Any, **options: Any) -> list[trainer.TrainedKernel]:
        return [dataclasses.replace(run, diverged=True) for run in whole(*args, **options)]

    monkeypatch.setattr(trainer, "train_each", train_each)
    with pytest.raises(TrainingDiverged, match="every seed"):
        estimate(PHOTOS[0], profile=QUICK, device="cuda")


def test_a_folder_on_two_gpus(cards: Cards, tmp_path: Path) -> None:
    for seed in range(5):
        write_photo(tmp_path / "in" / f"{seed}.png", seed=seed)
    (tmp_path / "in" / "2.png").write_bytes(b"")
    run = estimate_files(
        [tmp_path / "in"], tmp_path / "out", profile=QUICK, devices="all", formats=["npy"]
    )
    results = list(run.results())
    assert {one.source.stem: one.status for one in results} == {
        "0": "done", "1": "done", "2": "failed", "3": "done", "4": "done"
    }  # fmt: skip
    assert all(one.summary["device"] in ("cuda:0", "cuda:1") for one in results if one.record)
    saved = np.load(tmp_path / "out" / "3_kernel_x2.npy")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        alone = estimate(tmp_path / "in" / "3.png", profile=QUICK, device="cpu")
    assert np.array_equal(saved, alone.kernel.array)


def test_a_file_that_cannot_be_written_ends_the_run(
    cards: Cards, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save(kernel: Any, path: Path) -> None:
        assert threading.current_thread().name.startswith("finish")
        raise OutputError("no space left")

    monkeypatch.setattr(store, "save", save)
    photos = [write_photo(tmp_path / f"{seed}.png", seed=seed) for seed in range(3)]
    before = threading.active_count()
    with pytest.raises(OutputError, match="no space left"):
        list(estimate_files(photos, tmp_path / "out", profile=QUICK, device="cuda").results())
    assert threading.active_count() == before
    assert not (tmp_path / "out").exists()


def test_progress_never_goes_back_while_photos_are_finished(
    cards: Cards, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No file is written before the last batch trains."""
    whole, batches = store.save, 3

    def save(kernel: Any, path: Path) -> None:
        wait_until(lambda: len(cards.calls) == batches)
        whole(kernel, path)

    monkeypatch.setattr(store, "save", save)
    monkeypatch.setattr(gpu_scheduler, "photos_at_once", lambda photos, seeds, gpus, room: 2)
    photos = [write_photo(tmp_path / f"{n}.png", seed=n) for n in range(2 * batches)]
    run = estimate_files(photos, tmp_path / "out", profile=QUICK, devices="all", threads=1)
    events: list[ProgressEvent] = []
    assert [result.status for result in run.results(events.append)] == ["done"] * 6
    fractions = [event.fraction for event in events]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0


def test_free_memory_counts_what_torch_keeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (100, 1000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 50)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 20)
    assert gpu_scheduler.free_bytes("cuda:0") == 130
