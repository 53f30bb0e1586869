"""The interface that the three methods of estimation share, and the values they pass along."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from kernelgan_fast.errors import KernelGanError
from kernelgan_fast.kernels.blur_kernel import BlurKernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kernelgan_fast.estimation.capacity import MemoryBudget
    from kernelgan_fast.estimation.devices import Choice
    from kernelgan_fast.estimation.options import EstimateOptions
    from kernelgan_fast.estimation.spectral import SpectralEstimate, TileMap
    from kernelgan_fast.gan.crops import CropPlan

# Called about every 1 % with the iteration and the mean losses; may raise to stop.
TrainProgress = Callable[[int, Mapping[str, float]], None]


@dataclass(frozen=True)
class Prepared:
    """A photo that a method is ready to process.

    Attributes:
        source: The file it came from, or "array".
        notes: What was done to it while reading.
        timings: Seconds of the stages read, analysis and prepare.
        analysis: What was measured on it, for the record.
        spectra: By scale, the spectral estimates that a method starts from; else empty.
        tiles: Spectral estimates by region, where they were asked for.
        plan: The crops that KernelGAN is trained on; None where nothing is trained.
        pixels: The photo, where it is searched for recurring patches.
    """

    source: str = "array"
    notes: tuple[str, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict)
    analysis: Mapping[str, object] = field(default_factory=dict)
    spectra: Mapping[int, SpectralEstimate] = field(default_factory=dict)
    tiles: TileMap | None = None
    plan: CropPlan | None = None
    pixels: NDArray[np.generic] | None = None


@dataclass(frozen=True)
class Found:
    """What a method found for one photo; see `result.Estimate`, whose attributes these become.

    Attributes:
        kernels: By scale: 2, and 4 where it was asked for. Empty if the method failed.
        raw: (K, k, k), the kernel of each seed before post-processing.
        spread, expected_error: Relative, or None.
        warnings: What the method reports.
        history: By loss, (K, R); "iteration" is (R,).
        seeds, similar_at: Of the K runs; see `result.Diagnostics`.
        recurrence: Facts of each search for recurring patches; None for other methods.
        failure: Why there is no kernel.
        seconds: Time of the whole batch.
        device, choice: Where it ran, and why there.
    """

    kernels: Mapping[int, BlurKernel] = field(default_factory=dict)
    raw: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0, 0)))
    spread: float | None = None
    expected_error: float | None = None
    warnings: tuple[str, ...] = ()
    history: Mapping[str, NDArray[np.generic]] = field(
        default_factory=lambda: {"iteration": np.zeros(0, np.int64)}
    )
    seeds: tuple[int, ...] = ()
    similar_at: tuple[int | None, ...] = ()
    recurrence: tuple[Mapping[str, object], ...] | None = None
    failure: KernelGanError | None = None
    seconds: float = 0.0
    device: str = "cpu"
    choice: Choice | None = None


class Estimator(Protocol):
    """A method of estimation with its options.

    `prepare` processes one photo at a time and may run ahead on CPU threads; `find` processes a
    batch, whose photos do not affect each other.
    """

    def prepare(self, pixels: NDArray[np.generic]) -> Prepared:
        """Prepare a photo.

        Args:
            pixels: (H, W, 3) uint8, or float32 in [0, 1]; never written to.

        Raises:
            ImageError: The photo is too small or constant.
        """

    def find(
        self,
        photos: Sequence[Prepared],
        progress: TrainProgress | None,
        *,
        device: str = "cpu",
        budget: MemoryBudget | None = None,
    ) -> tuple[list[Found], tuple[str, ...]]:
        """Find the kernels of a batch.

        Args:
            photos: At least one.
            progress: See `TrainProgress`.
            device: "cpu" or "cuda:<index>".
            budget: On a GPU, the memory that problems may take; halved where it does not suffice.

        Returns:
            What was found for each photo, in order, and notes on how the batch was run.

        Raises:
            TrainingDiverged: The losses of every problem of a batch on the CPU stopped being
                finite.
            NativeUnavailable: The compiled extension cannot be loaded.
            DeviceUnavailable: The GPU's memory does not hold a single problem.
        """


def estimator_for(options: EstimateOptions) -> Estimator:
    """Create the estimator of the method that the options name."""
    # Late, because each method imports libraries that the others do not need.
    if options.method == "kernelgan":
        from kernelgan_fast.estimation.kernelgan import KernelGan

        return KernelGan(options)
    if options.method == "recurrence":
        from kernelgan_fast.estimation.recurrence_search import RecurrenceSearch

        return RecurrenceSearch(options)
    from kernelgan_fast.estimation.spectral.estimator import SpectralEstimator

    return SpectralEstimator(options)


def mean_kernel(members: Sequence[BlurKernel]) -> tuple[BlurKernel, float | None]:
    """Average the kernels of several seeds, each of which is centred and sums to 1.

    Returns:
        The mean, and the mean distance from it relative to its norm; None for one kernel.
    """
    if len(members) == 1:
        return members[0], None
    stack = np.stack([member.array for member in members])
    mean = stack.mean(axis=0)
    distances = np.linalg.norm(stack - mean, axis=(1, 2))
    spread = float(distances.mean() / np.linalg.norm(mean))
    return replace(members[0], array=mean), spread
