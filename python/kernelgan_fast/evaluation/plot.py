"""A report as a picture: the errors sorted, and true against estimated widths."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from kernelgan_fast.evaluation.metrics import CONSTANT_SIGMAS
from kernelgan_fast.evaluation.report import BICUBIC, CONSTANT, ESTIMATE, KernelReport
from kernelgan_fast.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Colours that stay apart for every kind of colour vision (Okabe and Ito).
_COLOURS = {ESTIMATE: "#0072B2", CONSTANT: "#D55E00", BICUBIC: "#7F7F7F"}
_MINOR = "#56B4E9"

_TICKS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


def save_plot(report: KernelReport, path: str | os.PathLike[str], title: str = "") -> None:
    """Draw a report to a PNG file.

    Args:
        report: at least one photo.
        path: the file; its folder must exist.
        title: above both panels.

    Raises:
        ImportError: matplotlib is not installed.
        OutputError: the file could not be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=(1.2, 1))
    _sorted_errors(left, report)
    _widths(right, report)
    if title:
        figure.suptitle(title)

    def write(stream: BinaryIO) -> None:
        # Without the version of matplotlib in it the same report gives the same bytes.
        figure.savefig(stream, format="png", metadata={"Software": None})

    atomic_write(path, write)


def _sorted_errors(axes: Axes, report: KernelReport) -> None:
    count = len(report.rows)
    share = (np.arange(count) + 0.5) / count * 100
    names = {
        ESTIMATE: "estimates",
        CONSTANT: f"constant Gaussian, sigma {CONSTANT_SIGMAS[report.scale]} px",
        BICUBIC: "bicubic",
    }
    least, most = _range(report)
    for kind, colour in _COLOURS.items():
        values = np.sort([row.errors[kind].relative_l2 for row in report.rows])
        label = f"{names[kind]} (mean {values.mean():.3f})"
        size = 4 if count <= 60 else 0
        shown = np.maximum(values, least)
        axes.plot(share, shown, "o-", color=colour, markersize=size, linewidth=2, label=label)
    axes.set_xlim(0, 100)
    axes.set_yscale("log")
    axes.set_ylim(least, most)
    ticks = [tick for tick in _TICKS if least <= tick <= most]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_yticks([], minor=True)
    axes.set_xlabel("photos, each kernel's from its best to its worst, %")
    axes.set_ylabel("relative L2 error")
    axes.set_title(f"Kernel error, {count} photo{'s' * (count != 1)}, scale {report.scale}")
    _finish(axes)
    axes.legend(loc="lower right", framealpha=0.9)


def _range(report: KernelReport) -> tuple[float, float]:
    """The errors to show, with room for the legend below; better ones lie on the lower edge."""
    values = [errors.relative_l2 for row in report.rows for errors in row.errors.values()]
    return max(0.4 * min(values), 0.002), max(1.3 * max(values), 0.02)


def _widths(axes: Axes, report: KernelReport) -> None:
    errors = [row.errors[ESTIMATE] for row in report.rows]
    pairs = {
        "wider axis": ([(e.true_widths.major, e.widths.major) for e in errors], "o", None),
        "narrower axis": ([(e.true_widths.minor, e.widths.minor) for e in errors], "s", _MINOR),
    }
    most = max(value for points, _, _ in pairs.values() for pair in points for value in pair)
    limit = 1.08 * max(most, CONSTANT_SIGMAS[report.scale])
    axes.plot((0, limit), (0, limit), color="black", linewidth=1, label="exact")
    axes.axhline(
        CONSTANT_SIGMAS[report.scale], color=_COLOURS[CONSTANT], linewidth=1.5, linestyle="--",
        label=f"constant, {CONSTANT_SIGMAS[report.scale]} px",
    )  # fmt: skip
    for label, (points, marker, colour) in pairs.items():
        true, found = zip(*points, strict=True)
        face: Any = colour or _COLOURS[ESTIMATE]
        axes.scatter(true, found, s=26, marker=marker, color=face, alpha=0.8, label=label, zorder=3)
    axes.set_xlim(0, limit)
    axes.set_ylim(0, limit)
    axes.set_aspect("equal")
    axes.set_xlabel("true standard deviation, HR px")
    axes.set_ylabel("estimated, HR px")
    axes.set_title("Widths")
    _finish(axes)
    axes.legend(loc="upper left", framealpha=0.9)


def _finish(axes: Axes) -> None:
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
