"""Arguments that commands over many photos share, so that they read the same everywhere."""

from __future__ import annotations

import argparse


def add_photos(parser: argparse.ArgumentParser) -> None:
    """Add the photos a command works on: the positional `inputs`.

    Args:
        parser: the command's parser.
    """
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="PHOTO",
        help='files, folders, or patterns such as "shots/*.png"',
    )


def add_output(parser: argparse.ArgumentParser, default_out: str) -> argparse._ArgumentGroup:
    """Add where the files go and what is told: --out, --resume, --quiet, --json.

    Args:
        parser: the command's parser.
        default_out: folder for the files, below the current one.

    Returns:
        The group "output", for what a command adds of its own.
    """
    output = parser.add_argument_group("output")
    output.add_argument(
        "--out", default=default_out, metavar="DIR", help=f"folder, default ./{default_out}"
    )
    output.add_argument(
        "--resume",
        action="store_true",
        help="leave out photos that are done with these settings",
    )
    output.add_argument("--quiet", action="store_true", help="no progress and no notes on stderr")
    output.add_argument(
        "--json", action="store_true", help="one JSON document on stdout instead of lines"
    )
    return output


def add_format(output: argparse._ArgumentGroup) -> None:
    """Add the format of the photos that are written: --format.

    Args:
        output: the group that `add_output` made.
    """
    output.add_argument(
        "--format",
        choices=("png", "jpg", "webp", "tif", "bmp"),
        default="png",
        help="of the photos written, default png",
    )


def noise_level(text: str) -> float | str:
    """Read `auto` or a number, for argparse."""
    if text == "auto":
        return text
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be auto or a number, got {text!r}") from None
