"""`kernelgan-fast export`: models that other programs run."""

from __future__ import annotations

import argparse
import json

HELP = "write the downscaler or the upscaler as an ONNX model"
DESCRIPTION = """\
Write a model that other programs run: one ONNX file, compared with PyTorch
before it is put in place. Needs the extra onnx.

With --kernel the kernel is part of the model, which is then a plain one from
photo to photo, for programs that know nothing of kernels. With --size the
kernel is an input of the model.
"""
EPILOG = """\
kernelgan-fast export downscale --help and kernelgan-fast export sr --help
show the options.
"""
_EXIT_CODES = """\
exit codes: 0 done, 2 wrong usage, 3 the file cannot be written or the model
does not do what PyTorch does
"""
_SUBJECTS = {
    "downscale": (
        "photos made smaller by a kernel",
        "kernelgan-fast export downscale --kernel photo_kernel_x2.npy",
    ),
    "sr": (
        "photos made larger by the method unfold",
        "kernelgan-fast export sr --size 13 --precision float16 --out sr.onnx",
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
            epilog=f"{_EXIT_CODES}\nexample:\n  {example}",
            formatter_class=parser.formatter_class,
            allow_abbrev=False,
        )
        _add_model(subject)
        if name == "sr":
            subject.add_argument(
                "--noise",
                type=float,
                metavar="S",
                help="with --kernel: the photos' noise in grey levels of 255",
            )
            subject.add_argument("--weights", metavar="FILE", help="others than ours")
        subject.add_argument("--debug", action="store_true", help="show the traceback of an error")


def run(args: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    from kernelgan_fast.runs.exporting import engine_of, export_model

    done = export_model(
        args.what,
        kernel=args.kernel,
        size=args.size,
        scale=args.scale,
        noise=getattr(args, "noise", None),
        weights=getattr(args, "weights", None),
        precision=args.precision,
        out=args.out,
    )
    engine = None if args.engine is None else engine_of(done.path, args.engine, args.engine_dir)
    if args.json:
        document = {
            "file": str(done.path),
            "bytes": done.size,
            "difference": done.difference,
            "engine": engine and str(engine),
        }
        print(json.dumps(document, indent=1))
    else:
        print(f"{done.path}  {done.size} bytes, within {done.difference:.1e} of PyTorch")
        if engine is not None:
            print(engine)
    return 0


def _add_model(parser: argparse.ArgumentParser) -> None:
    kernels = parser.add_mutually_exclusive_group(required=True)
    kernels.add_argument("--kernel", metavar="FILE", help="to bake in: .mat .npy .json, bicubic")
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
