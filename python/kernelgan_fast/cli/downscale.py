"""`kernelgan-fast downscale`: photos in, smaller photos out, by kernels of your choice."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from kernelgan_fast.cli.arguments import add_format, add_output, add_photos
from kernelgan_fast.cli.session import EXIT_CODES, ResizeSession

if TYPE_CHECKING:
    from kernelgan_fast.estimation.result import PhotoResult
    from kernelgan_fast.jobs.downscale import DownscaleRun

HELP = "make photos smaller by a kernel, or LR-HR pairs to train with"
DESCRIPTION = """\
Make photos smaller by a kernel and write, for a photo called NAME, into the
output folder:

  NAME_x2.png        the small photo
  downscale.json     how each was made: kernel, seed, versions

With --pairs, for training super-resolution:

  HR/NAME.png        the photo, cropped to a multiple of the scale
  LR/NAME.png        the small photo
  kernels/NAME.mat   the kernel that made it (variable "Kernel")

Kernels:
  FILE               .mat, .npy or .json; FILE:INDEX of several
  DIR                a folder of such files that holds the kernel of each
                     photo, by the SHA-256 in a record or by the photo's name
  estimate           each photo's own, by its spectrum
  bicubic            the antialiased bicubic kernel

With --kernel-pool DIR each photo draws a kernel from a folder at random, by
seed and name, such as `kernelgan-fast estimate` writes.

8 and 16 bits a channel, grey, alpha, colour profile and EXIF data are kept.
Values are rounded to the nearest level. Alpha goes through the same kernel.
"""
EPILOG = f"""\
{EXIT_CODES}
examples:
  kernelgan-fast downscale photo.png --kernel k.mat
  kernelgan-fast downscale photos/ --kernel estimate --scale 4 --out small
  kernelgan-fast downscale hr/ --kernel-pool kernels/ --pairs --out train
"""
DEFAULT_OUT = "kernelgan_small"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_photos(parser)
    what = parser.add_argument_group("what to make")
    kernels = what.add_mutually_exclusive_group(required=True)
    kernels.add_argument(
        "--kernel", metavar="KERNEL", help="a file, a folder of files, estimate or bicubic"
    )
    kernels.add_argument(
        "--kernel-pool", metavar="DIR", help="a folder to draw a kernel from for each photo"
    )
    what.add_argument("--scale", type=int, choices=(2, 4), default=2, help="default 2")
    what.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of draws and noise, default 0"
    )
    what.add_argument(
        "--noise",
        type=float,
        default=0.0,
        metavar="S",
        help="white noise of standard deviation S, in grey levels of 255",
    )
    what.add_argument(
        "--pairs", action="store_true", help="write HR/, LR/ and kernels/, to train with"
    )
    add_format(add_output(parser, DEFAULT_OUT))


def run(args: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    from kernelgan_fast.jobs.downscale import DownscaleRun, downscale_settings

    settings = downscale_settings(
        kernel=args.kernel,
        kernel_pool=args.kernel_pool,
        scale=args.scale,
        seed=args.seed,
        noise=args.noise,
        suffix=args.format,
        pairs=args.pairs,
    )
    return _Session(args, DownscaleRun(args.inputs, args.out, settings, resume=args.resume)).run()


class _Session(ResizeSession):
    def __init__(self, args: argparse.Namespace, downscale_run: DownscaleRun) -> None:
        super().__init__(args, downscale_run)
        self._settings = downscale_run.settings

    def plan(self) -> str:
        noise = f", noise {self.args.noise:g}" if self.args.noise else ""
        pairs = ", as pairs" if self.args.pairs else ""
        label = self._settings.kernels.label
        return f"by {label}, scale {self.args.scale}, seed {self.args.seed}{noise}{pairs}"

    def details(self, result: PhotoResult) -> dict[str, object]:
        names = ("applied", "kernel", "size_before", "size", "warnings")
        return {name: result.summary[name] for name in names}
