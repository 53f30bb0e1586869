"""`kernelgan-fast report`: one HTML page of a folder of kernels."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from kernelgan_fast.cli.console import print_result
from kernelgan_fast.cli.progress import make_reporter
from kernelgan_fast.cli.session import counted

if TYPE_CHECKING:
    from kernelgan_fast.report.writing import Written

HELP = "show a folder of kernels as one HTML page"
DESCRIPTION = """\
Write one HTML page of a folder that `estimate` wrote, to open in any browser:
every photo with its kernel, widths, expected error and warnings, in a table
that sorts and searches; below each photo its kernels large, where training
took its crops, the losses, and a slider between bicubic and what `upscale`
made of it. The page needs no network and no other file.

It holds small copies of the photos and their paths: mind whom you give it to.
What is not there any more, such as a photo that was moved, is said in its row;
a photo is shown only if its content is what was estimated.
"""
EPILOG = """\
exit codes: 0 done, 2 wrong usage, 3 the page could not be written,
129 hung up, 130 Ctrl-C, 143 terminated

examples:
  kernelgan-fast report kernelgan_out
  kernelgan-fast report kernels --photos moved/ --out kernels.html
  kernelgan-fast report kernels --upscaled kernelgan_large
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("folder", metavar="DIR", help="folder that `estimate` wrote")
    parser.add_argument("--out", metavar="FILE", help="the page, default DIR/report.html")
    parser.add_argument(
        "--photos",
        action="append",
        default=[],
        metavar="DIR",
        help="where photos are now that were moved; may be given again",
    )
    parser.add_argument(
        "--upscaled",
        action="append",
        default=[],
        metavar="DIR",
        help="folder that `upscale` wrote, if it is another; may be given again",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress and no notes on stderr")


def run(args: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    from kernelgan_fast.report.writing import write_report

    reporter = make_reporter(sys.stderr, quiet=args.quiet)
    try:
        written = write_report(
            args.folder,
            args.out,
            photos=args.photos,
            upscaled=args.upscaled,
            progress=reporter.update,
        )
    finally:
        reporter.clear()
    print_result(written.path)
    reporter.say(summary(written))
    return 0


def summary(written: Written) -> str:
    """What a report came to, in a line."""
    parts = [f"{counted(written.photos, 'photo')}, {written.bytes / 1e6:.1f} MB"]
    if written.noted:
        parts.append(f"{written.noted} with notes")
    if written.missing:
        parts.append(f"{written.missing} not shown (moved? --photos DIR says where they are)")
    return ", ".join(parts)
