"""`kernelgan-fast estimate`: photos in, a folder of kernels out."""

from __future__ import annotations

import argparse
import json
import logging
import signal
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kernelgan_fast.cli.progress import Reporter, clock, make_reporter
from kernelgan_fast.errors import OutputError

if TYPE_CHECKING:
    from types import FrameType

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
EPILOG = """\
exit codes: 0 all done, 1 a photo failed, 2 wrong usage, 3 nothing could be
done, 130 Ctrl-C, 143 terminated

examples:
  kernelgan-fast estimate photo.png
  kernelgan-fast estimate photos/ --out kernels --resume
  kernelgan-fast estimate "shots/*.jpg" --real --scale 4 --seeds 3
"""
DEFAULT_OUT = "kernelgan_out"


class Terminated(KeyboardInterrupt):
    """SIGTERM, treated as Ctrl-C is: clean up, say how to go on."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="PHOTO",
        help='files, folders, or patterns such as "shots/*.png"',
    )
    what = parser.add_argument_group("what to estimate")
    what.add_argument("--scale", type=int, choices=(2, 4), default=2, help="default 2")
    what.add_argument(
        "--profile",
        default="default",
        metavar="NAME",
        help="default; fast (1000 iterations); paper (as published, with its faults)",
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
        help="auto or cpu; cuda is not part of this version yet",
    )


def run(args: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    from kernelgan_fast.api import estimate_files

    folder_run = estimate_files(
        args.inputs,
        args.out,
        scale=args.scale,
        profile=args.profile,
        iterations=args.iterations,
        seed=args.seed,
        seeds=args.seeds,
        real=args.real,
        device=args.device,
        threads=args.jobs,
        formats=[word.strip() for word in args.formats.split(",") if word.strip()],
        resume=args.resume,
    )
    session = _Session(args, folder_run)
    with _sigterm_as_interrupt(), _python_warnings_to(session.reporter):
        return session.run()


class _Session:
    """One run of the command: what was printed, what became of the photos."""

    def __init__(self, args: argparse.Namespace, folder_run: FolderRun) -> None:
        self.reporter: Reporter = make_reporter(sys.stderr, quiet=args.quiet)
        self._args = args
        self._run = folder_run
        self._counts = {"done": 0, "skipped": 0, "failed": 0}
        self._entries: list[dict[str, object]] = []

    def run(self) -> int:
        self._announce()
        code = None
        try:
            with closing(self._run.results(self.reporter.update)) as results:
                for result in results:
                    self._counts[result.status] += 1
                    if self._args.json:
                        self._entries.append(self._entry(result))
                    self._show(result)
        except KeyboardInterrupt as stop:
            code = 143 if isinstance(stop, Terminated) else 130
            self._stopped("terminated" if code == 143 else "interrupted")
        except OutputError as error:
            code = 1 if self._counts["done"] else 3
            self._stopped(f"error: {error}")
        finally:
            self.reporter.clear()
        if code is None:
            code = 1 if self._counts["failed"] else 0
            self._sum_up()
        if self._args.json:
            print(json.dumps(self._document(interrupted=code >= 130), indent=1))
        return code

    def _announce(self) -> None:
        settings = self._run.settings
        seeds = f", {len(settings.seeds)} seeds" if len(settings.seeds) > 1 else ""
        self.reporter.say(
            f"{_counted(len(self._run), 'photo')}, profile {settings.config.profile}, "
            f"{settings.config.iterations} iterations{seeds}, "
            f"{_counted(settings.threads, 'thread')}, into {self._run.folder.path}"
        )
        for notice in self._run.notices:
            self.reporter.say(f"note: {notice}")

    def _show(self, result: PhotoResult) -> None:
        self.reporter.clear()
        if result.status == "failed":
            print(f"error: {result.error}", file=sys.stderr)
            return
        if not self._args.json:
            print(self._line(result), flush=True)
        place = f"{sum(self._counts.values())}/{len(self._run)}"
        what = "done earlier" if result.status == "skipped" else "done"
        self.reporter.finished(f"{what} {place}: {result.source}")
        if result.status == "done":
            for warning in _items(result.summary["warnings"]):
                self.reporter.say(f"note: {result.source}: {warning}")

    def _line(self, result: PhotoResult) -> str:
        facts = _kernel_facts(result)[f"x{self._args.scale}"]
        widths = f"{facts['width_major']:.2f} x {facts['width_minor']:.2f} px"
        spread = result.summary["spread"]
        told = f"  spread {spread:.0%}" if isinstance(spread, float) else ""
        return (
            f"{result.source}  widths {widths} at {facts['angle']:.0f} deg{told}  "
            f"{self._kernel_file(result)}"
        )

    def _kernel_file(self, result: PhotoResult) -> str:
        ending = f"_kernel_x{self._args.scale}"
        return next(file for file in self._files(result) if Path(file).stem.endswith(ending))

    def _files(self, result: PhotoResult) -> list[str]:
        return [str(self._run.folder.path / name) for name in _items(result.summary["files"])]

    def _stopped(self, reason: str) -> None:
        self.reporter.clear()
        kept = self._counts["done"] + self._counts["skipped"]
        state = f"{kept} of {_counted(len(self._run), 'photo')} done"
        if kept:
            state += f" and kept in {self._run.folder.path}"
        print(f"{reason}\n{state}; the same command with --resume does the rest", file=sys.stderr)

    def _sum_up(self) -> None:
        parts = [
            f"{self._counts[status]} {word}"
            for status, word in (
                ("done", "done"),
                ("skipped", "done earlier"),
                ("failed", "failed"),
            )
            if self._counts[status]
        ]
        self.reporter.say(f"{', '.join(parts)} in {clock(self._run.elapsed)}")

    def _document(self, *, interrupted: bool) -> dict[str, object]:
        return {
            "out": str(self._run.folder.path),
            "photos": self._entries,
            **self._counts,
            "total": len(self._run),
            "interrupted": interrupted,
        }

    def _entry(self, result: PhotoResult) -> dict[str, object]:
        entry: dict[str, object] = {"source": str(result.source), "status": result.status}
        if result.status == "failed":
            return {**entry, "error": result.error}
        entry["record"] = str(result.record)
        entry["files"] = self._files(result)
        for name in ("kernels", "spread", "warnings", "timings"):
            entry[name] = result.summary[name]
        return entry


@contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _python_warnings_to(reporter: Reporter) -> Iterator[None]:
    """Show warnings and log messages of libraries as notes, without file names and code."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            reporter.say(f"note: {record.getMessage()}")

    def show(message: Warning | str, *details: Any, **more: Any) -> None:
        reporter.say(f"note: {message}")

    handler = Handler(logging.WARNING)
    logging.getLogger().addHandler(handler)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = show
            yield
    finally:
        logging.getLogger().removeHandler(handler)


def _kernel_facts(result: PhotoResult) -> Mapping[str, Mapping[str, float]]:
    kernels = result.summary["kernels"]
    return kernels if isinstance(kernels, Mapping) else {}


def _items(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, (list, tuple)) else []


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
