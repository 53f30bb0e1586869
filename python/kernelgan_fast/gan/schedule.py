"""What changes while training: the learning rate and, problem by problem, the loss weights."""

from __future__ import annotations

import torch
from torch import Tensor

from kernelgan_fast.gan.config import TrainConfig


def learning_rate(iteration: int, config: TrainConfig) -> float:
    """Return the rate of both Adams.

    Args:
        iteration: counted from 0.
        config: first rate, and by how much it falls how often.

    Returns:
        The rate for this iteration.
    """
    return config.learning_rate / config.decay_factor ** (iteration // config.decay_every)


def first_similar(ideal: Tensor, config: TrainConfig) -> Tensor:
    """Find where the ideal loss was first low for long enough.

    Args:
        ideal: (iterations so far, N) ideal-downscale losses.
        config: threshold and length of the run.

    Returns:
        (N,) int64 iteration that completed the run, -1 where there was none.
    """
    length = config.similar_in_a_row
    if len(ideal) < length:
        return torch.full(ideal.shape[1:], -1, dtype=torch.int64, device=ideal.device)
    runs = (ideal < config.similar_below).unfold(0, length, 1).all(dim=-1)
    first = runs.to(torch.uint8).argmax(dim=0)
    return torch.where(runs.any(dim=0), first + length - 1, -1)


class Schedule:
    """Loss weights of N problems, kept on the device and changed there, never read by the host.

    The iteration number alone, which the host knows, says when to look: between multiples of
    `ideal_every` nothing is computed. A photo of saturated colours may never count as similar with
    the "summed" target; its ideal weight then stays and centre and sparsity never enter, which
    `first_similar` shows (-1) and callers report.

    Args:
        count: number N of problems.
        config: weights and thresholds.
        dtype, device: of the weights.

    Attributes:
        ideal: (N,) weight of the ideal-downscale loss.
        penalties: (N, 4) weights of sum to one, boundaries, centre, sparse.
    """

    def __init__(
        self, count: int, config: TrainConfig, *, dtype: torch.dtype, device: torch.device | str
    ) -> None:
        self._config = config
        self.ideal = torch.full((count,), config.weight_ideal, dtype=dtype, device=device)
        start = [config.weight_sum_to_one, config.weight_boundaries, 0.0, 0.0]
        end = [*start[:2], config.weight_centre, config.weight_sparse]
        self.penalties = torch.tensor([start] * count, dtype=dtype, device=device)
        self._end = torch.tensor(end, dtype=dtype, device=device)

    def is_due(self, iteration: int) -> bool:
        """Say whether the weights may change before this iteration."""
        return iteration > 0 and iteration % self._config.ideal_every == 0

    def update(self, ideal_losses: Tensor) -> None:
        """Change the weights of the problems that have come close to the ideal downscale.

        Args:
            ideal_losses: (iterations so far, N).
        """
        config = self._config
        similar = first_similar(ideal_losses, config) >= 0
        floor = min(config.ideal_floor, config.weight_ideal)
        lower = (self.ideal / config.ideal_decay).clamp(min=floor)
        self.ideal.copy_(torch.where(similar, lower, self.ideal))
        late = similar & (self.ideal < config.regularize_below)
        self.penalties.copy_(torch.where(late[:, None], self._end, self.penalties))
