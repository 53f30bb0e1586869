"""Photos prepared ahead: order, batches, how far ahead, stopping."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from patience import PATIENCE

from kernelgan_fast.estimation.pipeline import Prepared
from kernelgan_fast.estimation.prefetcher import Prefetcher
from kernelgan_fast.estimation.result import PhotoResult
from kernelgan_fast.gan.crops import CropPlan
from kernelgan_fast.jobs.inputs import failed

BYTES = 1000


@dataclass(frozen=True)
class Photo:
    index: int

    @property
    def prepared(self) -> Prepared:
        nothing = torch.empty(0)
        plan = CropPlan(torch.empty(BYTES, dtype=torch.uint8), nothing, nothing)
        return Prepared(plan=plan)

    @property
    def label(self) -> str:
        return str(self.index)


def everything(photos: int, size: int) -> bool:
    return True


def indices(batch: list[Photo]) -> list[int]:
    return [photo.index for photo in batch]


def test_batches_come_in_order_whoever_is_done_first() -> None:
    done = [threading.Event() for _ in range(8)]

    def job(index: int) -> Photo:
        if index % 3 == 0:  # these are done after the next ones
            assert done[index + 1].wait(PATIENCE)
        done[index].set()
        return Photo(index)

    prefetcher = Prefetcher([partial(job, index) for index in range(8)], threads=4, ahead=8)
    batches = [indices(prefetcher.take(3, everything)[0]) for _ in range(4)]
    prefetcher.close()
    assert batches == [[0, 1, 2], [3, 4, 5], [6, 7], []]


def test_a_batch_ends_where_the_room_does_and_one_photo_always_fits() -> None:
    prefetcher = Prefetcher([partial(Photo, index) for index in range(5)], threads=2, ahead=5)
    two = [indices(prefetcher.take(9, lambda photos, size: size <= 2 * BYTES)[0]) for _ in range(2)]
    one = [indices(prefetcher.take(9, lambda photos, size: False)[0]) for _ in range(2)]
    prefetcher.close()
    assert two == [[0, 1], [2, 3]]
    assert one == [[4], []]


def test_failures_are_handed_out_beside_the_photos() -> None:
    def job(index: int) -> Photo | PhotoResult:
        return failed(Path(f"{index}.png"), ValueError("no")) if index == 1 else Photo(index)

    prefetcher = Prefetcher([partial(job, index) for index in range(4)], threads=2, ahead=4)
    batch, failures = prefetcher.take(2, everything)
    prefetcher.close()
    assert indices(batch) == [0, 2]
    assert [failure.source.name for failure in failures] == ["1.png"]


def test_what_a_job_raises_comes_out() -> None:
    def job() -> Photo:
        raise MemoryError("no memory")

    prefetcher = Prefetcher([job], threads=1, ahead=1)
    with pytest.raises(MemoryError, match="no memory"):
        prefetcher.take(1, everything)
    prefetcher.close()


@pytest.mark.parametrize("limits", [{"ahead": 3}, {"ahead": 100, "most_bytes": 3 * BYTES}], ids=str)
def test_only_so_many_are_prepared_ahead(
    limits: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    ready: list[int] = []
    refused: queue.SimpleQueue[int] = queue.SimpleQueue()
    has_space = Prefetcher._has_space

    def watched(prefetcher: Prefetcher[Any], index: int) -> bool:
        found = has_space(prefetcher, index)
        if not found:
            refused.put(index)
        return found

    def job(index: int) -> Photo:
        ready.append(index)
        return Photo(index)

    monkeypatch.setattr(Prefetcher, "_has_space", watched)
    prefetcher = Prefetcher([partial(job, index) for index in range(20)], threads=1, **limits)
    assert refused.get(timeout=PATIENCE) == 3
    assert ready == [0, 1, 2]
    prefetcher.take(1, everything)
    assert refused.get(timeout=PATIENCE) == 4
    assert ready == [0, 1, 2, 3]
    prefetcher.close()  # those that wait for space end too
    assert len(ready) == 4


def test_the_next_photo_never_waits_for_space() -> None:
    """Even where later ones, prepared by other threads, have filled it."""
    prefetcher = Prefetcher(
        [partial(Photo, index) for index in range(50)], threads=8, ahead=50, most_bytes=1
    )
    assert indices(prefetcher.take(50, everything)[0]) == list(range(50))
    prefetcher.close()
