"""`kernelgan-fast evaluate`: kernels, or the super-resolution made with them, against the truth."""

from __future__ import annotations

import argparse

from kernelgan_fast.cli import evaluate_kernels, evaluate_sr

HELP = "measure kernels, or super-resolution, against the truth"
DESCRIPTION = """\
Measure estimated kernels against true ones, or photos that were enlarged with
them against the true photos.
"""
EPILOG = """\
kernelgan-fast evaluate kernels --help and kernelgan-fast evaluate sr --help
show the options.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what can be measured, each with its own arguments."""
    subjects = parser.add_subparsers(
        title="what to measure", dest="what", metavar="WHAT", required=True
    )
    for name, module in (("kernels", evaluate_kernels), ("sr", evaluate_sr)):
        subject = subjects.add_parser(
            name,
            help=module.HELP,
            description=module.DESCRIPTION,
            epilog=module.EPILOG,
            formatter_class=parser.formatter_class,
            allow_abbrev=False,
        )
        module.add_arguments(subject)
        subject.add_argument("--debug", action="store_true", help="show the traceback of an error")
        subject.set_defaults(measure=module.run)


def run(args: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    code: int = args.measure(args)
    return code
