"""Estimates against true kernels, photo by photo and in summary, beside what no estimate costs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kernelgan_fast.errors import InputError
from kernelgan_fast.evaluation.metrics import (
    KernelErrors,
    bicubic,
    compare,
    constant_gaussian,
    default_psnr_size,
)
from kernelgan_fast.evaluation.pairs import Pair, match, named_scale
from kernelgan_fast.kernels import store

ESTIMATE, CONSTANT, BICUBIC = "estimate", "constant", "bicubic"
KINDS = (ESTIMATE, CONSTANT, BICUBIC)
MEASURES = ("relative_l2", "psnr", "covariance", "width", "width_bias", "angle", "off_centre")

_DEFAULT_SCALE = 2


class Statistics(NamedTuple):
    """A measure over all photos that have it.

    Attributes:
        mean: of angles the mean weighted by `KernelErrors.angle_weight`.
        median, p90: the 50th and 90th percentile.
        spread: the standard deviation.
        photos: how many have the measure.
    """

    mean: float
    median: float
    p90: float
    spread: float
    photos: int


@dataclass(frozen=True)
class Row:
    """One photo: the errors of its estimate and of the baselines, by kind."""

    pair: Pair
    errors: Mapping[str, KernelErrors]


@dataclass(frozen=True)
class KernelReport:
    """What `evaluate_kernels` found.

    Attributes:
        scale: of the kernels.
        psnr_size: the side on which PSNR is stated.
        rows: the photos in the order of their names.
        failures: by photo, why its kernels could not be compared.
        without_truth, without_estimate: files whose counterpart is missing.
    """

    scale: int
    psnr_size: int
    rows: tuple[Row, ...]
    failures: Mapping[str, str]
    without_truth: tuple[Path, ...]
    without_estimate: tuple[Path, ...]

    @property
    def summary(self) -> Mapping[str, Mapping[str, Statistics | None]]:
        """Statistics by kind and measure; None where no photo has the measure."""
        return {
            kind: {measure: self._statistics(kind, measure) for measure in MEASURES}
            for kind in KINDS
        }

    @property
    def better_than_constant(self) -> int:
        """How many estimates have a lower relative L2 than the constant Gaussian."""
        return sum(
            row.errors[ESTIMATE].relative_l2 < row.errors[CONSTANT].relative_l2 for row in self.rows
        )

    def _statistics(self, kind: str, measure: str) -> Statistics | None:
        found = [row.errors[kind] for row in self.rows]
        told = [errors for errors in found if getattr(errors, measure) is not None]
        weights = [errors.angle_weight for errors in told] if measure == "angle" else None
        return statistics([getattr(errors, measure) for errors in told], weights)


def evaluate_kernels(
    estimates: str | os.PathLike[str],
    truth: str | os.PathLike[str],
    *,
    scale: int | None = None,
    psnr_size: int | None = None,
) -> KernelReport:
    """Measure a folder of estimates against true kernels.

    Args:
        estimates: a folder as `estimate` or another program writes it, or one kernel file.
        truth: a folder of true kernels such as DIV2KRK's gt_k_x2, the folder that holds it, or
            one kernel file.
        scale: 2 or 4; if None, what the name of the folder `truth` says (gt_k_x4), else 2.
        psnr_size: the side by which kernel PSNR counts pixels; 11 at scale 2 and 31 at scale 4 if
            None.

    Returns:
        The report; kernels that cannot be read are in its `failures`.

    Raises:
        InputError: nothing to compare (see `pairs.match`), or a scale without baselines.
    """
    if scale is None:
        scale = named_scale(truth) or _DEFAULT_SCALE
    baselines = {CONSTANT: constant_gaussian(scale), BICUBIC: bicubic(scale)}
    size = default_psnr_size(scale) if psnr_size is None else psnr_size
    if size < 1:
        raise InputError(f"the PSNR size must be at least 1, got {size}")
    pairing = match(estimates, truth, scale)
    rows: list[Row] = []
    failures: dict[str, str] = {}
    for pair in pairing.pairs:
        try:
            kernels = {ESTIMATE: store.load(pair.estimate, scale=scale), **baselines}
            true = store.load(pair.truth, scale=scale)
        except InputError as error:
            failures[pair.name] = str(error)
            continue
        errors = {kind: compare(kernels[kind], true, psnr_size=size) for kind in KINDS}
        rows.append(Row(pair, errors))
    return KernelReport(
        scale, size, tuple(rows), failures, pairing.without_truth, pairing.without_estimate
    )


def statistics(
    values: Sequence[float], weights: Sequence[float] | None = None
) -> Statistics | None:
    """Sum up values; None of none. `weights` count in the mean alone."""
    if not values:
        return None
    return Statistics(
        mean=float(np.average(values, weights=weights)),
        median=float(np.median(values)),
        p90=float(np.percentile(values, 90)),
        spread=float(np.std(values)),
        photos=len(values),
    )
