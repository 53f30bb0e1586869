"""`kernelgan-fast upscale`: photos in, larger photos out, with the kernel put to work."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from kernelgan_fast.cli.arguments import add_format, add_output, add_photos, noise_level
from kernelgan_fast.cli.session import EXIT_CODES, ResizeSession

if TYPE_CHECKING:
    from kernelgan_fast.estimation.result import PhotoResult
    from kernelgan_fast.jobs.upscale import UpscaleRun

HELP = "make photos larger, with the kernel that made them small"
DESCRIPTION = """\
Enlarge photos by super-resolution that knows the kernel which made them small,
and write, for a photo called NAME, into the output folder:

  NAME_x2.png        the large photo
  upscale.json       how each was made: method, kernel, settings, versions

Methods, from the quickest to the slowest:
  bicubic            the baseline, knows no kernel
  backprojection     adds what the small photo misses, eight times
  unfold             a small network that is told the kernel
  tv                 the plainest picture that the small photo allows
  zssr               trains a network on the photo itself, for minutes
  srmd               a published network; its weights are yours to bring

  --engine FILE      a model of `export sr`, in place of a method

Kernels:
  estimate           each photo's own, by its spectrum (the default)
  FILE               .mat, .npy or .json; FILE:INDEX of several
  DIR                a folder that `estimate` wrote: each photo's own, by the
                     SHA-256 in its record or, without one, by its name
  bicubic            as most programs make photos small

8 and 16 bits a channel, grey, alpha, colour profile and EXIF data are kept.
Large photos go through in tiles, without seams.
"""
EPILOG = f"""\
{EXIT_CODES}
examples:
  kernelgan-fast upscale photo.png
  kernelgan-fast upscale photos/ --scale 4 --method tv --out large --resume
  kernelgan-fast upscale photos/ --kernel kernelgan_out
  kernelgan-fast upscale photo.jpg --noise 3 --kernel k.mat
"""
DEFAULT_OUT = "kernelgan_large"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_photos(parser)
    what = parser.add_argument_group("what to make")
    what.add_argument(
        "--scale",
        type=int,
        choices=(1, 2, 3, 4),
        help="default 2, or the model's; 1 removes blur at the size of the photo",
    )
    what.add_argument(
        "--kernel",
        default="estimate",
        metavar="KERNEL",
        help="estimate (default), FILE, DIR, bicubic",
    )
    what.add_argument("--method", metavar="NAME", help="one of the above, default unfold")
    what.add_argument("--engine", metavar="FILE", help="a model that runs in its place")
    what.add_argument(
        "--noise",
        type=noise_level,
        metavar="S",
        help="auto (default): measured on each photo, with its compression; or a standard "
        "deviation in grey levels of 255; more is smoother, 0 is none",
    )
    what.add_argument("--iterations", type=int, metavar="N", help="of backprojection, tv and zssr")
    what.add_argument("--weights", metavar="FILE", help="of unfold (others than ours) or srmd")
    what.add_argument("--seed", type=int, default=0, metavar="N", help="of zssr, default 0")
    add_format(add_output(parser, DEFAULT_OUT))
    machine = parser.add_argument_group("machine")
    machine.add_argument(
        "--tile", type=int, metavar="PX", help="side of tiles, 0 for none (default automatic)"
    )
    machine.add_argument(
        "--precision",
        choices=("auto", "float32", "bfloat16", "float16"),
        default="auto",
        help="of networks; auto (default): bfloat16 or float16 where the hardware multiplies it",
    )
    machine.add_argument(
        "--device",
        default="cpu",
        metavar="NAME",
        help="cpu (default), cuda:1; of models also tensorrt",
    )
    machine.add_argument("--jobs", type=int, metavar="N", help="CPU threads (default all)")


def run(args: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    from kernelgan_fast.jobs.upscale import UpscaleRun, upscale_settings

    settings = upscale_settings(
        kernel=args.kernel,
        scale=args.scale,
        method=args.method,
        engine=args.engine,
        noise=args.noise,
        iterations=args.iterations,
        seed=args.seed,
        weights=args.weights,
        tile=args.tile,
        precision=args.precision,
        device=args.device,
        threads=args.jobs,
        suffix=args.format,
    )
    return _Session(args, UpscaleRun(args.inputs, args.out, settings, resume=args.resume)).run()


class _Session(ResizeSession):
    def __init__(self, args: argparse.Namespace, upscale_run: UpscaleRun) -> None:
        super().__init__(args, upscale_run)
        self._settings = upscale_run.settings

    def plan(self) -> str:
        settings = self._settings
        return f"{settings.method} by {settings.kernels.label}, scale {settings.scale}"

    def measured(self, result: PhotoResult) -> str:
        """Noise, compression, and the widths of the kernel with its expected error."""
        from kernelgan_fast.estimation.kernel_warnings import describe_widths

        facts, error = result.summary["kernel"], result.summary.get("expected_error")
        assert isinstance(facts, dict)
        kernel = f"kernel {describe_widths(facts)}"
        if isinstance(error, (int, float)):
            kernel += f" ± {error:.0%}"
        return f"{result.summary['measured']}, {kernel}"

    def details(self, result: PhotoResult) -> dict[str, object]:
        names = (
            "method",
            "applied",
            "kernel",
            "analysis",
            "tile",
            "size_before",
            "size",
            "warnings",
        )
        return {name: result.summary[name] for name in names}
