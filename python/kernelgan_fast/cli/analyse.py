"""`kernelgan-fast analyse`: noise, compression and content of photos."""

from __future__ import annotations

import argparse
import json

from kernelgan_fast.cli.arguments import add_photos
from kernelgan_fast.cli.console import print_document, print_message, print_result

HELP = "measure noise, compression and content of photos"
DESCRIPTION = """\
Measure what `upscale` takes into account, and write nothing: noise of each
channel, JPEG compression, range, frame, and whether the picture is drawn,
interlaced, enlarged before, neutral or a night sky. Noise is in grey levels
of 255.
"""
EPILOG = """\
exit codes: 0 all measured, 1 a photo could not be measured, 2 wrong usage

examples:
  kernelgan-fast analyse photo.jpg
  kernelgan-fast analyse photos/ --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_photos(parser)
    parser.add_argument("--json", action="store_true", help="as one JSON document")


def run(args: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    from kernelgan_fast.analysis import analyse_photo
    from kernelgan_fast.errors import ImageError
    from kernelgan_fast.images import read_image
    from kernelgan_fast.jobs.inputs import failed, failed_by_memory, find_photos

    photos, failures, _ = find_photos(args.inputs)
    errors = [failure.error for failure in failures]
    for error in errors:
        print_message(f"error: {error}")
    found: dict[str, object] = {}
    for path in photos:
        try:
            analysis = analyse_photo(read_image(path))
        except Exception as error:
            told = failed if isinstance(error, ImageError) else failed_by_memory
            errors.append(told(path, error).error)
            print_message(f"error: {errors[-1]}")
            continue
        found[str(path)] = analysis.facts()
        if not args.json:
            print_result(f"{path}  {analysis.summary()}{_content(analysis.facts())}")
            for note in analysis.notes:
                print_result(f"  note: {note}")
    if args.json:
        print_document(json.dumps({"photos": found}, indent=1))
    return 1 if errors else 0


def _content(facts: dict[str, object]) -> str:
    """What applies of the content, such as ", neutral, night sky"."""
    names = ("neutral", "drawn", "quantised", "interlaced", "night_sky")
    words = [name.replace("_", " ") for name in names if facts[name]]
    if facts["enlarged"] is not None:
        words.append(f"enlarged before by {facts['enlarged']:g}")
    if facts["white"] != 1:
        words.append(f"white at {facts['white']:.4g}")
    frame = facts["frame"]
    if any(frame if isinstance(frame, list) else ()):
        words.append(f"frame {frame} px")
    return "".join(f", {word}" for word in words)
