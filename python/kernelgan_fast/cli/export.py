"""`kernelgan-fast export`: models that other programs run."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable

from kernelgan_fast.cli.console import print_document, print_result
from kernelgan_fast.cli.progress import Reporter, make_reporter
from kernelgan_fast.estimation.result import ProgressEvent

HELP = "write the downscaler or the upscaler as an ONNX model"
DESCRIPTION = """\
Write a model that other programs run: one ONNX file, compared with PyTorch
before it is put in place. Needs the extra onnx.

With --kernel the kernel is part of the model, which is then a plain one from
photo to photo, for programs that know nothing of kernels. With --size the
kernel is an input of the model.

Of the methods that enlarge, zssr is trained first, for minutes, on a photo of
yours, and its model is for photos like that one; srmd needs weights of yours.
Both have their kernel built in.
"""
EPILOG = """\
kernelgan-fast export downscale --help and kernelgan-fast export sr --help
show the options.
"""
_EXIT_CODES = """\
exit codes: 0 done, 1 the training failed, 2 wrong usage, 3 the file cannot be
written or the model does not do what PyTorch does
"""
_SUBJECTS = {
    "downscale": (
        "photos made smaller by a kernel",
        "kernelgan-fast export downscale --kernel photo_kernel_x2.npy",
    ),
    "sr": (
        "photos made larger",
        "kernelgan-fast export sr --size 13 --precision float16 --out sr.onnx\n"
        "  kernelgan-fast export sr --method zssr --photo photo.png --kernel k.mat",
    ),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what can be exported, each with its own arguments."""
    subjects = parser.add_subparsers(
        title="what to export", dest="what", metavar="WHAT", required=True
    )
    for name, (about, example) in _SUBJECTS.items():
        subject = subjects.add_parser(
            name,
            help=about,
            description=f"Write a model: {about}.",
            epilog=f"{_EXIT_CODES}\nexamples:\n  {example}",
            formatter_class=parser.formatter_class,
            allow_abbrev=False,
        )
        if name == "sr":
            _add_method(subject)
        _add_model(subject, required=name != "sr")
        subject.add_argument("--debug", action="store_true", help="show the traceback of an error")


def run(args: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    from kernelgan_fast.jobs.export import engine_of, export_model

    own = ("method", "noise", "weights", "photo", "iterations", "seed")
    reporter = make_reporter(sys.stderr, quiet=args.quiet)
    done = export_model(
        args.what,
        kernel=args.kernel,
        size=args.size,
        scale=args.scale,
        precision=args.precision,
        out=args.out,
        progress=_progress(reporter),
        **{name: getattr(args, name) for name in own if hasattr(args, name)},
    )
    reporter.clear()
    for note in done.notes:
        reporter.say(f"note: {note}")
    engine = None if args.engine is None else engine_of(done.path, args.engine, args.engine_dir)
    if args.json:
        document = {
            "file": str(done.path),
            "bytes": done.size,
            "difference": done.difference,
            "warnings": list(done.notes),
            "engine": engine and str(engine),
        }
        print_document(json.dumps(document, indent=1))
    else:
        print_result(f"{done.path}  {done.size} bytes, within {done.difference:.1e} of PyTorch")
        if engine is not None:
            print_result(engine)
    return 0


def _progress(reporter: Reporter) -> Callable[[int, int], None]:
    begun = time.monotonic()

    def report(done: int, total: int) -> None:
        elapsed = time.monotonic() - begun
        remaining = elapsed * (total - done) / done if done else None
        reporter.update(
            ProgressEvent(0, 1, done, total, {}, elapsed, remaining, batch=("the photo",))
        )

    return report


def _add_method(parser: argparse.ArgumentParser) -> None:
    method = parser.add_argument_group("method")
    method.add_argument(
        "--method", choices=("unfold", "zssr", "srmd"), default="unfold", help="default unfold"
    )
    method.add_argument("--weights", metavar="FILE", help="of unfold (others than ours) or srmd")
    method.add_argument("--photo", metavar="FILE", help="of zssr, which is trained on it")
    method.add_argument("--iterations", type=int, metavar="N", help="of zssr, default 1000")
    method.add_argument("--seed", type=int, default=0, metavar="N", help="of zssr, default 0")
    method.add_argument(
        "--noise",
        type=float,
        metavar="S",
        help="with a kernel: the photos' noise in grey levels of 255",
    )


def _add_model(parser: argparse.ArgumentParser, *, required: bool) -> None:
    kernels = parser.add_mutually_exclusive_group(required=required)
    kernels.add_argument(
        "--kernel",
        metavar="FILE",
        help="to bake in: .mat .npy .json, bicubic; of zssr also estimate, its default",
    )
    kernels.add_argument("--size", type=int, metavar="K", help="of a kernel that is an input")
    parser.add_argument("--scale", type=int, choices=(2, 4), default=2, help="default 2")
    parser.add_argument(
        "--precision", choices=("float32", "float16"), default="float32", help="default float32"
    )
    parser.add_argument("--out", metavar="FILE", help="default e.g. unfold_x2.onnx, here")
    parser.add_argument(
        "--engine", choices=("tensorrt", "tensorrt-rtx"), help="build its engine too, and keep it"
    )
    parser.add_argument(
        "--engine-dir", metavar="DIR", help="for engines, default ~/.cache/kernelgan-fast/engines"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--quiet", action="store_true", help="no progress and no notes on stderr")
