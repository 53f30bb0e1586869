"""`kernelgan-fast degrade`: HR photos in, LR photos and the true kernels that made them out."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING

from kernelgan_fast.cli.arguments import add_output, add_photos
from kernelgan_fast.cli.session import EXIT_CODES, Session
from kernelgan_fast.errors import InputError

if TYPE_CHECKING:
    from kernelgan_fast.estimation.result import PhotoResult

HELP = "make small photos with known kernels, to test estimates"
DESCRIPTION = """\
Shrink photos with kernels drawn from a blur model, or with a kernel of a file,
and write, for a photo called NAME, into the output folder:

  lr_x2/NAME.png     the small photo, 8 bits (16 of a deeper photo)
  gt_k_x2/NAME.mat   the kernel that made it (variable "Kernel")
  degradation.json   how each was made: blur model, parameters, seed, versions

Blur models:
  div2krk            as in DIV2KRK: Gaussians with noisy taps, 11 x 11, 31 x 31
  gaussian           round Gaussians
  anisotropic        elliptic Gaussians
  motion             paths of a shaken camera
  disk               disks, a lens out of focus
  bicubic bilinear lanczos box
                     the antialiased resamplers, no parameters
  FILE               a kernel as .mat, .npy or .json; FILE:INDEX of several

The same seed, blur model and name of a photo give the same kernel, whatever
else is in the folder. `kernelgan-fast evaluate kernels` takes it from there.
"""
EPILOG = f"""\
{EXIT_CODES}
examples:
  kernelgan-fast degrade photos/ --out test
  kernelgan-fast degrade photos/ --blur-model disk --set radius=3.2 --scale 2
  kernelgan-fast degrade photo.png --blur-model k.mat --noise 2 --jpeg 90
"""
DEFAULT_OUT = "kernelgan_lr"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_photos(parser)
    what = parser.add_argument_group("what to make")
    what.add_argument("--blur-model", default="div2krk", metavar="MODEL", help="default div2krk")
    what.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the blur model instead of a drawn one; may be repeated",
    )
    what.add_argument("--scale", type=int, choices=(2, 4), default=2, help="default 2")
    what.add_argument("--seed", type=int, default=0, metavar="N", help="default 0")
    what.add_argument(
        "--noise",
        type=float,
        default=0.0,
        metavar="S",
        help="white noise of standard deviation S, in grey levels of 255",
    )
    what.add_argument("--jpeg", type=int, metavar="Q", help="JPEG of quality Q, 1 to 95, 4:2:0")
    add_output(parser, DEFAULT_OUT)


def run(args: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    from kernelgan_fast.jobs.degrade import DegradeRun, degrade_settings

    settings = degrade_settings(
        blur_model=args.blur_model,
        scale=args.scale,
        seed=args.seed,
        noise=args.noise,
        jpeg=args.jpeg,
        fixed=_parameters(args.set),
    )
    return _Session(args, DegradeRun(args.inputs, args.out, settings, resume=args.resume)).run()


class _Session(Session):
    def plan(self) -> str:
        noise = f", noise {self.args.noise:g}" if self.args.noise else ""
        jpeg = f", JPEG {self.args.jpeg}" if self.args.jpeg is not None else ""
        drawn = f"blur model {self.args.blur_model}, scale {self.args.scale}, seed {self.args.seed}"
        return f"{drawn}{noise}{jpeg}"

    def line(self, result: PhotoResult) -> str:
        from kernelgan_fast.estimation.kernel_warnings import describe_widths

        facts = result.summary["kernel"]
        assert isinstance(facts, Mapping)
        return f"{result.source}  widths {describe_widths(facts)}  {self.files(result)[0]}"

    def details(self, result: PhotoResult) -> dict[str, object]:
        return {name: result.summary[name] for name in ("kernel", "parameters", "size", "warnings")}


def _parameters(given: list[str]) -> dict[str, float]:
    parameters: dict[str, float] = {}
    for word in given:
        name, equals, value = word.partition("=")
        try:
            parameters[name] = float(value)
        except ValueError:
            equals = ""
        if not equals:
            raise InputError(f"--set takes NAME=VALUE with a number, got {word!r}")
    return parameters
