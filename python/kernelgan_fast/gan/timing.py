"""How long training takes on a device of this machine, measured."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from kernelgan_fast.gan.config import TrainConfig
from kernelgan_fast.gan.crops import plan_crops
from kernelgan_fast.gan.graph import segment_length
from kernelgan_fast.gan.losses import ideal_kernel
from kernelgan_fast.gan.trainer import Problem, train_each

_SIDE = 128


class Pace(NamedTuple):
    """Seconds of a batch: to begin, and of each iteration."""

    start: float
    iteration: float

    def of(self, iterations: int) -> float:
        """Seconds of a whole training."""
        return self.start + iterations * self.iteration


def measure(
    config: TrainConfig,
    count: int,
    device: str,
    threads: int,
    clock: Callable[[], float] = time.perf_counter,
) -> Pace:
    """Time two short trainings of different length, after a warm-up.

    Args:
        config: the recipe; its number of iterations does not matter.
        count: problems that train together.
        device: "cpu" or "cuda:<index>".
        threads: CPU cores to use.
        clock: seconds.

    Returns:
        The line through both times.
    """
    length = segment_length(config)
    # On a GPU the first and last segment are not replayed: both runs have them, and so they count
    # as beginning.
    few, many = (2, 12) if device == "cpu" else (3 * length, 13 * length)
    side = max(_SIDE, config.crop)
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    plan = plan_crops(pixels, config, real=True)
    # Where the profile begins at a kernel, generators must be fitted to one, here to any.
    start = ideal_kernel(config.kernel_size).numpy() if config.start == "spectral" else None
    problems = [Problem(plan, seed, start) for seed in range(count)]

    def seconds(iterations: int) -> float:
        began = clock()
        short = config.replace(iterations=iterations)
        train_each(problems, short, device=device, threads=threads)
        return clock() - began

    seconds(few)
    short, long = seconds(few), seconds(many)
    iteration = max(0.0, (long - short) / (many - few))
    return Pace(max(0.0, short - few * iteration), iteration)
