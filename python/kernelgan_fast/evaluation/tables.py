"""A report as text: Markdown for the terminal, CSV for spreadsheets, JSON for programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import kernelgan_fast
from kernelgan_fast.evaluation.metrics import CANVAS, CONSTANT_SIGMAS, KernelErrors
from kernelgan_fast.evaluation.report import (
    BICUBIC,
    CONSTANT,
    ESTIMATE,
    KINDS,
    MEASURES,
    KernelReport,
    Row,
    Statistics,
)
from kernelgan_fast.files import atomic_write
from kernelgan_fast.kernels.blur_kernel import Widths

FORMAT = "kernelgan-fast kernel evaluation 1"

_DIGITS = 6


def markdown(report: KernelReport, *, photos: bool = True) -> str:
    """The report as Markdown tables.

    Args:
        report: what was measured.
        photos: a row for each photo before the summary.
    """
    parts = [_photo_table(report)] if photos and report.rows else []
    return "\n\n".join([*parts, _summary_table(report), _legend(report)]) + "\n"


def csv_text(report: KernelReport) -> str:
    """One line for every photo and kernel (the estimate and both baselines)."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    widths = ("sigma_major", "sigma_minor", "angle_degrees")
    true_widths = tuple(f"true_{name}" for name in widths)
    measures = tuple(_told(name, report) for name in MEASURES)
    writer.writerow(("photo", "kernel", *measures, *widths, *true_widths))
    for row in report.rows:
        for kind in KINDS:
            errors = row.errors[kind]
            values = [getattr(errors, name) for name in MEASURES]
            numbers = (*values, *errors.widths, *errors.true_widths)
            writer.writerow((row.pair.name, kind, *map(_rounded, numbers)))
    return stream.getvalue()


def document(report: KernelReport) -> dict[str, object]:
    """The report as JSON can hold it; measures without a meaning are null."""
    return {
        "format": FORMAT,
        "version": kernelgan_fast.__version__,
        "scale": report.scale,
        "canvas": CANVAS,
        "psnr_size": report.psnr_size,
        "constant_sigma": CONSTANT_SIGMAS[report.scale],
        "photos": len(report.rows),
        "better_than_constant": report.better_than_constant,
        "summary": {
            kind: {name: _as_mapping(found) for name, found in measures.items()}
            for kind, measures in report.summary.items()
        },
        "rows": [_row_document(row) for row in report.rows],
        "failures": dict(report.failures),
        "without_truth": [str(path) for path in report.without_truth],
        "without_estimate": [str(path) for path in report.without_estimate],
    }


def save(report: KernelReport, folder: Path) -> list[Path]:
    """Write evaluation.md, .csv and .json, each whole or not at all.

    Returns:
        The files.

    Raises:
        OutputError: one could not be written.
    """
    texts = {
        "evaluation.md": markdown(report),
        "evaluation.csv": csv_text(report),
        "evaluation.json": json.dumps(document(report), indent=1, allow_nan=False) + "\n",
    }
    for name, text in texts.items():
        _write(folder / name, text)
    return [folder / name for name in texts]


def _write(path: Path, text: str) -> None:
    def write(stream: BinaryIO) -> None:
        stream.write(text.encode())

    atomic_write(path, write)


def _photo_table(report: KernelReport) -> str:
    heads = ("photo", "L2", "constant", "PSNR", "true widths, px", "found", "width", "angle")
    lines = []
    for row in report.rows:
        errors = row.errors[ESTIMATE]
        lines.append(
            (
                row.pair.name.replace("|", "\\|"),
                f"{errors.relative_l2:.3f}",
                f"{row.errors[CONSTANT].relative_l2:.3f}",
                _number(errors.psnr, ".1f"),
                _ellipse(errors.true_widths),
                _ellipse(errors.widths),
                _number(errors.width, ".0%"),
                _number(errors.angle, ".0f", "°"),
            )
        )
    return _table(heads, lines)


def _summary_table(report: KernelReport) -> str:
    heads = (
        "mean over photos", "L2", "median", "90 %", "spread", "PSNR", "cov.", "width", "bias",
        "angle",
    )  # fmt: skip
    names = {
        ESTIMATE: "estimates",
        CONSTANT: f"constant, sigma {CONSTANT_SIGMAS[report.scale]}",
        BICUBIC: "bicubic",
    }
    lines = []
    for kind, measures in report.summary.items():
        error = measures["relative_l2"]
        told = [_number(value, ".3f") for value in (error[:4] if error else [None] * 4)]
        means = {name: found.mean if found else None for name, found in measures.items()}
        lines.append(
            (
                names[kind],
                *told,
                _number(means["psnr"], ".1f"),
                _number(means["covariance"], ".2f"),
                _number(means["width"], ".0%"),
                _number(means["width_bias"], "+.0%"),
                _number(means["angle"], ".0f", "°"),
            )
        )
    return _table(heads, lines)


def _legend(report: KernelReport) -> str:
    count, size = len(report.rows), report.psnr_size
    photos = "1 photo" if count == 1 else f"{count} photos"
    better = f"{report.better_than_constant} of the estimates better than the constant"
    return (
        f"{photos}, scale {report.scale}; {better}.\n"
        f"L2: relative, kernels centred, on {CANVAS} × {CANVAS}. PSNR: dB, on {size} × {size}. "
        "Covariance, width, bias:\n"
        "relative errors; a bias above 0 is too wide. Angle: none where a kernel is nearly round,\n"
        "its mean weighted by elongation."
    )


def _table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Align the columns too, so that the table can be read as it is."""
    cells = [tuple(heads), *(tuple(line) for line in lines)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    aligned = [
        [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]
        for row in cells
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in (aligned[0], rule, *aligned[1:]))


def _row_document(row: Row) -> dict[str, object]:
    truth = row.errors[ESTIMATE].true_widths
    return {
        "photo": row.pair.name,
        "estimate": str(row.pair.estimate),
        "truth": str(row.pair.truth),
        "true_widths": [_rounded(value) for value in truth],
        "kernels": {kind: _errors_document(row.errors[kind]) for kind in KINDS},
    }


def _errors_document(errors: KernelErrors) -> dict[str, object]:
    told: dict[str, object] = {name: _rounded(getattr(errors, name)) for name in MEASURES}
    return {**told, "widths": [_rounded(value) for value in errors.widths]}


def _as_mapping(found: Statistics | None) -> dict[str, object] | None:
    if found is None:
        return None
    return {name: _rounded(value) for name, value in found._asdict().items()}


def _told(measure: str, report: KernelReport) -> str:
    return f"psnr_{report.psnr_size}x{report.psnr_size}" if measure == "psnr" else measure


def _ellipse(widths: Widths) -> str:
    return f"{widths.major:.2f} × {widths.minor:.2f}, {round(widths.angle)}°"


def _number(value: float | None, form: str, unit: str = "") -> str:
    return "-" if value is None else f"{value:{form}}{unit}"


def _rounded(value: float | None) -> float | None:
    return value if value is None or isinstance(value, int) else round(value, _DIGITS)
