"""What the targets of upscale.json and downscale.json share."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from fuzz.commands import PIPE, fresh, make_pipe, photo, run_command
from fuzz.json_edits import json_edited
from fuzz.outcomes import RejectedInput, check
from numpy.random import Generator

_PHOTOS, TEMPLATE, _OUT = Path("photos"), Path("template"), Path("out")
_VALUES = (PIPE, "fuzzed_x2.png", "other_x2.png", "../photos/fuzzed.png", {"x2": {}}, "a\ud800.png")


def record_seeds(command: str, options: Sequence[str]) -> list[bytes]:
    """The record of a run over two photos; the files are kept as a template."""
    for number, name in enumerate(("fuzzed", "other")):
        photo(_PHOTOS / f"{name}.png", seed=number)
    run_command([command, str(_PHOTOS), "--out", str(TEMPLATE), *options], [], lambda: None)
    return [(TEMPLATE / f"{command}.json").read_bytes()]


def record_edited(data: bytes, rng: Generator) -> bytes:
    """Change a value of the document."""
    return json_edited(data, rng, _VALUES)


def run_record(data: bytes, command: str, options: Sequence[str]) -> None:
    """Resume the run whose record this is."""
    make_pipe()
    record = _OUT / f"{command}.json"

    def prepare() -> None:
        fresh(TEMPLATE, _OUT)
        record.write_bytes(data)

    arguments = [command, str(_PHOTOS), "--out", str(_OUT), "--resume", *options]
    code = run_command(arguments, [record.name], prepare)
    pictures = [_OUT / f"{name}_x2.png" for name in ("fuzzed", "other")]
    check(all(picture.is_file() for picture in pictures), "a picture is gone")
    if code == 0:
        photos = json.loads(record.read_text())["photos"]
        check(all("x2" in photos[name] for name in ("fuzzed", "other")), "not all is recorded")
    else:
        check(record.read_bytes() == data, "a refused record has changed")
        raise RejectedInput(record.name)
