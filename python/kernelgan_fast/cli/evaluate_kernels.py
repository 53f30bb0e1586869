"""`kernelgan-fast evaluate kernels`: a folder of estimates against true kernels."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from kernelgan_fast.cli.console import print_document, print_message
from kernelgan_fast.cli.reports import add_report, listed, written

if TYPE_CHECKING:
    from kernelgan_fast.evaluation.report import KernelReport

HELP = "measure estimated kernels against true ones"
DESCRIPTION = """\
Measure estimated kernels against true ones, beside two baselines that
estimate nothing: a constant Gaussian and the bicubic kernel.

ESTIMATES is a folder as `estimate` writes it (NAME_kernel_x2.npy, .mat or
.json), or as the published program does (NAME/NAME_kernel_x2.mat). --truth is
a folder of kernels NAME.mat, such as gt_k_x2 of `degrade` or of DIV2KRK, whose
kernel_7.mat belongs to im_7; or the folder that holds gt_k_x2 or gt_k_x4. Two
files are compared whatever their names.

Markdown tables go to stdout. With --out they are written there too, with
evaluation.csv, evaluation.json and (where matplotlib is installed)
evaluation.png.
"""
EPILOG = """\
exit codes: 0 all done, 1 a kernel could not be compared, 2 wrong usage or
nothing to compare, 3 the output folder cannot be used

examples:
  kernelgan-fast evaluate kernels kernelgan_out --truth test/gt_k_x2
  kernelgan-fast evaluate kernels out --truth DIV2KRK --scale 4 --out report
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("estimates", metavar="ESTIMATES", help="folder of estimates")
    parser.add_argument("--truth", required=True, metavar="DIR", help="folder of true kernels")
    parser.add_argument(
        "--scale",
        type=int,
        choices=(2, 4),
        help="default: what the name of the truth's folder says, else 2",
    )
    parser.add_argument(
        "--psnr-size",
        type=int,
        metavar="N",
        help="count N x N pixels in kernel PSNR (default 11 at scale 2, 31 at scale 4)",
    )
    add_report(parser, "the tables and the plot")


def run(args: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    from kernelgan_fast.evaluation import tables
    from kernelgan_fast.evaluation.report import evaluate_kernels

    report = evaluate_kernels(
        args.estimates, args.truth, scale=args.scale, psnr_size=args.psnr_size
    )
    for error in report.failures.values():
        print_message(f"error: {error}")
    notes = _notes(report)
    if args.out is not None:
        notes += _write(report, args.out)
    if not args.quiet:
        for note in notes:
            print_message(note)
    if args.json:
        print_document(json.dumps(tables.document(report), indent=1, allow_nan=False))
    elif report.rows:
        print_document(tables.markdown(report, photos=not args.summary))
    return 1 if report.failures else 0


def _notes(report: KernelReport) -> list[str]:
    notes = []
    if report.without_truth:
        notes.append(f"note: no true kernel for {listed(report.without_truth)}")
    if report.without_estimate:
        notes.append(f"note: no estimate for {listed(report.without_estimate)}")
    return notes


def _write(report: KernelReport, out: str) -> list[str]:
    """Write the tables and the plot; returns what to say about it."""
    from kernelgan_fast.evaluation import tables
    from kernelgan_fast.evaluation.plot import save_plot
    from kernelgan_fast.jobs.outputs import OutputFolder

    folder = OutputFolder(out).path
    files = tables.save(report, folder)
    notes = []
    if report.rows:
        try:
            save_plot(report, folder / "evaluation.png")
            files.append(folder / "evaluation.png")
        except ImportError:
            notes.append(
                "note: no plot, matplotlib is not installed; pip install 'kernelgan-fast[plots]'"
            )
    return [*notes, written(files, folder)]
