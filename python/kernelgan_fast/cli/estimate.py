"""`kernelgan-fast estimate`: photos in, a folder of kernels out."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from kernelgan_fast.cli.session import EXIT_CODES, Session, counted

if TYPE_CHECKING:
    from kernelgan_fast.runs.folder import FolderRun
    from kernelgan_fast.runs.result import PhotoResult

HELP = "estimate the kernel of photos"
DESCRIPTION = """\
Estimate the downscaling kernel of each photo and write, for a photo called
NAME, into the output folder:

  NAME_kernel_x2.npy .mat .json .png   the kernel, 13 x 13 (variable "Kernel")
  NAME_kernel_x4.npy .mat .json .png   with --scale 4, 25 x 25
  NAME.json                            the record: settings, losses, timings,
                                       warnings; written last

Photos: png, jpeg, webp, tiff, bmp; both sides at least 84 px (64 with --real).
One line a photo goes to stdout, progress and messages to stderr. Files of an
earlier run are replaced. A photo that cannot be used is reported and the
others go on. After Ctrl-C, run the same command with --resume.
"""
EPILOG = f"""\
{EXIT_CODES}
examples:
  kernelgan-fast estimate photo.png
  kernelgan-fast estimate photos/ --out kernels --resume
  kernelgan-fast estimate "shots/*.jpg" --real --scale 4 --seeds 3
"""
_DETAILS = ("kernels", "expected_error", "spread", "warnings", "timings", "device", "device_choice")
DEFAULT_OUT = "kernelgan_out"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="PHOTO",
        help='files, folders, or patterns such as "shots/*.png"',
    )
    _add_what(parser)
    output = parser.add_argument_group("output")
    output.add_argument(
        "--out", default=DEFAULT_OUT, metavar="DIR", help=f"folder, default ./{DEFAULT_OUT}"
    )
    output.add_argument(
        "--formats",
        default="npy,mat,json,png",
        metavar="LIST",
        help="some of npy,mat,json,png (default all)",
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


def _add_what(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group("what to estimate")
    what.add_argument("--scale", type=int, choices=(2, 4), default=2, help="default 2")
    what.add_argument(
        "--profile",
        default="default",
        metavar="NAME",
        help="default (no training); paper (as published); mended (its faults mended); fast",
    )
    what.add_argument(
        "--method",
        choices=("kernelgan", "spectral"),
        default="kernelgan",
        help="kernelgan trains as the profile says; spectral never does",
    )
    what.add_argument("--iterations", type=int, metavar="N", help="instead of the profile's number")
    what.add_argument("--seed", type=int, default=0, metavar="N", help="default 0")
    what.add_argument(
        "--seeds",
        type=int,
        default=1,
        metavar="K",
        help="train K times (seeds N, N+1, ...) and give the mean kernel and its spread",
    )
    what.add_argument(
        "--real",
        action="store_true",
        help="a camera's photo: keep its edges (otherwise 10 px a side are cut off)",
    )


def run(args: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    from kernelgan_fast.api import estimate_files

    folder_run = estimate_files(
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
        formats=[word.strip() for word in args.formats.split(",") if word.strip()],
        resume=args.resume,
    )
    return _Session(args, folder_run).run()


class _Session(Session):
    def __init__(self, args: argparse.Namespace, folder_run: FolderRun) -> None:
        super().__init__(args, folder_run)
        self._settings = folder_run.settings

    def plan(self) -> str:
        config, seeds = self._settings.config, len(self._settings.seeds)
        many = f", {seeds} seeds" if seeds > 1 else ""
        threads = counted(self._settings.threads, "thread")
        gpus = [name for name in self._settings.devices if name.startswith("cuda")]
        place = ", ".join([*gpus, threads])
        return f"profile {config.profile}, {config.iterations} iterations{many}, {place}"

    def line(self, result: PhotoResult) -> str:
        facts = _kernel_facts(result)[f"x{self.args.scale}"]
        widths = f"{facts['width_major']:.2f} x {facts['width_minor']:.2f} px"
        spread = result.summary["spread"]
        told = f"  spread {spread:.0%}" if isinstance(spread, float) else ""
        return (
            f"{result.source}  widths {widths} at {facts['angle']:.0f} deg{told}  "
            f"{self._kernel_file(result)}"
        )

    def details(self, result: PhotoResult) -> dict[str, object]:
        return {name: result.summary[name] for name in _DETAILS}

    def _kernel_file(self, result: PhotoResult) -> str:
        ending = f"_kernel_x{self.args.scale}"
        return next(file for file in self.files(result) if Path(file).stem.endswith(ending))


def _kernel_facts(result: PhotoResult) -> Mapping[str, Mapping[str, float]]:
    kernels = result.summary["kernels"]
    return kernels if isinstance(kernels, Mapping) else {}
