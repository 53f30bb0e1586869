"""What the commands that measure share: where a report goes, and how files are named in notes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path


def add_report(parser: argparse.ArgumentParser, what: str) -> None:
    """Add where the report goes and what is told: --out, --summary, --quiet, --json.

    Args:
        parser: the command's parser.
        what: is written to --out.
    """
    output = parser.add_argument_group("output")
    output.add_argument("--out", metavar="DIR", help=f"folder for {what}")
    output.add_argument("--summary", action="store_true", help="print no row for each photo")
    output.add_argument("--quiet", action="store_true", help="no progress and no notes on stderr")
    output.add_argument(
        "--json", action="store_true", help="one JSON document on stdout instead of tables"
    )


def listed(paths: Sequence[Path], most: int = 5) -> str:
    """The names of some files, and how many more there are."""
    names = ", ".join(path.name for path in paths[:most])
    more = len(paths) - most
    return names + (f" and {more} more" if more > 0 else "")


def written(paths: Sequence[Path], folder: Path) -> str:
    """The note that tells what was written."""
    return f"written to {folder}: {', '.join(path.name for path in paths)}"
