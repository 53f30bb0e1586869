"""Super-resolution measured: every photo by every method with every kernel, the paper's table 1.

Photos are enlarged as `upscale` does it, and rounded to 8 bits before they are measured.

Source: Bell-Kligler et al. 2019, section 5.2.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kernelgan_fast.analysis import PhotoAnalysis, analyse_photo
from kernelgan_fast.degradation.degrade import shrink
from kernelgan_fast.errors import InputError, TrainingDiverged
from kernelgan_fast.evaluation import metrics, quality
from kernelgan_fast.evaluation.sr_baselines import PREFIX, Baseline
from kernelgan_fast.evaluation.sr_kernels import GivenKernel, Kernels, applied_kernel
from kernelgan_fast.evaluation.sr_report import (
    BASELINE,
    Failure,
    MethodKernel,
    Score,
    SrReport,
    SrRow,
    takes_kernel,
    ways,
)
from kernelgan_fast.evaluation.sr_set import SrPhoto, SrSet
from kernelgan_fast.images import as_photo, read_image

if TYPE_CHECKING:
    from kernelgan_fast.kernels.blur_kernel import BlurKernel

Pixels: TypeAlias = "NDArray[Any]"
Report: TypeAlias = Callable[[float], None]

_WARM_UP_SIDE = 64


@dataclass(frozen=True)
class SrOptions:
    """How photos are enlarged and measured.

    Attributes:
        noise: "auto" for noise and compression as measured on each photo, or grey levels of 255.
        precision: see `sr.upscaler.Options`.
        weights: files of weights, by method.
        device: where photos are enlarged.
        rounded_luma: round luma to whole numbers, as MATLAB does of 8-bit photos.
    """

    noise: float | str = "auto"
    precision: str = "float32"
    weights: Mapping[str, Path] = field(default_factory=dict)
    device: str = "cpu"
    rounded_luma: bool = False


def evaluate_sr(
    test: SrSet,
    methods: Sequence[str],
    kernels: Sequence[Kernels],
    options: SrOptions | None = None,
    *,
    progress: Report | None = None,
) -> SrReport:
    """Enlarge every photo by every method with every kernel, and measure.

    Args:
        test: the photos.
        methods: of `sr.METHODS`, or "spandrel:FILE"; bicubic is measured in any case.
        kernels: as `sr_kernels` makes them, or estimated elsewhere; the label "true" is theirs
            whose gain is the whole.
        options: the defaults if None.
        progress: called with the part that is done, 0 to 1; may raise to stop.

    Returns:
        The report; what could not be measured is in its `failures`.

    Raises:
        InputError: see `check_request` and `Baseline`.
        NativeUnavailable: the compiled extension cannot be loaded.
    """
    import torch

    ordered = check_request(methods, [each.label for each in kernels])
    chosen = options or SrOptions()
    bench = _Bench(test.scale, ways(ordered, kernels), kernels, chosen)
    bench.warm_up()
    rows: list[SrRow] = []
    failures: list[Failure] = []
    for index, photo in enumerate(test.photos):

        def report(part: float, done: int = index) -> None:
            if progress is not None:
                progress((done + part) / len(test.photos))

        try:
            row, failed = bench.measure(photo, report)
        except InputError as error:
            failures.append(Failure(photo.name, None, str(error)))
            continue
        failures += failed
        rows.append(row)
    return SrReport(
        test,
        ordered,
        tuple(kernels),
        chosen.rounded_luma,
        chosen.device,
        torch.get_num_threads(),
        tuple(rows),
        tuple(failures),
    )


def check_request(methods: Sequence[str], labels: Sequence[str]) -> tuple[str, ...]:
    """The methods in the order of the tables, bicubic first.

    Args:
        methods: as for `evaluate_sr`.
        labels: of the kernels.

    Raises:
        InputError: an unknown method, methods that need kernels and none given, or two kernels of
            one label.
    """
    from kernelgan_fast.sr import check_method

    for method in methods:
        if not method.startswith(PREFIX):
            check_method(method)
    ordered = tuple(dict.fromkeys((BASELINE, *methods)))
    needy = [method for method in ordered if takes_kernel(method)]
    if needy and not labels:
        raise InputError(f"{needy[0]} needs kernels, got none; name some with --kernels")
    twice = [label for index, label in enumerate(labels) if label in labels[:index]]
    if twice:
        raise InputError(f"kernels must have names of their own, got {twice[0]!r} twice")
    return ordered


@dataclass(frozen=True)
class _Loaded:
    """A photo in memory: LR, its analysis, the luma of both, and what made one of the other."""

    low: Pixels
    analysis: PhotoAnalysis
    low_luma: quality.Plane
    truth: quality.Plane
    kernel: BlurKernel | None


class _Bench:
    """Measures photos, one at a time."""

    def __init__(
        self,
        scale: int,
        way_list: Sequence[MethodKernel],
        kernels: Sequence[Kernels],
        options: SrOptions,
    ) -> None:
        self._scale = scale
        self._ways = way_list
        self._kernels = {each.label: each for each in kernels}
        self._options = options
        named = {way.method for way in way_list if way.method.startswith(PREFIX)}
        self._baselines = {
            method: Baseline(method, scale, options.device) for method in sorted(named)
        }

    def warm_up(self) -> None:
        """Let every method load what it needs, so that the first photo is not charged with it."""
        from kernelgan_fast.sr import LEARNING

        photo = np.full((_WARM_UP_SIDE, _WARM_UP_SIDE, 3), 128, np.uint8)
        analysis = analyse_photo(as_photo(photo))
        given = GivenKernel(metrics.bicubic(self._scale))
        for method in dict.fromkeys(way.method for way in self._ways):
            if method not in LEARNING:
                with suppress(InputError):  # it will come again, and be told
                    self._enlarge(method, given, photo, analysis, None)

    def measure(self, photo: SrPhoto, report: Report) -> tuple[SrRow, list[Failure]]:
        """Go all ways with one photo.

        Raises:
            InputError: the photo cannot be used.
        """
        loaded = self._load(photo)
        given = {label: each.given[photo.key] for label, each in self._kernels.items()}
        given[""] = GivenKernel(metrics.bicubic(self._scale))  # methods ask it for the scale
        failures = [
            Failure(photo.name, MethodKernel("", label), kernel)
            for label, kernel in given.items()
            if isinstance(kernel, str)
        ]
        scores: dict[MethodKernel, Score] = {}
        for index, way in enumerate(self._ways):

            def within(part: float, done: int = index) -> None:
                report((done + part) / len(self._ways))

            within(0.0)
            kernel = given[way.kernel]
            if isinstance(kernel, str):
                continue
            try:
                scores[way] = self._score(way.method, kernel, loaded, within)
            except (InputError, TrainingDiverged) as error:
                failures.append(Failure(photo.name, way, str(error)))
        size = (loaded.low.shape[0], loaded.low.shape[1])
        return SrRow(photo, size, scores, self._kernel_errors(loaded, given)), failures

    def _load(self, photo: SrPhoto) -> _Loaded:
        image = read_image(photo.low)
        low, high = image.pixels, read_image(photo.high).pixels
        for small, large in zip(low.shape[:2], high.shape[:2], strict=True):
            if abs(large - self._scale * small) >= self._scale:
                raise InputError(
                    f"{photo.high}: the HR photo must be {self._scale} times as large as "
                    f"{low.shape[1]} x {low.shape[0]}, got {high.shape[1]} x {high.shape[0]}; "
                    "check the scale and the names"
                )
        kernel = None
        with suppress(InputError):  # told where the true kernels are asked for
            kernel = applied_kernel(photo, self._scale)
        analysis = analyse_photo(image)
        return _Loaded(low, analysis, quality.luma(low), self._luma(high), kernel)

    def _score(self, method: str, given: GivenKernel, photo: _Loaded, report: Report) -> Score:
        start, cpu_start = time.perf_counter(), time.process_time()
        result = self._enlarge(method, given, photo.low, photo.analysis, report)
        seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
        plane, truth = self._luma(result), photo.truth
        # Where the HR photo's sides are no multiples of the scale, one of both has a few more.
        rows, columns = (min(sides) for sides in zip(plane.shape, truth.shape, strict=True))
        plane, truth = (
            quality.shave(each[:rows, :columns], self._scale) for each in (plane, truth)
        )
        return Score(
            quality.psnr(plane, truth),
            quality.ssim(plane, truth),
            self._consistency(result, photo),
            seconds,
            cpu_seconds,
        )

    def _enlarge(
        self,
        method: str,
        given: GivenKernel,
        low: Pixels,
        analysis: PhotoAnalysis,
        progress: Report | None,
    ) -> Pixels:
        """Enlarge a whole photo (H, W, 3) to (sH, sW, 3) uint8."""
        import torch

        from kernelgan_fast.sr import prepare
        from kernelgan_fast.sr.conditioning import condition
        from kernelgan_fast.sr.restoration import restore
        from kernelgan_fast.sr.tiling import as_tensor, enlarge_photo
        from kernelgan_fast.sr.upscaler import Options, Upscaler

        device = torch.device(self._options.device)
        baseline = self._baselines.get(method)
        if baseline:
            with torch.no_grad():
                # How far baselines look is not known, so they get the photo in one piece.
                return _eight_bits(enlarge_photo(baseline, low, tile=0, device=device).pixels)
        conditioning = condition(
            analysis,
            self._options.noise,
            kernel_error=given.expected_error,
            added_noise=given.noise,
        )
        options = Options(
            **vars(conditioning),
            weights=self._options.weights.get(method),
            precision=self._options.precision,
            progress=progress,
        )

        def ready(content: Pixels) -> Upscaler:
            return prepare(method, given.kernel, options, as_tensor(content).to(device))

        with torch.no_grad():
            restored = restore(low, analysis, given.kernel, ready, exact=given.exact, device=device)
            return _eight_bits(restored.pixels)

    def _consistency(self, result: Pixels, photo: _Loaded) -> float | None:
        if photo.kernel is None:
            return None
        small = shrink(result.astype(np.float32), photo.kernel.array, self._scale) / 255
        # Near the border the photo knew pixels that the result does not have.
        planes = (quality.shave(each, 1) for each in (quality.luma(small), photo.low_luma))
        return quality.psnr(*planes)

    def _luma(self, pixels: Pixels) -> quality.Plane:
        return quality.luma(pixels, rounded=self._options.rounded_luma)

    def _kernel_errors(
        self, photo: _Loaded, given: Mapping[str, GivenKernel | str]
    ) -> dict[str, float]:
        if photo.kernel is None:
            return {}
        return {
            label: metrics.compare(kernel.estimate or kernel.kernel, photo.kernel).relative_l2
            for label, kernel in given.items()
            if label and not isinstance(kernel, str)
        }


def _eight_bits(pixels: Pixels) -> Pixels:
    if pixels.dtype == np.uint8:
        return pixels
    rounded: Pixels = np.rint(pixels * 255).astype(np.uint8)
    return rounded
