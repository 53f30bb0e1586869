"""`kernelgan-fast estimate`: photos in, a folder of kernels out."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kernelgan_fast.cli.arguments import add_output, add_photos
from kernelgan_fast.cli.session import EXIT_CODES, Session, counted
from kernelgan_fast.errors import InputError

if TYPE_CHECKING:
    from kernelgan_fast.estimation.options import Tiles
    from kernelgan_fast.estimation.result import PhotoResult
    from kernelgan_fast.jobs.distributed import FleetRun
    from kernelgan_fast.jobs.estimate import FolderRun

HELP = "estimate the kernel of photos"
DESCRIPTION = """\
Estimate the downscaling kernel of each photo and write, for a photo called
NAME, into the output folder:

  NAME_kernel_x2.npy .mat .json .png   the kernel, 13 x 13 (variable "Kernel")
  NAME_kernel_x4.npy .mat .json .png   with --scale 4, 25 x 25
  NAME_tiles_x2.npz .png               with --tiles, kernels by region
  NAME.json                            the record: settings, losses, timings,
                                       warnings; written last
  report.html                          with --report, all of it to look at

Photos: png, jpeg, webp, tiff, bmp; both sides at least 48 px, or 84 px (64
with --real) for the methods kernelgan and recurrence.
One line per photo goes to stdout, progress and messages to stderr. Files of an
earlier run are replaced. A photo that cannot be used is reported and the
others go on. After Ctrl-C, run the same command with --resume.
"""
EPILOG = f"""\
{EXIT_CODES}
examples:
  kernelgan-fast estimate photo.png
  kernelgan-fast estimate photos/ --out kernels --resume
  kernelgan-fast estimate "shots/*.jpg" --scale 4
  kernelgan-fast estimate photo.png --tiles
  kernelgan-fast estimate s3://b/photos --engine ray --out s3://b/kernels
"""
_DETAILS = (
    "kernels",
    "recurrence",
    "tiles",
    "expected_error",
    "spread",
    "warnings",
    "timings",
    "device",
    "device_choice",
)
DEFAULT_OUT = "kernelgan_out"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_photos(parser)
    _add_what(parser)
    output = add_output(parser, DEFAULT_OUT)
    output.add_argument(
        "--formats",
        default="npy,mat,json,png",
        metavar="LIST",
        help="some of npy,mat,json,png (default all)",
    )
    output.add_argument(
        "--report", action="store_true", help="a page of all kernels too, DIR/report.html"
    )
    machine = parser.add_argument_group("machine")
    machine.add_argument(
        "--jobs", type=int, metavar="N", help="CPU threads (default: all this process may use)"
    )
    machine.add_argument(
        "--device",
        default="auto",
        metavar="NAME",
        help="cpu, cuda, cuda:1, or auto (default): the CPU or the first GPU, as measured",
    )
    machine.add_argument("--devices", metavar="LIST", help='several GPUs: "cuda:0,cuda:1", or all')
    machine.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="ray: workers on many machines, each with --jobs threads (default 1), and "
        "kernels.parquet besides; needs the extra ray",
    )
    machine.add_argument(
        "--address",
        metavar="HOST:PORT",
        help="of the Ray cluster (default: the one this machine is in, else it alone)",
    )


def _add_what(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group("what to estimate")
    what.add_argument("--scale", type=int, choices=(1, 2, 3, 4), default=2, help="default 2")
    what.add_argument(
        "--method",
        choices=("spectral", "kernelgan", "recurrence"),
        help="spectral (default): in closed form from the spectrum, the most accurate; kernelgan: "
        "trains a GAN on the photo; recurrence: searches for patches that recur (Michaeli and "
        "Irani)",
    )
    what.add_argument(
        "--profile",
        metavar="NAME",
        help="of kernelgan: corrected (default) or paper (as published)",
    )
    what.add_argument("--iterations", type=int, metavar="N", help="instead of the usual number")
    what.add_argument("--seed", type=int, default=0, metavar="N", help="default 0")
    what.add_argument(
        "--seeds",
        type=int,
        default=1,
        metavar="K",
        help="train or search K times (seeds N, N+1, ...) and give the mean kernel and its spread",
    )
    what.add_argument(
        "--tiles",
        nargs="?",
        type=_tiles_word,
        const="auto",
        metavar="ROWSxCOLS",
        help="estimate a kernel for each region too, as lenses blur more in the corners; without "
        "a number as many regions as the photo has room for (method spectral)",
    )
    what.add_argument(
        "--real",
        action="store_true",
        help="for kernelgan and recurrence: use the edges of a camera's photo (otherwise 10 px "
        "per side are cut off); spectral always uses the whole photo",
    )


def _tiles_word(word: str) -> tuple[int, int] | str:
    rows, times, cols = word.partition("x")
    if times and rows.isdecimal() and cols.isdecimal():
        return int(rows), int(cols)
    if word == "auto":
        return word
    raise argparse.ArgumentTypeError(
        f"must be ROWSxCOLS such as 5x7, got {word!r}; without a number put it after the photos"
    )


def run(args: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    if args.report and "://" in args.out:
        raise InputError(
            f"--report needs a folder of this machine, got {args.out}; leave it out, copy the "
            "results here, then `kernelgan-fast report`"
        )
    return _Session(args, _made(args)).run()


def _made(args: argparse.Namespace) -> FolderRun | FleetRun:
    return _maker(args)(
        args.inputs,
        args.out,
        scale=args.scale,
        profile=args.profile,
        method=args.method,
        iterations=args.iterations,
        seed=args.seed,
        seeds=args.seeds,
        real=args.real,
        device=args.device,
        devices=args.devices,
        threads=args.jobs,
        tiles=args.tiles,
        formats=[word.strip() for word in args.formats.split(",") if word.strip()],
        resume=args.resume,
    )


def _maker(args: argparse.Namespace) -> Callable[..., FolderRun | FleetRun]:
    far = any("://" in word for word in (*args.inputs, args.out))
    if args.engine == "local" and args.address is None and not far:
        from kernelgan_fast.api import estimate_files

        return estimate_files
    from kernelgan_fast.jobs.distributed import estimate_everywhere

    return partial(estimate_everywhere, engine=args.engine, address=args.address)


class _Session(Session):
    def __init__(self, args: argparse.Namespace, photo_run: FolderRun | FleetRun) -> None:
        super().__init__(args, photo_run)
        self._settings = photo_run.settings

    def plan(self) -> str:
        seeds = len(self._settings.seeds)
        many = f", {seeds} seeds" if seeds > 1 else ""
        threads = counted(self._settings.threads, "thread")
        gpus = [name for name in self._settings.devices if name.startswith("cuda")]
        place = ", ".join([*gpus, threads])
        if self.args.engine == "ray":
            place = f"on Ray, {threads} per worker"
        return f"{self._settings.describe()}{many}{_grid(self._settings.tiles)}, {place}"

    def line(self, result: PhotoResult) -> str:
        from kernelgan_fast.estimation.kernel_warnings import describe_widths

        parts = [f"widths {describe_widths(_kernel_facts(result)[f'x{self.args.scale}'])}"]
        spread = result.summary["spread"]
        if isinstance(spread, float):
            parts.append(f"spread {spread:.0%}")
        parts += _tiles(result)
        return "  ".join([str(result.source), *parts, self._kernel_file(result)])

    def details(self, result: PhotoResult) -> dict[str, object]:
        return {name: result.summary[name] for name in _DETAILS if name in result.summary}

    def ended(self) -> dict[str, object]:
        """Write the report, of earlier runs' photos too."""
        if not self.args.report:
            return {}
        from kernelgan_fast.cli.report import summary
        from kernelgan_fast.report.writing import write_report

        written = write_report(self.args.out, failures=self.failures, progress=self.reporter.update)
        self.reporter.clear()
        self.reporter.say(f"report {written.path}: {summary(written)}")
        return {"report": str(written.path)}

    def _kernel_file(self, result: PhotoResult) -> str:
        ending = f"_kernel_x{self.args.scale}"
        return next(file for file in self.files(result) if Path(file).stem.endswith(ending))


def _grid(tiles: Tiles) -> str:
    if tiles is None:
        return ""
    return ", tiles" if isinstance(tiles, str) else f", {tiles[0]} x {tiles[1]} tiles"


def _tiles(result: PhotoResult) -> list[str]:
    """The least and the largest mean width of the regions, where there are any."""
    facts = result.summary.get("tiles")
    if not isinstance(facts, Mapping) or facts["grid"] == [1, 1]:
        return []
    rows, cols = facts["grid"]
    means = [
        math.sqrt(major * minor)
        for majors, minors in zip(facts["width_major"], facts["width_minor"], strict=True)
        for major, minor in zip(majors, minors, strict=True)
        if major is not None
    ]
    reach = f" of {min(means):.2f} to {max(means):.2f} px" if means else ""
    return [f"{rows} x {cols} tiles{reach}"]


def _kernel_facts(result: PhotoResult) -> Mapping[str, Mapping[str, float]]:
    kernels = result.summary["kernels"]
    return kernels if isinstance(kernels, Mapping) else {}
