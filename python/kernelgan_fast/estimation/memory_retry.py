"""Training a batch on a GPU, in parts where its memory does not hold the whole."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from kernelgan_fast.errors import DeviceUnavailable
from kernelgan_fast.gan import trainer

if TYPE_CHECKING:
    from kernelgan_fast.estimation.capacity import MemoryBudget
    from kernelgan_fast.gan.config import TrainConfig
    from kernelgan_fast.gan.trainer import Problem, TrainedKernel

Progress = Callable[[int, Mapping[str, float]], None]


def train_in_parts(
    problems: Sequence[Problem],
    config: TrainConfig,
    device: str,
    budget: MemoryBudget,
    progress: Progress | None,
) -> tuple[list[TrainedKernel], tuple[str, ...]]:
    """Train at most `budget.problems` at a time, half as many wherever memory runs out.

    Args:
        problems: photos with seeds.
        config: the recipe.
        device: "cuda:<index>".
        budget: made smaller here, so that the next batch need not find out again.
        progress: called about every 1 % with the iteration and the mean losses; may raise to stop.

    Returns:
        One result a problem, in order, diverged ones among them; and what there is to tell.

    Raises:
        DeviceUnavailable: the memory does not hold a single problem.
    """
    trained: list[TrainedKernel] = []
    notes: list[str] = []
    while len(trained) < len(problems):
        part = problems[len(trained) : len(trained) + budget.problems]
        report = progress
        if progress is not None and len(part) < len(problems):
            report = _of_a_part(progress, len(trained), len(part), len(problems), config)
        found = _train_if_it_fits(part, config, device, report)
        if found is not None:
            trained.extend(found)
            continue
        if len(part) == 1:
            raise DeviceUnavailable(
                f"{device} must have memory for one problem, and ran out of it; end what else uses "
                "this GPU, or use --device cpu"
            )
        budget.problems = -(-len(part) // 2)
        notes.append(
            f"{device} ran out of memory with {len(part)} problems at once and went on with "
            f"{budget.problems}"
        )
    return trained, tuple(notes)


def _train_if_it_fits(
    problems: Sequence[Problem], config: TrainConfig, device: str, progress: Progress | None
) -> list[TrainedKernel] | None:
    """The results, or None where the GPU's memory does not hold them."""
    try:
        return trainer.train_each(problems, config, device=device, progress=progress)
    except RuntimeError as error:
        # Most come as torch.cuda.OutOfMemoryError, the driver's own with these words alone.
        if "out of memory" not in str(error).lower():
            raise
    # Past the handler the error is gone, and with it the frames that held the tensors, but for
    # those that hold each other.
    import torch

    gc.collect()
    torch.cuda.empty_cache()
    return None


def _of_a_part(
    progress: Progress, done: int, part: int, total: int, config: TrainConfig
) -> Progress:
    """Take a part's progress and give that of the whole."""

    def report(iteration: int, losses: Mapping[str, float]) -> None:
        reached = (done * config.iterations + part * (iteration + 1)) // total
        progress(max(0, reached - 1), losses)

    return report
