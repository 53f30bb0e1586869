"""A report on super-resolution as text: Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import kernelgan_fast
from kernelgan_fast.evaluation.report import Statistics
from kernelgan_fast.evaluation.sr_kernels import TRUE, Kernels
from kernelgan_fast.evaluation.sr_report import MethodKernel, Score, SrReport, SrRow, Summary
from kernelgan_fast.evaluation.text import (
    as_json,
    escaped,
    number,
    rounded,
    save_texts,
    statistics_document,
    table,
)

FORMAT = "kernelgan-fast super-resolution evaluation 1"

_SCORES = ("psnr", "ssim", "consistency", "seconds", "cpu_seconds")
_NO_KERNEL = "none"


def markdown(report: SrReport, *, photos: bool = True) -> str:
    """The report as Markdown tables.

    Args:
        report: what was measured.
        photos: rows for each photo before the summary.
    """
    parts = [_photo_table(report)] if photos and report.rows else []
    parts.append(_summary_table(report))
    if any(report.kernel_errors(each.label) for each in _inexact(report)):
        parts.append(_kernel_table(report))
    return "\n\n".join([*parts, _legend(report)]) + "\n"


def csv_text(report: SrReport) -> str:
    """One line for every photo, method and kernel that was measured."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("photo", "method", "kernel", *_SCORES, "gain", "kept", "kernel_error"))
    for row in report.rows:
        for way, score in row.scores.items():
            numbers = [getattr(score, name) for name in _SCORES]
            numbers += [row.gain(way), row.kept(way), row.kernel_errors.get(way.kernel)]
            writer.writerow((row.photo.name, way.method, way.kernel, *map(rounded, numbers)))
    return stream.getvalue()


def document(report: SrReport) -> dict[str, object]:
    """The report as JSON can hold it; figures without a meaning are null."""
    return {
        "format": FORMAT,
        "version": kernelgan_fast.__version__,
        "test_set": str(report.test.folder),
        "scale": report.test.scale,
        "shave": report.test.scale,
        "rounded_luma": report.rounded_luma,
        "device": report.device,
        "threads": report.threads,
        "photos": len(report.rows),
        "summary": [_summary_document(way, report.summary(way)) for way in report.ways],
        "kernels": [_kernels_document(report, each) for each in report.kernels],
        "rows": [_row_document(row) for row in report.rows],
        "failures": [
            {
                "photo": failure.photo,
                "method": failure.way.method if failure.way else "",
                "kernel": failure.way.kernel if failure.way else "",
                "error": failure.error,
            }
            for failure in report.failures
        ],
        "without_high": [str(path) for path in report.test.without_high],
    }


def save(report: SrReport, folder: Path) -> list[Path]:
    """Write sr_x2.md, .csv and .json (by the scale), each whole or not at all.

    Returns:
        The files.

    Raises:
        OutputError: one could not be written.
    """
    stem = f"sr_x{report.test.scale}"
    texts = {
        f"{stem}.md": markdown(report),
        f"{stem}.csv": csv_text(report),
        f"{stem}.json": as_json(document(report)),
    }
    return save_texts(texts, folder)


def _photo_table(report: SrReport) -> str:
    labels = list(dict.fromkeys(way.kernel for way in report.ways))
    heads = ("photo", "PSNR by kernel", *(label or _NO_KERNEL for label in labels))
    lines = []
    for row in report.rows:
        for method in report.methods:
            scores = [row.scores.get(MethodKernel(method, label)) for label in labels]
            figures = [number(score.psnr, ".2f") if score else "" for score in scores]
            lines.append((escaped(row.photo.name), method, *figures))
    return table(tuple(map(escaped, heads)), lines, left=2)


def _summary_table(report: SrReport) -> str:
    heads = ("method", "kernel", "PSNR", "±", "SSIM", "±", "gain", "±", "kept", "LR", "s", "CPU s")
    lines = []
    for way in report.ways:
        found = report.summary(way)
        gain = found.gain if way.kernel else None
        lines.append(
            (
                way.method,
                escaped(way.kernel or _NO_KERNEL),
                _mean(found.psnr, ".2f"),
                _spread(found.psnr, ".2f"),
                _mean(found.ssim, ".4f"),
                _spread(found.ssim, ".4f"),
                _mean(gain, "+.2f"),
                _spread(gain, ".2f"),
                number(found.kept if way.kernel != TRUE else None, ".0%"),
                _mean(found.consistency, ".1f"),
                _mean(found.seconds, ".2f"),
                _mean(found.cpu_seconds, ".2f"),
            )
        )
    return table(heads, lines, left=2)


def _kernel_table(report: SrReport) -> str:
    heads = ("kernel", "L2", "median", "90 %", "spread", "s")
    lines = []
    for each in _inexact(report):
        errors = report.kernel_errors(each.label)
        told = [number(value, ".3f") for value in (errors[:4] if errors else [None] * 4)]
        lines.append((escaped(each.label), *told, number(_seconds(each), ".2f")))
    return table(heads, lines)


def _legend(report: SrReport) -> str:
    count, scale = len(report.rows), report.test.scale
    photos = "1 photo" if count == 1 else f"{count} photos"
    threads = "1 thread" if report.threads == 1 else f"{report.threads} threads"
    machine = threads if report.device == "cpu" else report.device
    luma = "MATLAB luma, rounded" if report.rounded_luma else "MATLAB luma"
    lines = [
        f"{photos}, scale {scale}. Means over photos, ± their standard deviation. PSNR in dB and",
        f"SSIM (Gaussian, 11 × 11): {luma}, {scale} px a side cut off, results rounded to 8 bits.",
        "Gain: PSNR above the method bicubic; kept: its part of the gain with the true kernel.",
        f"LR: PSNR of the LR photo made anew by the true kernel. Seconds a photo ({machine}).",
    ]
    partial = [way for way in report.ways if 0 < _photos(report, way) < count]
    if partial:
        told = ", ".join(f"{way} {_photos(report, way)}" for way in partial)
        lines.append(f"Not of all photos: {told}.")
    return "\n".join(lines)


def _photos(report: SrReport, way: MethodKernel) -> int:
    return sum(way in row.scores for row in report.rows)


def _inexact(report: SrReport) -> list[Kernels]:
    return [each for each in report.kernels if each.label != TRUE]


def _seconds(kernels: Kernels) -> float | None:
    """Mean seconds of an estimate, where they were made now."""
    given = [each for each in kernels.given.values() if not isinstance(each, str)]
    told = [each.seconds for each in given if each.seconds is not None]
    return sum(told) / len(told) if told else None


def _mean(found: Statistics | None, form: str) -> str:
    return number(found.mean if found else None, form)


def _spread(found: Statistics | None, form: str) -> str:
    return number(found.spread if found else None, form)


def _summary_document(way: MethodKernel, found: Summary) -> dict[str, object]:
    told = {
        name: statistics_document(getattr(found, name))
        for name in ("psnr", "ssim", "gain", "consistency", "seconds", "cpu_seconds")
    }
    return {"method": way.method, "kernel": way.kernel, **told, "kept": rounded(found.kept)}


def _kernels_document(report: SrReport, kernels: Kernels) -> dict[str, object]:
    return {
        "kernel": kernels.label,
        "relative_l2": statistics_document(report.kernel_errors(kernels.label)),
        "seconds": rounded(_seconds(kernels)),
    }


def _row_document(row: SrRow) -> dict[str, object]:
    return {
        "photo": row.photo.name,
        "low": str(row.photo.low),
        "high": str(row.photo.high),
        "size": list(row.size),
        "kernel_errors": {label: rounded(error) for label, error in row.kernel_errors.items()},
        "scores": [_score_document(row, way, score) for way, score in row.scores.items()],
    }


def _score_document(row: SrRow, way: MethodKernel, score: Score) -> dict[str, object]:
    figures = {name: rounded(getattr(score, name)) for name in _SCORES}
    more = {"gain": rounded(row.gain(way)), "kept": rounded(row.kept(way))}
    return {"method": way.method, "kernel": way.kernel, **figures, **more}
