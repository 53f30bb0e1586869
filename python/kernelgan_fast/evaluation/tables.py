"""A report as text: Markdown for the terminal, CSV for spreadsheets, JSON for programs."""

from __future__ import annotations

import csv
import io
from pathlib import Path

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
)
from kernelgan_fast.evaluation.text import (
    as_json,
    escaped,
    number,
    rounded,
    save_texts,
    statistics_document,
    table,
)
from kernelgan_fast.kernels.blur_kernel import Widths

FORMAT = "kernelgan-fast kernel evaluation 1"


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
            writer.writerow((row.pair.name, kind, *map(rounded, numbers)))
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
            kind: {name: statistics_document(found) for name, found in measures.items()}
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
        "evaluation.json": as_json(document(report)),
    }
    return save_texts(texts, folder)


def _photo_table(report: KernelReport) -> str:
    heads = ("photo", "L2", "constant", "PSNR", "true widths, px", "found", "width", "angle")
    lines = []
    for row in report.rows:
        errors = row.errors[ESTIMATE]
        lines.append(
            (
                escaped(row.pair.name),
                f"{errors.relative_l2:.3f}",
                f"{row.errors[CONSTANT].relative_l2:.3f}",
                number(errors.psnr, ".1f"),
                _ellipse(errors.true_widths),
                _ellipse(errors.widths),
                number(errors.width, ".0%"),
                number(errors.angle, ".0f", "°"),
            )
        )
    return table(heads, lines)


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
        told = [number(value, ".3f") for value in (error[:4] if error else [None] * 4)]
        means = {name: found.mean if found else None for name, found in measures.items()}
        lines.append(
            (
                names[kind],
                *told,
                number(means["psnr"], ".1f"),
                number(means["covariance"], ".2f"),
                number(means["width"], ".0%"),
                number(means["width_bias"], "+.0%"),
                number(means["angle"], ".0f", "°"),
            )
        )
    return table(heads, lines)


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


def _row_document(row: Row) -> dict[str, object]:
    truth = row.errors[ESTIMATE].true_widths
    return {
        "photo": row.pair.name,
        "estimate": str(row.pair.estimate),
        "truth": str(row.pair.truth),
        "true_widths": [rounded(value) for value in truth],
        "kernels": {kind: _errors_document(row.errors[kind]) for kind in KINDS},
    }


def _errors_document(errors: KernelErrors) -> dict[str, object]:
    told: dict[str, object] = {name: rounded(getattr(errors, name)) for name in MEASURES}
    return {**told, "widths": [rounded(value) for value in errors.widths]}


def _told(measure: str, report: KernelReport) -> str:
    return f"psnr_{report.psnr_size}x{report.psnr_size}" if measure == "psnr" else measure


def _ellipse(widths: Widths) -> str:
    return f"{widths.major:.2f} × {widths.minor:.2f}, {round(widths.angle)}°"
