"""Relative error of estimated kernels on test sets, method by method, beside the constant.

    python benchmarks/accuracy.py SET... [--methods LIST] [--scale 2|4] [--seeds LIST] [--every N]
        [--out FILE]

A set is a folder with lr_x2/ and gt_k_x2/ (or lr_x4/, gt_k_x4/): DIV2KRK as published, or what
`kernelgan-fast degrade` writes. The list may also name profiles of the method `kernelgan`.
`spearman` says how well `expected_error` ranks the errors of all sets together.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from measure import write
from scipy.stats import spearmanr

from kernelgan_fast.api import estimate_files
from kernelgan_fast.estimation.options import method_or_profile
from kernelgan_fast.evaluation.report import CONSTANT, ESTIMATE, evaluate_kernels


class Errors(NamedTuple):
    """Of each photo: its estimate's, the constant Gaussian's, and the one it was told to expect."""

    estimate: list[float]
    constant: list[float]
    expected: list[float | None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="+", type=Path, metavar="SET")
    parser.add_argument("--methods", default="spectral", metavar="LIST")
    parser.add_argument("--scale", type=int, choices=(2, 4), default=2)
    parser.add_argument("--seeds", default="0", metavar="LIST", help="each a run of its own")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every N-th photo only")
    parser.add_argument("--out", type=Path, help="write the JSON here too")
    options = parser.parse_args()
    seeds = [int(seed) for seed in options.seeds.split(",")]
    rows: dict[str, dict[str, Any]] = {folder.name: {} for folder in options.sets}
    ranks: dict[str, float] = {}
    for method in options.methods.split(","):
        made: list[float] = []
        expected: list[float | None] = []
        for folder in options.sets:
            photos = sorted((folder / f"lr_x{options.scale}").iterdir())[:: options.every]
            runs = [measure(folder, photos, method, options.scale, seed) for seed in seeds]
            errors = Errors(
                *(list(chain.from_iterable(parts)) for parts in zip(*runs, strict=True))
            )
            row = rows[folder.name]
            row |= {"photos": len(runs[0].estimate), "constant": told(errors.constant)}
            row[method] = told(errors.estimate)
            if len(seeds) > 1:
                row[method]["by_seed"] = [told(run.estimate)["mean"] for run in runs]
            made += errors.estimate
            expected += errors.expected
            print(f"{folder.name:14} {method:9} {row[method]}", flush=True)
        if None not in expected:
            ranks[method] = round(float(spearmanr(made, expected).statistic), 3)
    asked = {"scale": options.scale, "seeds": seeds, "every": options.every}
    write("accuracy", {**asked, "relative_l2": rows, "spearman": ranks}, options.out)


def measure(folder: Path, photos: Sequence[Path], method: str, scale: int, seed: int) -> Errors:
    """What the two commands `estimate` and `evaluate kernels` do."""
    with TemporaryDirectory() as out:
        run = estimate_files(
            photos, out, **method_or_profile(method), scale=scale, seed=seed, formats=["npy"]
        )
        results = {result.source.stem: result for result in run.results()}
        report = evaluate_kernels(out, folder, scale=scale)
    failed = [result.error for result in results.values() if result.error] + [*report.failures]
    if failed:
        raise SystemExit(f"error: {failed[0]}")
    summaries = [results[row.pair.name].summary for row in report.rows]
    return Errors(
        [row.errors[ESTIMATE].relative_l2 for row in report.rows],
        [row.errors[CONSTANT].relative_l2 for row in report.rows],
        [summary["expected_error"] for summary in summaries],
    )


def told(errors: Sequence[float]) -> dict[str, Any]:
    figures = {"mean": np.mean(errors), "median": np.median(errors)}
    figures["p90"] = np.percentile(errors, 90)
    return {name: round(float(value), 4) for name, value in figures.items()}


if __name__ == "__main__":
    main()
