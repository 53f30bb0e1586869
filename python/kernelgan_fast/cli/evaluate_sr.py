"""`kernelgan-fast evaluate sr`: super-resolution methods x kernels, measured on true photos."""

from __future__ import annotations

import argparse
import difflib
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kernelgan_fast.cli.arguments import noise_level
from kernelgan_fast.cli.console import print_document, print_message
from kernelgan_fast.cli.progress import Reporter, make_reporter
from kernelgan_fast.cli.reports import add_report, listed, written
from kernelgan_fast.errors import InputError, TrainingDiverged
from kernelgan_fast.estimation.result import ProgressEvent

if TYPE_CHECKING:
    from kernelgan_fast.evaluation.sr_kernels import GivenKernel, Kernels
    from kernelgan_fast.evaluation.sr_report import SrReport
    from kernelgan_fast.evaluation.sr_set import SrPhoto, SrSet
    from kernelgan_fast.jobs.outputs import OutputFolder

HELP = "measure super-resolution with true and estimated kernels"
DESCRIPTION = """\
Enlarge LR photos by several methods with several kernels and measure how near
they come to the true photos: the table 1 of the paper.

TEST_DIR holds LR photos in lr_x2/ (or lr_x4/), the true photos in hr/ or gt/,
and true kernels in gt_k_x2/: as `degrade` makes it with the HR photos beside,
or DIV2KRK. im_7 belongs to img_7_gt and to kernel_7.

Methods: bicubic (always measured, without a kernel), and all that `upscale`
has: backprojection, tv, unfold, zssr, srmd. spandrel:FILE is another program's
network (RCAN, SwinIR, ...) with its weights, if spandrel is installed.

Kernels:
  bicubic            the antialiased bicubic kernel, as if none were known
  true               those of gt_k_x2/
  spectral, paper, … estimated now from the LR photo: a method of `estimate`,
                     or a profile of its method kernelgan
  selected           what `upscale` takes: estimated now, then chosen by its
                     expected loss
  DIR                a folder of estimates

PSNR and SSIM are those of the luma (MATLAB's), with as many pixels cut off
each side as the scale is. Results are rounded to 8 bits first. Markdown tables
go to stdout; with --out they are written there too, as sr_x2.md, .csv, .json.
"""
EPILOG = """\
exit codes: 0 all done, 1 something could not be measured, 2 wrong usage or
nothing to measure, 3 the output folder cannot be used, 130 Ctrl-C

examples:
  kernelgan-fast evaluate sr set --methods backprojection,tv
  kernelgan-fast evaluate sr DIV2KRK --scale 4 --photos 10 --out report
  kernelgan-fast evaluate sr set --hr photos --kernels found,selected,true
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("test", metavar="TEST_DIR", help="folder of LR photos and the truth")
    parser.add_argument("--scale", type=int, choices=(2, 4), default=2, help="default 2")
    parser.add_argument(
        "--methods",
        default="bicubic,backprojection,tv,unfold",
        metavar="LIST",
        help="default bicubic,backprojection,tv,unfold",
    )
    parser.add_argument(
        "--kernels",
        default="bicubic,selected,true",
        metavar="LIST",
        help="default bicubic,selected,true",
    )
    parser.add_argument("--hr", metavar="DIR", help="folder of the true photos")
    parser.add_argument(
        "--photos", metavar="N|GLOB", help='the first N, or names such as "im_1*,im_7"'
    )
    parser.add_argument(
        "--noise",
        type=noise_level,
        default="auto",
        metavar="S",
        help="noise of the LR photos in grey levels of 255; auto (default) measures it",
    )
    parser.add_argument(
        "--weights",
        action="append",
        default=[],
        metavar="METHOD=FILE",
        help="weights of a method; may be given for several",
    )
    parser.add_argument(
        "--precision",
        choices=("float32", "bfloat16", "float16"),
        default="float32",
        help="of networks, default float32",
    )
    parser.add_argument("--device", default="cpu", metavar="NAME", help="cpu (default), cuda:1")
    parser.add_argument(
        "--rounded-luma", action="store_true", help="round luma as MATLAB does of 8-bit photos"
    )
    add_report(parser, "the tables")


def run(args: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    from kernelgan_fast.jobs.outputs import OutputFolder

    folder = None if args.out is None else OutputFolder(args.out)
    try:
        return _measure(args, folder)
    finally:
        if folder is not None:
            folder.remove_if_unused()


def _measure(args: argparse.Namespace, folder: OutputFolder | None) -> int:
    from kernelgan_fast.evaluation import sr_tables
    from kernelgan_fast.evaluation.sr_bench import SrOptions, check_request, evaluate_sr
    from kernelgan_fast.evaluation.sr_set import find_set
    from kernelgan_fast.jobs.upscale import upscale_settings

    test = find_set(args.test, args.scale, high=args.hr)
    if args.photos is not None:
        test = test.chosen(int(args.photos) if args.photos.isdecimal() else _words(args.photos))
    methods, names = _words(args.methods), _words(args.kernels)
    check_request(methods, names)
    finders = [_finder(name, test) for name in names]
    # `upscale` checks what it shares with this command.
    upscale_settings(
        kernel="bicubic",
        scale=args.scale,
        noise=args.noise,
        precision=args.precision,
        device=args.device,
    )
    weights = _weights(args.weights, methods)
    options = SrOptions(args.noise, args.precision, weights, args.device, args.rounded_luma)
    if test.without_high and not args.quiet:
        print_message(f"note: no HR photo for {listed(test.without_high)}")
    kernels = [find(args.quiet) for find in finders]
    with _reporter(args.quiet) as reporter:
        report = evaluate_sr(test, methods, kernels, options, progress=_Progress(test, reporter))
    for line in _errors(report):
        print_message(f"error: {line}")
    if folder is not None:
        note = written(sr_tables.save(report, folder.path), folder.path)
        if not args.quiet:
            print_message(note)
    if args.json:
        print_document(json.dumps(sr_tables.document(report), indent=1, allow_nan=False))
    elif report.rows:
        print_document(sr_tables.markdown(report, photos=not args.summary))
    return 1 if report.failures else 0


@contextmanager
def _reporter(quiet: bool) -> Iterator[Reporter]:
    """Shows the progress of one part of the run."""
    reporter = make_reporter(sys.stderr, quiet=quiet)
    try:
        yield reporter
    finally:
        reporter.clear()


def _finder(name: str, test: SrSet) -> Callable[[bool], Kernels]:
    """What finds the kernels of a name, quietly or not.

    Files are read, and what is wrong is told, before that: estimates may take long.
    """
    from kernelgan_fast.estimation.options import METHODS
    from kernelgan_fast.evaluation import sr_kernels
    from kernelgan_fast.gan.config import PROFILES

    found: Kernels
    if name in PROFILES or name in METHODS:
        return lambda quiet: _estimated(name, test, quiet=quiet)
    if name == sr_kernels.BICUBIC:
        found = sr_kernels.bicubic_kernels(test)
    elif name == sr_kernels.TRUE:
        found = sr_kernels.true_kernels(test)
    elif name == sr_kernels.SELECTED:
        return lambda quiet: _selected(test, quiet=quiet)
    elif Path(name).is_dir():
        found = sr_kernels.stored_kernels(name, test)
    else:
        known = [sr_kernels.BICUBIC, sr_kernels.TRUE, sr_kernels.SELECTED, *METHODS, *PROFILES]
        nearest = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {nearest[0]}?" if nearest else ""
        raise InputError(
            f"kernels must be some of {', '.join(known)} or a folder of estimates, "
            f"got {name!r}{hint}"
        )
    return lambda quiet: found


def _selected(test: SrSet, *, quiet: bool) -> Kernels:
    """Select the kernels of all photos as `upscale` does it."""
    from kernelgan_fast.evaluation.sr_kernels import SELECTED, selected_kernels

    with _reporter(quiet) as reporter:
        reporter.say(f"estimating kernels: {SELECTED}")
        return selected_kernels(test)


def _estimated(name: str, test: SrSet, *, quiet: bool) -> Kernels:
    """Estimate the kernels of all photos, in batches; one that fails does not stop the others."""
    from kernelgan_fast.evaluation.sr_kernels import Kernels

    kernels: list[GivenKernel | str]
    with _reporter(quiet) as reporter:
        reporter.say(f"estimating kernels: {name}")
        try:
            kernels = [*_batch(name, test.photos, test.scale, reporter)]
        except (InputError, TrainingDiverged):
            kernels = [_one(name, photo, test.scale, reporter) for photo in test.photos]
    keys = [photo.key for photo in test.photos]
    return Kernels(name, dict(zip(keys, kernels, strict=True)))


def _one(name: str, photo: SrPhoto, scale: int, reporter: Reporter) -> GivenKernel | str:
    try:
        return _batch(name, [photo], scale, reporter)[0]
    except (InputError, TrainingDiverged) as error:
        return str(error)


def _batch(
    name: str, photos: Sequence[SrPhoto], scale: int, reporter: Reporter
) -> list[GivenKernel]:
    from kernelgan_fast.api import estimate
    from kernelgan_fast.estimation.options import method_or_profile
    from kernelgan_fast.evaluation.sr_kernels import UNKNOWN_ERROR, GivenKernel

    began = time.perf_counter()
    found = estimate(
        [photo.low for photo in photos],
        scale=scale,
        **method_or_profile(name),
        progress=reporter.update,
    )
    seconds = (time.perf_counter() - began) / len(photos)
    errors = [each.expected_error for each in found]
    return [
        GivenKernel(each.kernel, UNKNOWN_ERROR if error is None else error, seconds)
        for each, error in zip(found, errors, strict=True)
    ]


def _weights(given: Sequence[str], methods: Sequence[str]) -> dict[str, Path]:
    files = {}
    for item in given:
        method, _, file = item.partition("=")
        if method not in methods or not file:
            raise InputError(
                f"--weights must be METHOD=FILE with one of {', '.join(methods)}, got {item!r}"
            )
        files[method] = Path(file)
    return files


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _errors(report: SrReport) -> list[str]:
    """What could not be measured, the same of several photos in one line."""
    photos: dict[str, list[str]] = {}
    for failure in report.failures:
        way = failure.way
        what = f"{way}: " if way and way.method else f"kernel {way.kernel}: " if way else ""
        photos.setdefault(what + failure.error, []).append(failure.photo)
    return [
        f"{error} ({len(names)} photos)" if len(names) > 1 else f"{names[0]}: {error}"
        for error, names in photos.items()
    ]


@dataclass(frozen=True)
class _Event(ProgressEvent):
    """Where the run stands, within a photo too: methods may take minutes."""

    part: float = 0.0

    @property
    def fraction(self) -> float:
        return self.part


class _Progress:
    """Turns the part that is done into events of a run."""

    def __init__(self, test: SrSet, reporter: Reporter) -> None:
        self._photos = test.photos
        self._reporter = reporter
        self._began = time.perf_counter()

    def __call__(self, part: float) -> None:
        total = len(self._photos)
        done = min(int(part * total + 1e-9), total - 1)
        elapsed = time.perf_counter() - self._began
        event = _Event(
            photos_done=done,
            photos_total=total,
            iteration=0,
            iterations=0,
            losses={},
            elapsed=elapsed,
            remaining=elapsed * (1 - part) / part if part > 0 else None,
            batch=(self._photos[done].name,),
            part=part,
        )
        self._reporter.update(event)
