"""The method of recurring patches: one search per photo and seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from kernelgan_fast.errors import InputError
from kernelgan_fast.estimation.estimator import Found, Prepared, mean_kernel
from kernelgan_fast.estimation.recurrence import RecurrenceEstimate, estimate_recurrence_scales

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kernelgan_fast.estimation.capacity import MemoryBudget
    from kernelgan_fast.estimation.estimator import TrainProgress
    from kernelgan_fast.estimation.options import EstimateOptions


class RecurrenceSearch:
    """Searches photos for patches that recur at half their size.

    Args:
        options: `iterations` (rounds of a search, at most), `scale`, `seeds` and `real` apply.
    """

    def __init__(self, options: EstimateOptions) -> None:
        self._options = options

    def prepare(self, pixels: NDArray[np.generic]) -> Prepared:
        """See `Estimator`."""
        return Prepared(pixels=pixels)

    def find(
        self,
        photos: Sequence[Prepared],
        progress: TrainProgress | None,
        *,
        device: str = "cpu",
        budget: MemoryBudget | None = None,
    ) -> tuple[list[Found], tuple[str, ...]]:
        """See `Estimator`."""
        options, scales = self._options, sorted({2, self._options.scale})
        total, done = len(photos) * len(options.seeds), 0

        def report(rounds: int, of: int) -> None:
            if progress is not None:
                progress(max((done * of + rounds) // total - 1, 0), {})

        results = []
        for photo in photos:
            assert photo.pixels is not None
            searches: list[Mapping[int, RecurrenceEstimate]] = []
            try:
                for seed in options.seeds:
                    searches.append(
                        estimate_recurrence_scales(
                            photo.pixels,
                            scales,
                            iterations=options.iterations,
                            seed=seed,
                            real=options.real,
                            progress=report,
                        )
                    )
                    done += 1
                results.append(_found(searches, options.scale, options.seeds))
            except InputError as error:  # of this photo alone
                results.append(Found(failure=error))
                done += len(options.seeds) - len(searches)
        return results, ()


def _found(
    searches: Sequence[Mapping[int, RecurrenceEstimate]], scale: int, seeds: tuple[int, ...]
) -> Found:
    """Average the kernels by which the patches of a photo recur, one per seed.

    No error is expected: the residual hardly ranks the errors of one kind (docs/accuracy.md).
    """
    means = {s: mean_kernel([found[s].kernel for found in searches]) for s in sorted({2, scale})}
    warnings = dict.fromkeys(warning for found in searches for warning in found[2].warnings)
    return Found(
        kernels={each: kernel for each, (kernel, _) in means.items()},
        raw=np.stack([found[2].recurring.array for found in searches]),
        spread=means[2][1],
        warnings=tuple(warnings),
        seeds=seeds,
        recurrence=tuple(found[2].facts() for found in searches),
    )
