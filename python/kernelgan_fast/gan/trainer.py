"""Training a batch of problems, spread over threads, from photos to kernels."""

from __future__ import annotations

import collections.abc
import contextlib
import dataclasses
import functools
import gc
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kernelgan_fast.errors import InputError, TrainingDiverged
from kernelgan_fast.gan import losses
from kernelgan_fast.gan.batches import Batch, Problem, Source, batches
from kernelgan_fast.gan.config import TrainConfig
from kernelgan_fast.gan.discriminator import Discriminator
from kernelgan_fast.gan.generator import Generator
from kernelgan_fast.gan.graph import (
    Capture,
    Readback,
    cuda_graph,
    on_device,
    segment_length,
    train_in_stretches,
)
from kernelgan_fast.gan.schedule import first_similar
from kernelgan_fast.gan.steps import RECORD_EVERY, Trainer
from kernelgan_fast.gan.workers import Stopped, run_side_by_side

__all__ = ["Batch", "Problem", "TrainedKernel", "Trainer", "batches", "train", "train_each"]

Progress = Callable[[int, dict[str, float]], None]
Graph = Callable[[], contextlib.AbstractContextManager[Capture]]


@dataclasses.dataclass(frozen=True)
class TrainedKernel:
    """What one problem's training gave.

    Attributes:
        kernel: (K, K) float64, composed from the last weights, before post-processing.
        history: name in `losses.LOSS_NAMES` -> (R,) float64 unweighted losses.
        iterations: (R,) int64, the iterations these were recorded at.
        similar_at: iteration at which the ideal loss had been low for long enough; None: never,
            so that the centre and sparsity penalties never entered.
        seed: of the problem.
        diverged: the kernel, a loss or D's weights are not finite; the others of the batch are not
            affected.
    """

    kernel: NDArray[np.float64]
    history: dict[str, NDArray[np.float64]]
    iterations: NDArray[np.int64]
    similar_at: int | None
    seed: int
    diverged: bool


def train(
    problems: Sequence[Problem],
    config: TrainConfig,
    *,
    ops: Any = None,
    device: torch.device | str = "cpu",
    threads: int | None = None,
    progress: Progress | None = None,
) -> list[TrainedKernel]:
    """Train the GAN of every problem and return the kernels.

    On a CPU each core trains a share of the problems from start to end, in a process or thread of
    its own; a lone problem gets its passes through the discriminator done side by side. On a GPU
    all train together, as a graph that is replayed. A problem's result does not depend on the
    others or on the cores, but for the rounding of its recorded losses on a GPU, where torch sums
    few problems in another order than many. The returned kernel is that of the weights after the
    last G update; the published program returns the one before.

    Args:
        problems: photos with seeds; the photos may differ in size.
        config: the recipe.
        ops: module with the ops; the native ones if not given.
        device: where to train.
        threads: CPU cores to use, 1 if not given. PyTorch itself is held to one thread a share, as
            its spinning barriers slow operators of this size down.
        progress: called about a hundred times with the iteration and the losses' means over the
            first share; may raise to stop. From a GPU the losses arrive a little late.

    Returns:
        One result a problem, in order. With several problems some may have `diverged`.

    Raises:
        InputError: no problems.
        TrainingDiverged: no problem is left whose losses and kernel are finite.
        WorkerLost: a process that trained a share was ended from outside.
    """
    trained = train_each(
        problems, config, ops=ops, device=device, threads=threads, progress=progress
    )
    if all(result.diverged for result in trained):
        raise _diverged(trained[0])
    return trained


def train_each(
    problems: Sequence[Problem],
    config: TrainConfig,
    *,
    ops: Any = None,
    device: torch.device | str = "cpu",
    threads: int | None = None,
    progress: Progress | None = None,
) -> list[TrainedKernel]:
    """Do what `train` does, and leave it to the caller to look at who diverged.

    Args:
        problems, config, ops, device, threads, progress: as in `train`.

    Returns:
        One result a problem, in order.

    Raises:
        InputError: no problems.
        WorkerLost: a process that trained a share was ended from outside.
    """
    if not problems:
        raise InputError("problems must be one or more, got none; give at least one.")
    if ops is None:
        from kernelgan_fast import ops as implementations

        ops = implementations.native
    device = torch.device(device)
    if device.type == "cuda":
        return _train_on_gpu(problems, config, ops=ops, device=device, progress=progress)
    team = min(threads or 1, len(problems)) if device.type == "cpu" else 1
    # The first share is the largest, for it is the one that reports progress.
    ends = [-(-len(problems) * share // team) for share in range(team + 1)]
    tasks = [
        functools.partial(
            _train_share,
            problems[begin:end],
            config,
            ops=ops,
            device=device,
            progress=None if begin else progress,
        )
        for begin, end in itertools.pairwise(ends)
    ]
    with _threads(ops, threads if team == 1 else 1), _frozen_garbage():
        return list(itertools.chain.from_iterable(run_side_by_side(tasks)))


def _train_on_gpu(
    problems: Sequence[Problem],
    config: TrainConfig,
    *,
    ops: Any,
    device: torch.device,
    progress: Progress | None,
) -> list[TrainedKernel]:
    # The reference ops multiply as torch does, and have no such switch.
    switch = getattr(ops, "cuda_matmul", contextlib.nullcontext)
    with on_device(device), switch(config.matmul), _frozen_garbage():
        share = _Share(problems, config, ops=ops, device=device, graph=cuda_graph)
        share.train(lambda: False, progress)
        return share.results()


class _Share:
    """The problems that one core trains, or one GPU.

    Args:
        graph: gives the means to capture; without it every iteration runs as it stands.
    """

    def __init__(
        self,
        problems: Sequence[Problem],
        config: TrainConfig,
        *,
        ops: Any,
        device: torch.device | str,
        graph: Graph | None = None,
    ) -> None:
        self._problems, self._config, self._ops, self._device = problems, config, ops, device
        self._graph = graph
        self._seeds = [problem.seed for problem in problems]
        generator = _generator(problems, config, ops, device)
        discriminator = Discriminator(len(problems), config, seeds=self._seeds).to(device)
        segment = segment_length(config) if graph else 0
        self._trainer = Trainer(generator, discriminator, config, ops=ops, segment=segment)
        self._steps: list[int] = []
        self._records: list[Tensor] = []

    def train(self, stopped: Stopped, progress: Progress | None) -> None:
        """Run to the end, or until nothing finite is left or another share failed."""
        report_every = max(1, round(self._config.iterations / 100 / RECORD_EVERY))
        readback = Readback(on_gpu=torch.device(self._device).type == "cuda")
        with contextlib.closing(self._iterations()) as iterations:
            for iteration, record in iterations:
                self._steps.append(iteration)
                self._records.append(record)
                last = iteration == self._config.iterations - 1
                if len(self._steps) % report_every and not last:
                    continue
                readback.send(iteration, record)
                for reached, values in readback.receive(all_of_them=last):
                    finite = torch.isfinite(values).all(dim=1)
                    if stopped() or not bool(finite.any()):
                        return
                    if progress is not None:
                        means = values[finite].mean(dim=0).tolist()
                        progress(reached, dict(zip(losses.LOSS_NAMES, means, strict=True)))

    def _iterations(self) -> collections.abc.Generator[tuple[int, Tensor], None, None]:
        """Train, and give every record with its iteration."""
        problems, config, ops, device = self._problems, self._config, self._ops, self._device
        if self._graph is None:
            for iteration, batch in enumerate(batches(problems, config, ops=ops, device=device)):
                record = self._trainer.iterate(iteration, batch)
                if record is not None:
                    yield iteration, record
            return
        source = Source(problems, config, ops=ops, device=device)
        with self._graph() as capture:
            yield from train_in_stretches(self._trainer, source, len(problems), capture)

    def results(self) -> list[TrainedKernel]:
        """What came of each problem, in order."""
        kernels = self._trainer.kernel.detach().double().cpu()
        table = torch.stack(self._records).detach().double().cpu()
        ideal = self._trainer.ideal_losses(self._steps[-1] + 1)
        similar = first_similar(ideal, self._config).tolist()
        finite = torch.isfinite(kernels).all(dim=2).all(dim=1)
        finite &= torch.isfinite(table[-1]).all(dim=1)
        # ReLU and tf32 may make numbers again of what a discriminator without any judges.
        finite &= torch.isfinite(self._trainer.discriminator.weights).all(dim=1).cpu()
        return [
            TrainedKernel(
                kernel=kernels[index].numpy(),
                history={
                    name: table[:, index, column].numpy()
                    for column, name in enumerate(losses.LOSS_NAMES)
                },
                iterations=np.asarray(self._steps, dtype=np.int64),
                similar_at=similar[index] if similar[index] >= 0 else None,
                seed=seed,
                diverged=not bool(finite[index]),
            )
            for index, seed in enumerate(self._seeds)
        ]


def _generator(
    problems: Sequence[Problem], config: TrainConfig, ops: Any, device: torch.device | str
) -> Generator:
    """The generators at their starts."""
    seeds = [problem.seed for problem in problems]
    generator = Generator(len(problems), config, seeds=seeds).to(device)
    starts = {
        index: torch.tensor(problem.start)
        for index, problem in enumerate(problems)
        if problem.start is not None
    }
    if starts:
        generator.fit_to(torch.stack(list(starts.values())), ops, problems=list(starts))
    return generator


def _train_share(
    problems: Sequence[Problem],
    config: TrainConfig,
    stopped: Stopped,
    *,
    ops: Any,
    device: torch.device | str,
    progress: Progress | None,
) -> list[TrainedKernel]:
    share = _Share(problems, config, ops=ops, device=device)
    share.train(stopped, progress)
    return share.results()


@contextlib.contextmanager
def _threads(ops: Any, threads: int | None) -> Iterator[None]:
    """Hold torch to one thread and the ops' own pool to `threads`, and restore both."""
    before = torch.get_num_threads()
    own = getattr(ops, "threads", None)
    torch.set_num_threads(1)
    try:
        with own(threads) if own and threads else contextlib.nullcontext():
            yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def _frozen_garbage() -> Iterator[None]:
    """Keep the collector from walking all of torch every few hundred iterations."""
    mine = gc.get_freeze_count() == 0
    if mine:
        gc.freeze()
    try:
        yield
    finally:
        if mine:
            gc.unfreeze()


def _diverged(result: TrainedKernel) -> TrainingDiverged:
    iteration = int(result.iterations[-1])
    return TrainingDiverged(
        f"losses and kernel must stay finite, got a value that is not at iteration {iteration} in "
        "every problem; lower the learning rate or try another seed.",
        iteration=iteration,
        losses={name: float(values[-1]) for name, values in result.history.items()},
    )
