"""Training on a GPU: a segment of iterations is captured once, as a CUDA graph, and replayed.

An iteration is about fifty small kernels, which the host cannot queue as fast as a GPU runs them;
a graph of ten iterations is one launch. A graph repeats the same work on the same memory, so what
depends on the number of an iteration happens between segments: crops are drawn into the segment's
inputs, learning rate and loss weights change in place, records are copied out.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from kernelgan_fast.gan.batches import Batch, Source, bytes_per_iteration, one_by_one
from kernelgan_fast.gan.config import TrainConfig
from kernelgan_fast.gan.steps import RECORD_EVERY, Trainer
from kernelgan_fast.ops.capturing import CAPTURING

DRAWN_BYTES = 32 << 20

Replay = Callable[[], None]
Capture = Callable[[Replay], Replay]


def segment_length(config: TrainConfig) -> int:
    """Return the iterations of a segment: rates, loss weights and records change at its start."""
    return math.gcd(RECORD_EVERY, config.ideal_every, config.decay_every)


@contextlib.contextmanager
def on_device(device: torch.device) -> Iterator[None]:
    """Work on a device, on a GPU in a stream of its own: the default one cannot be captured."""
    if device.type != "cuda":
        yield
        return
    with torch.cuda.device(device), torch.cuda.stream(torch.cuda.Stream()):
        yield


@contextlib.contextmanager
def cuda_graph() -> Iterator[Capture]:
    """Give the means to capture work on the current stream; the graph lives inside the `with`.

    What is captured is not run. All of its memory stays the graph's, so a tensor made while
    capturing holds, after each replay, what that replay computed.
    """
    graph = torch.cuda.CUDAGraph()

    def capture(work: Replay) -> Replay:
        with CAPTURING:
            torch.cuda.synchronize()
            # While capturing, torch cannot free what it keeps for later.
            torch.cuda.empty_cache()
            # Another GPU's thread may allocate meanwhile; only this one's mistakes count.
            graph.capture_begin(capture_error_mode="thread_local")
            try:
                work()
            except BaseException:
                with contextlib.suppress(RuntimeError):  # there is already an error to tell
                    graph.capture_end()
                raise
            graph.capture_end()
        return graph.replay

    try:
        yield capture
    finally:
        graph.reset()


class GraphSegment:
    """A number of iterations from fixed inputs to fixed outputs, to be replayed.

    Args:
        trainer: made with `segment` iterations; its weights and state are updated in place.
        like: what one segment is given, for its shapes.
        capture: turns work into its replay.
    """

    def __init__(self, trainer: Trainer, like: Batch, capture: Capture) -> None:
        self._trainer = trainer
        self._inputs = _changed(like, torch.empty_like)
        self._records: dict[int, Tensor] = {}
        self._replay = capture(self._iterate)

    def run(self, first: int, batch: Batch) -> dict[int, Tensor]:
        """Train from iteration `first` on.

        Args:
            first: a multiple of the segment's length.
            batch: for these iterations, as `Source.draw` gives it.

        Returns:
            By iteration the (N, 7) losses of the first and of the last, in memory that the next run
            writes to.
        """
        self._trainer.adjust(first)
        for place, part in zip(self._inputs, batch, strict=True):
            if place is not None and part is not None:
                place.copy_(part)
        self._replay()
        self._trainer.keep_distances(first)
        return {first + step: record for step, record in self._records.items()}

    def _iterate(self) -> None:
        """Be captured."""
        trainer = self._trainer
        # A replay cannot begin with the graph of autograd that the one before left behind.
        trainer.compose()
        last = len(trainer.segment) - 1
        for step, batch in enumerate(one_by_one(self._inputs)):
            row = trainer.segment[step]
            outputs = trainer.step(row, batch)
            if step in (0, last):
                self._records[step] = trainer.record(row, *outputs)


def train_in_stretches(
    trainer: Trainer, source: Source, count: int, capture: Capture
) -> Iterator[tuple[int, Tensor]]:
    """Train from the first iteration to the last.

    The first segment, which warms up what capturing must find ready, and what does not fill one at
    the end run as they stand; the ones between are replayed.

    Args:
        trainer: made with `segment` iterations.
        source: of its batches.
        count: number of problems.
        capture: turns work into its replay.

    Yields:
        (iteration, (N, 7) losses), as `Trainer.iterate` would give them.
    """
    config, length = trainer.config, len(trainer.segment)
    end = config.iterations // length * length
    begin = min(length, end)
    yield from _eager(trainer, source, range(begin))
    if begin < end:
        steps = length * max(1, DRAWN_BYTES // (length * count * bytes_per_iteration(config)))
        segment: GraphSegment | None = None
        for block in range(begin, end, steps):
            several = source.draw(block, min(steps, end - block))
            for offset in range(0, len(several.crops), length):
                cut = functools.partial(torch.narrow, dim=0, start=offset, length=length)
                part = _changed(several, cut)
                if segment is None:
                    segment = GraphSegment(trainer, part, capture)
                for iteration, record in segment.run(block + offset, part).items():
                    if iteration % RECORD_EVERY == 0 or iteration == config.iterations - 1:
                        yield iteration, record.clone()
        # The present kernel is in the graph's memory, with a history that was only captured.
        trainer.compose()
    yield from _eager(trainer, source, range(end, config.iterations))


def _eager(trainer: Trainer, source: Source, iterations: range) -> Iterator[tuple[int, Tensor]]:
    if not iterations:
        return
    several = source.draw(iterations.start, len(iterations))
    for iteration, batch in zip(iterations, one_by_one(several), strict=True):
        record = trainer.iterate(iteration, batch)
        if record is not None:
            yield iteration, record


def _changed(batch: Batch, change: Callable[[Tensor], Tensor]) -> Batch:
    crops, target, real = (change(part) for part in batch[:3])
    return Batch(crops, target, real, None if batch.noise is None else change(batch.noise))


class Reading(NamedTuple):
    """A record on its way to the host, and the event that tells when it is there."""

    iteration: int
    record: Tensor
    arrived: Any


class Readback:
    """Brings records to the host; a GPU is waited for only when it is far behind.

    Args:
        on_gpu: the records are in a GPU's memory.
        event: makes an event of the current stream.
        most: how many records may be on their way. It also bounds how far ahead of the GPU the
            host gets, and with that how late a run notices that it should stop.
    """

    def __init__(
        self, *, on_gpu: bool, event: Callable[[], Any] | None = None, most: int = 2
    ) -> None:
        self._on_gpu, self._event, self._most = on_gpu, event or torch.cuda.Event, most
        self._pending: deque[Reading] = deque()

    def send(self, iteration: int, record: Tensor) -> None:
        """Begin to bring a record over."""
        if not self._on_gpu:
            self._pending.append(Reading(iteration, record.detach(), None))
            return
        there = torch.empty(record.shape, dtype=record.dtype, pin_memory=record.is_cuda)
        there.copy_(record.detach(), non_blocking=True)
        arrived = self._event()
        arrived.record()
        self._pending.append(Reading(iteration, there, arrived))

    def receive(self, *, all_of_them: bool = False) -> Iterator[tuple[int, Tensor]]:
        """Hand out the records that have arrived, oldest first.

        Args:
            all_of_them: wait for those on their way.

        Yields:
            (iteration, record in float64).
        """
        while self._pending:
            oldest = self._pending[0]
            if oldest.arrived is not None and not oldest.arrived.query():
                if not all_of_them and len(self._pending) <= self._most:
                    return
                oldest.arrived.synchronize()
            self._pending.popleft()
            yield oldest.iteration, oldest.record.double()
