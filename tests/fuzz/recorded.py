"""What the targets of upscale.json, downscale.json and degradation.json share."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from fuzz.commands import PIPE, fresh, make_pipe, photo, run_command
from fuzz.json_edits import json_edited
from fuzz.outcomes import RejectedInput, check
from numpy.random import Generator

_PHOTOS, TEMPLATE, _OUT = Path("photos"), Path("template"), Path("out")
_NAMES = ("fuzzed", "other")
_VALUES = (PIPE, "fuzzed_x2.png", "other_x2.png", "../photos/fuzzed.png", {"x2": {}}, "a\ud800.png")


@dataclass(frozen=True)
class Recorded:
    """A command over photos that keeps a record of them.

    Attributes:
        command: its name.
        record: file name of the record.
        picture: path of the picture that it writes of the photo {name}, in its folder.
        options: of the command line.
        side: of the photos, px.
    """

    command: str
    record: str
    picture: str = "{name}_x2.png"
    options: tuple[str, ...] = ()
    side: int = 24

    def seeds(self) -> list[bytes]:
        """The record of a run over two photos; the files are kept as `TEMPLATE`."""
        for number, name in enumerate(_NAMES):
            photo(_PHOTOS / f"{name}.png", self.side, seed=number)
        run_command(self._arguments(TEMPLATE), [], lambda: None)
        return [(TEMPLATE / self.record).read_bytes()]

    def run(self, data: bytes) -> None:
        """Resume the run whose record this is."""
        make_pipe()
        record = _OUT / self.record

        def prepare() -> None:
            fresh(TEMPLATE, _OUT)
            record.write_bytes(data)

        code = run_command([*self._arguments(_OUT), "--resume"], [record.name], prepare)
        pictures = [_OUT / self.picture.format(name=name) for name in _NAMES]
        check(all(picture.is_file() for picture in pictures), "a picture is gone")
        if code == 0:
            photos = json.loads(record.read_text())["photos"]
            check(all("x2" in photos[name] for name in _NAMES), "not all is recorded")
        else:
            check(record.read_bytes() == data, "a refused record has changed")
            raise RejectedInput(record.name)

    def _arguments(self, out: Path) -> list[str]:
        return [self.command, str(_PHOTOS), "--out", str(out), *self.options]


def record_edited(data: bytes, rng: Generator) -> bytes:
    """Change a value of the document."""
    return json_edited(data, rng, _VALUES)
