"""Super-resolution against true photos: methods x kernels, photo by photo and in summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from kernelgan_fast.evaluation.report import Statistics, statistics
from kernelgan_fast.evaluation.sr_baselines import PREFIX
from kernelgan_fast.evaluation.sr_kernels import TRUE, Kernels
from kernelgan_fast.evaluation.sr_set import SrPhoto, SrSet

BASELINE = "bicubic"

# Of a smaller gain no share can be told: rounding would decide.
_LEAST_GAIN = 0.1


class MethodKernel(NamedTuple):
    """A method with a kernel.

    Attributes:
        method: one of `sr.METHODS`, or "spandrel:FILE".
        kernel: the label of a way to come by kernels; "" where the method takes none.
    """

    method: str
    kernel: str

    def __str__(self) -> str:
        return f"{self.method} with {self.kernel}" if self.kernel else self.method


BICUBIC_WAY = MethodKernel(BASELINE, "")


@dataclass(frozen=True)
class Score:
    """How one way did on one photo.

    Attributes:
        psnr: of the luma, dB; None of a perfect result.
        ssim: of the luma.
        consistency: PSNR of the LR photo made anew from the result by the true kernel, against
            the LR photo, dB; None where the true kernel is not known.
        seconds: wall time of making the method ready and of enlarging.
        cpu_seconds: of all threads together.
    """

    psnr: float | None
    ssim: float
    consistency: float | None
    seconds: float
    cpu_seconds: float


@dataclass(frozen=True)
class SrRow:
    """One photo.

    Attributes:
        photo: its files.
        size: (height, width) of the LR photo.
        scores: by way, those that worked.
        kernel_errors: by label, relative L2 of the kernels; of the true ones none.
    """

    photo: SrPhoto
    size: tuple[int, int]
    scores: Mapping[MethodKernel, Score]
    kernel_errors: Mapping[str, float]

    def gain(self, way: MethodKernel) -> float | None:
        """PSNR above bicubic enlargement, dB."""
        score, base = self.scores.get(way), self.scores.get(BICUBIC_WAY)
        if score is None or base is None or score.psnr is None or base.psnr is None:
            return None
        return score.psnr - base.psnr

    def kept(self, way: MethodKernel) -> float | None:
        """The gain as a part of the same method's gain with the true kernel."""
        gain, best = self.gain(way), self.gain(MethodKernel(way.method, TRUE))
        return None if gain is None or best is None or best < _LEAST_GAIN else gain / best


class Failure(NamedTuple):
    """What could not be measured.

    Attributes:
        photo: its name.
        way: None where it was the photo itself; method "" where it was the kernel.
        error: why, one line.
    """

    photo: str
    way: MethodKernel | None
    error: str


@dataclass(frozen=True)
class Summary:
    """One way over all photos that it worked on; None where no photo has the figure."""

    psnr: Statistics | None
    ssim: Statistics | None
    gain: Statistics | None
    kept: float | None
    consistency: Statistics | None
    seconds: Statistics | None
    cpu_seconds: Statistics | None


@dataclass(frozen=True)
class SrReport:
    """What `sr_bench.evaluate_sr` found.

    Attributes:
        test: the photos.
        methods: in the order of the tables; bicubic first.
        kernels: the ways to come by kernels.
        rounded_luma: whether luma was rounded to whole numbers.
        device: that the methods ran on.
        threads: of the CPU that they had.
        rows: photos with at least one score.
        failures: the rest.
    """

    test: SrSet
    methods: tuple[str, ...]
    kernels: tuple[Kernels, ...]
    rounded_luma: bool
    device: str
    threads: int
    rows: tuple[SrRow, ...]
    failures: tuple[Failure, ...]

    @property
    def ways(self) -> tuple[MethodKernel, ...]:
        """Every method with every kernel, in the order of the tables."""
        return ways(self.methods, self.kernels)

    def summary(self, way: MethodKernel) -> Summary:
        """One way over all photos."""
        scores = [row.scores[way] for row in self.rows if way in row.scores]

        def over(name: str) -> Statistics | None:
            found = [getattr(score, name) for score in scores]
            return statistics([value for value in found if value is not None])

        gains = [row.gain(way) for row in self.rows]
        return Summary(
            psnr=over("psnr"),
            ssim=over("ssim"),
            gain=statistics([gain for gain in gains if gain is not None]),
            kept=self._kept(way),
            consistency=over("consistency"),
            seconds=over("seconds"),
            cpu_seconds=over("cpu_seconds"),
        )

    def kernel_errors(self, label: str) -> Statistics | None:
        """Relative L2 of one way's kernels over all photos."""
        found = [row.kernel_errors.get(label) for row in self.rows]
        return statistics([error for error in found if error is not None])

    def _kept(self, way: MethodKernel) -> float | None:
        """The mean gain as a part of the mean gain with the true kernel, of photos with both."""
        best = MethodKernel(way.method, TRUE)
        pairs = [(row.gain(way), row.gain(best)) for row in self.rows]
        told = [(one, other) for one, other in pairs if one is not None and other is not None]
        whole = sum(other for _, other in told)
        if not told or whole < _LEAST_GAIN * len(told):
            return None
        return sum(one for one, _ in told) / whole


def ways(methods: Sequence[str], kernels: Sequence[Kernels]) -> tuple[MethodKernel, ...]:
    """Every method with every kernel; those that take none once."""
    labels = [each.label for each in kernels]
    return tuple(
        MethodKernel(method, label)
        for method in methods
        for label in (labels if takes_kernel(method) else [""])
    )


def takes_kernel(method: str) -> bool:
    """Whether a method has a use for kernels; others run once a photo."""
    return method != BASELINE and not method.startswith(PREFIX)
