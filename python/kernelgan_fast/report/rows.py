"""From a record, which may be damaged or a stranger's, to what a row of the page tells."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from kernelgan_fast.estimation.kernel_warnings import border_mass
from kernelgan_fast.kernels.geometry import target_centre

if TYPE_CHECKING:
    from kernelgan_fast.kernels.blur_kernel import BlurKernel

# More seeds than these could not be told apart.
_MOST_SEEDS = 8


@dataclass(frozen=True)
class Row:
    """What is told of one photo besides pictures.

    Attributes:
        title: the photo's file name.
        source: its path as recorded, "" where it is not known.
        sha256, bytes: of the photo, None where they are not known.
        widths: wider, narrower and angle of the kernel at scale 2 (4 where there is no other).
        expected_error, spread: as recorded, None where they are not.
        warnings: as recorded.
        trained: whether a network was trained.
        facts: labels and values for the open row.
        losses: by name one list a seed; "iteration" is one list.
        tiles: by region, or None.
    """

    title: str
    source: str
    sha256: str | None
    bytes: int | None
    widths: tuple[float, float, float] | None
    expected_error: float | None
    spread: float | None
    warnings: tuple[str, ...]
    trained: bool
    facts: tuple[tuple[str, str], ...]
    losses: Mapping[str, Any]
    tiles: Mapping[str, Any] | None


def make_row(
    name: str, record: Mapping[str, object], kernels: Mapping[int, BlurKernel], points: int
) -> Row:
    """Take a record apart; fields that are missing or of a wrong kind count as not known.

    Args:
        name: what the photo's files begin with, its title where the record tells none.
        record: as `folder.read_record` gives it.
        kernels: by scale.
        points: of a curve of losses, about as many are kept.
    """
    source = _mapping(record.get("source"))
    path, size = _text(source.get("path")) or "", source.get("bytes")
    losses = _losses(record.get("losses"), points)
    warnings = record.get("warnings")
    return Row(
        title=PurePath(path).name or name,
        source=path,
        sha256=_text(source.get("sha256")),
        bytes=size if isinstance(size, int) else None,
        widths=_widths(record, kernels),
        expected_error=number(record.get("expected_error")),
        spread=number(record.get("spread")),
        warnings=tuple(map(str, warnings)) if isinstance(warnings, list) else (),
        trained=bool(losses),
        facts=tuple(_facts(record, path)),
        losses=losses,
        tiles=_tiles(record.get("tiles")),
    )


def number(value: object) -> float | None:
    """A finite number, or None of anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # JSON has integers of any length
        return None


def kernel_data(kernel: BlurKernel) -> dict[str, object]:
    """What the page needs to draw a kernel: weights as bytes from `low` to `high`, and moments."""
    import base64

    import numpy as np

    low, high = min(0.0, float(kernel.array.min())), float(kernel.array.max())
    levels = np.rint((kernel.array - low) / max(high - low, 1e-12) * 255).astype(np.uint8)
    (rows, mixed), (_, cols) = kernel.covariance.tolist()
    return {
        "scale": kernel.scale,
        "size": kernel.size,
        "low": _short(low),
        "high": _short(high),
        "weights": base64.b64encode(levels.tobytes()).decode(),
        "centre": [_short(place) for place in kernel.centre_of_mass],
        "target": target_centre(kernel.size, kernel.scale),
        "covariance": [_short(rows), _short(mixed), _short(cols)],
        "widths": [_short(width) for width in kernel.widths],
        "border": _short(border_mass(kernel)),
    }


def _widths(
    record: Mapping[str, object], kernels: Mapping[int, BlurKernel]
) -> tuple[float, float, float] | None:
    if kernels:
        major, minor, angle = kernels[min(kernels)].widths
        return major, minor, angle
    told = _mapping(record.get("kernels"))
    facts = _mapping(told.get("x2") or told.get("x4"))
    wide, narrow, turn = (number(facts.get(key)) for key in ("width_major", "width_minor", "angle"))
    return None if wide is None or narrow is None or turn is None else (wide, narrow, turn)


def _facts(record: Mapping[str, object], path: str) -> list[tuple[str, str]]:
    asked = _mapping(record.get("request"))
    spectrum = _mapping(record.get("spectrum"))
    facts = [("Photo", path)]
    for label, field in (("Expected error", "expected_error"), ("Spread", "spread")):
        part = number(record.get(field))
        facts.append((label, "" if part is None else f"{part:.0%}"))
    if method := _text(asked.get("method")):
        profile = _text(_mapping(asked.get("config")).get("profile"))
        iterations = number(asked.get("iterations"))
        more = [f"profile {profile}"] if profile else []
        more += [f"{iterations:.0f} iterations"] if iterations else []
        facts.append(("Method", ", ".join([method, *more])))
    seeds = asked.get("seeds")
    if isinstance(seeds, list) and len(seeds) > 1:
        facts.append(("Seeds", ", ".join(map(str, seeds[:_MOST_SEEDS]))))
    if shape := _text(spectrum.get("shape")):
        likely = number(_mapping(spectrum.get("probabilities")).get(shape))
        facts.append(("Shape", shape + (f", {likely:.0%} likely" if likely is not None else "")))
    timings = _mapping(record.get("timings"))
    seconds = [value for value in map(number, timings.values()) if value is not None]
    if seconds:
        facts.append(("Time", f"{sum(seconds):.2f} s"))
    if device := _text(record.get("device")):
        facts.append(("Device", device))
    if version := _text(_mapping(record.get("versions")).get("kernelgan_fast")):
        facts.append(("Version", version))
    if finished := _text(record.get("finished")):
        facts.append(("Finished", finished.replace("T", " ").replace("+00:00", " UTC")))
    return [(label, value) for label, value in facts if value]


def _losses(value: object, points: int) -> dict[str, Any]:
    """Curves thinned to what a screen shows; empty where there is none."""
    told = _mapping(value)
    iterations = told.get("iteration")
    if not isinstance(iterations, list) or len(iterations) < 2:
        return {}
    step = -(-len(iterations) // points)
    curves: dict[str, Any] = {}
    for name, seeds in told.items():
        lines = (
            [seed for seed in seeds if isinstance(seed, list)] if isinstance(seeds, list) else []
        )
        if name != "iteration" and lines:
            curves[name] = [_thinned(line, step) for line in lines[:_MOST_SEEDS]]
    return {"iteration": _thinned(iterations, step), **curves} if curves else {}


def _is_curves(value: object) -> bool:
    return isinstance(value, list) and any(isinstance(item, list) for item in value)


def _thinned(values: Sequence[object], step: int) -> list[float | None]:
    return [_short(number(value)) for value in values[::step]]


def _tiles(value: object) -> dict[str, Any] | None:
    """The widths by region, where a record tells of them and they make a grid."""
    told = _mapping(value)
    keys = ("width_major", "width_minor", "angle", "expected_error")
    grids = [told.get(key) for key in keys]
    if not all(_is_curves(grid) for grid in grids):
        return None
    numbers = [
        [[_short(number(item)) for item in line] for line in grid if isinstance(line, list)]
        for grid in grids
        if isinstance(grid, list)
    ]
    shapes = {tuple(len(line) for line in grid) for grid in numbers}
    if len(shapes) != 1 or len(set(shapes.pop())) != 1:
        return None
    return dict(zip(("major", "minor", "angle", "error"), numbers, strict=True))


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
