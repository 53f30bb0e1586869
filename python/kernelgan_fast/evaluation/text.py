"""What every report needs to become text: aligned Markdown tables, rounded numbers, whole files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from kernelgan_fast.escaping import printable
from kernelgan_fast.evaluation.report import Statistics
from kernelgan_fast.files import atomic_write

_DIGITS = 6


def table(heads: Sequence[str], lines: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """A Markdown table whose columns are aligned too, so that it can be read as it is.

    Args:
        heads: of the columns.
        lines: as many cells each.
        left: how many columns are words; the others are numbers, to the right.
    """
    cells = [tuple(heads), *(tuple(line) for line in lines)]
    # The rule needs a hyphen and a colon.
    widths = [max(2, *(len(row[column]) for row in cells)) for column in range(len(heads))]
    rule = [
        "-" * width if column < left else "-" * (width - 1) + ":"
        for column, width in enumerate(widths)
    ]
    aligned = [
        [
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        for row in cells
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in (aligned[0], rule, *aligned[1:]))


def number(value: float | None, form: str, unit: str = "") -> str:
    """A number in words of a format; "-" of none."""
    return "-" if value is None else f"{value:{form}}{unit}"


def rounded(value: float | None) -> float | None:
    """A number for CSV and JSON, to six digits after the point."""
    return value if value is None or isinstance(value, int) else round(value, _DIGITS)


def escaped(name: str) -> str:
    """A name that may stand in a Markdown table."""
    return printable(name).replace("|", "\\|")


def statistics_document(found: Statistics | None) -> dict[str, object] | None:
    """Statistics as JSON can hold them."""
    if found is None:
        return None
    return {name: rounded(value) for name, value in found._asdict().items()}


def as_json(document: Mapping[str, object]) -> str:
    """A report's JSON text."""
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def save_texts(texts: Mapping[str, str], folder: Path) -> list[Path]:
    """Write files by their names, each whole or not at all.

    Returns:
        The files.

    Raises:
        OutputError: one could not be written.
    """
    for name, text in texts.items():
        _write(folder / name, text)
    return [folder / name for name in texts]


def _write(path: Path, text: str) -> None:
    def write(stream: BinaryIO) -> None:
        stream.write(text.encode("utf-8", "backslashreplace"))

    atomic_write(path, write)
