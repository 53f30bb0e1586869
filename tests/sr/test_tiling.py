"""Tiles: no seams, no pixel lost, and less memory asked for when there is none left."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from degraded import Degraded
from numpy.typing import NDArray
from torch import Tensor

from kernelgan_fast.errors import InputError
from kernelgan_fast.sr import prepare
from kernelgan_fast.sr.tiling import Enlarged, enlarge_photo, spans
from kernelgan_fast.sr.upscaler import Options


class Repeat:
    """Enlarges by repeating pixels; runs out of memory above a number of LR pixels."""

    scale, context, multiple = 2, 5, 4

    def __init__(self, most: int = 10**9, error: Exception | None = None) -> None:
        self.most, self.error = most, error or RuntimeError("not enough memory: you tried")
        self.reads: list[tuple[int, ...]] = []

    def __call__(self, low: Tensor) -> Tensor:
        if low.shape[-2] * low.shape[-1] > self.most:
            raise self.error
        self.reads.append(tuple(low.shape[-2:]))
        return low.repeat_interleave(2, -1).repeat_interleave(2, -2)


@pytest.fixture
def photo() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (150, 201, 3)).astype(np.uint8)


def repeated(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return pixels.repeat(2, 0).repeat(2, 1)


def test_tiles_give_every_pixel_once(photo: NDArray[np.uint8]) -> None:
    steps: list[tuple[int, int]] = []
    found = enlarge_photo(Repeat(), photo, tile=64, progress=lambda *step: steps.append(step))
    assert np.array_equal(found.pixels, repeated(photo)) and found.tile == 64
    assert steps == [(done, 12) for done in range(1, 13)]


def test_a_small_photo_goes_through_whole(photo: NDArray[np.uint8]) -> None:
    upscaler = Repeat()
    assert enlarge_photo(upscaler, photo).tile == 0
    assert upscaler.reads == [(150, 201)]


def test_deep_photos_stay_deep(photo: NDArray[np.uint8]) -> None:
    deep = (photo / np.float32(255)).astype(np.float32)
    found = enlarge_photo(Repeat(), deep, tile=40)
    assert found.pixels.dtype == np.float32
    assert np.array_equal(found.pixels, deep.repeat(2, 0).repeat(2, 1))


def test_tiles_begin_at_multiples() -> None:
    for first, last, read_first, read_last in spans(1000, 130, 21, 8):
        assert first % 8 == 0 and read_first % 8 == 0
        assert last - first <= 128 and (last == 1000 or last % 8 == 0)
        assert read_first == max(first - 24, 0) and read_last == min(last + 24, 1000)


@pytest.mark.parametrize("method", ["bicubic", "backprojection", "tv"])
def test_tiled_is_untiled(method: str, degraded: Degraded) -> None:
    low = torch.cat([degraded.low, degraded.low.flip(-1)], -1)
    low = torch.cat([low, low.flip(-2)], -2)
    pixels = (low[0].permute(1, 2, 0) * 255).round().byte().numpy()
    upscaler = prepare(method, degraded.kernel, Options(), low)
    whole, tiled = (
        enlarge_photo(upscaler, pixels, tile=tile).pixels.astype(int) for tile in (0, 32)
    )
    assert abs(whole - tiled).max() <= 1  # grey levels
    assert (whole != tiled).mean() < 0.01


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("DefaultCPUAllocator: not enough memory"),
        torch.OutOfMemoryError(),
        MemoryError(),
    ],
    ids=["words", "cuda", "python"],
)
def test_memory_that_runs_out_halves_the_tile(photo: NDArray[np.uint8], error: Exception) -> None:
    found = enlarge_photo(Repeat(most=70 * 70, error=error), photo)
    assert np.array_equal(found.pixels, repeated(photo))
    assert isinstance(found, Enlarged) and found.tile == 50
    assert found.notes == ("memory ran out: tiles of 50 px instead",)


def test_memory_that_never_suffices_is_told(photo: NDArray[np.uint8]) -> None:
    with pytest.raises(InputError, match="memory ran out with tiles of 50 px"):
        enlarge_photo(Repeat(most=1), photo)


def test_other_errors_pass(photo: NDArray[np.uint8]) -> None:
    with pytest.raises(RuntimeError, match="bug"):
        enlarge_photo(Repeat(most=1, error=RuntimeError("bug")), photo)


def test_tiny_tiles_are_refused(photo: NDArray[np.uint8]) -> None:
    with pytest.raises(InputError, match="at least 32 px, or 0 for none, got 8"):
        enlarge_photo(Repeat(), photo, tile=8)


class Wrong(Repeat):
    """Gives what a damaged model might."""

    def __init__(self, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.change = change

    def __call__(self, low: Tensor) -> Tensor:
        return self.change(super().__call__(low))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda high: high.repeat_interleave(2, -1), r"must be \(1, 3, 300, 402\).*300, 804"),
        (lambda high: high[..., ::2, ::2], r"must be \(1, 3, 300, 402\).*150, 201"),
        (lambda high: high[:, :1], r"must be \(1, 3, 300, 402\).*\(1, 1, 300"),
        (lambda high: high[0], r"must be \(1, 3, 300, 402\).*\(3, 300"),
        (
            lambda high: (high * 255).long(),
            "must be .* of floating-point numbers, got .* of torch.int64",
        ),
        (lambda high: high / (high > 0.5), "must be finite, got NaN or infinity"),
        (lambda high: high * math.nan, "must be finite, got NaN or infinity"),
    ],
    ids=["too wide", "too small", "one channel", "no batch", "integers", "infinity", "NaN"],
)
def test_results_that_would_be_wrong_pictures_are_refused(
    photo: NDArray[np.uint8], change: Callable[[Tensor], Tensor], words: str
) -> None:
    with pytest.raises(InputError, match=f"model.onnx: the enlarged photo {words}"):
        enlarge_photo(Wrong(change), photo, source="model.onnx")
