"""The record NAME.json of `estimate`, as `report` shows it and `--resume` trusts it."""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path

from fuzz.commands import PIPE, make_pipe, photo, run_command
from fuzz.json_edits import json_edited
from fuzz.outcomes import RejectedInput, check
from numpy.random import Generator

# Too small to estimate anything from, so a record that does not hold costs no time.
_PHOTO, _RECORD = Path("photos/fuzzed.png"), Path("kernels/fuzzed.json")
_ESTIMATE = ["estimate", str(_PHOTO), "--out", "kernels", "--resume"]
_REPORT = ["report", "kernels", "--out", "page.html"]
_VALUES = (PIPE, "photos", str(_PHOTO), "kernels/fuzzed_kernel_x2.npy", {"x2": {}}, "a\ud800.png")


@functools.cache
def seeds() -> list[bytes]:
    """A record as the command writes it, for a photo that is then replaced by a smaller one."""
    run_command(["estimate", str(photo(_PHOTO, 64)), "--out", "kernels"], [], lambda: None)
    record = json.loads(_RECORD.read_text())
    content = photo(_PHOTO).read_bytes()
    record["source"]["bytes"] = len(content)
    record["source"]["sha256"] = hashlib.sha256(content).hexdigest()
    losses = {"iteration": [0, 10, 20, 30], "gan_g": [[0.5, 0.4, None, 0.2]]}
    grid = [[1.0, 1.1], [1.2, 1.3]]
    tiles = {key: grid for key in ("width_major", "width_minor", "angle", "expected_error")}
    tiles["grid"] = [2, 2]
    more = {"losses": losses, "tiles": tiles, "warnings": ["a warning"], "spread": 0.1}
    return [json.dumps(each, indent=1).encode() for each in (record, {**record, **more})]


def structured(data: bytes, rng: Generator) -> bytes:
    """Change a value of the document."""
    return json_edited(data, rng, _VALUES)


def run(data: bytes) -> None:
    """Show the folder, and resume the run that made it."""
    make_pipe()
    kernels = {file: file.read_bytes() for file in _RECORD.parent.glob("fuzzed_*")}

    def prepare() -> None:
        _RECORD.write_bytes(data)

    run_command(_REPORT, [_RECORD.name, "kernels"], prepare)
    code = run_command(_ESTIMATE, [_RECORD.name, _PHOTO.name], prepare)
    check(_RECORD.read_bytes() == data, "the record of a photo that failed has changed")
    lost = [str(file) for file, content in kernels.items() if file.read_bytes() != content]
    check(not lost, f"changed, though nothing was estimated: {lost}")
    if code != 0:
        raise RejectedInput("the record does not hold, and the photo is too small")
