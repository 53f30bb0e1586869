"""The record upscale.json, as `--resume` trusts it and `report` shows it."""

from __future__ import annotations

import functools
from pathlib import Path

import small_results
from fuzz.commands import fresh, run_command
from fuzz.recorded import TEMPLATE, Recorded
from fuzz.recorded import record_edited as structured

__all__ = ["run", "seeds", "structured"]

_RUN = Recorded("upscale", "upscale.json", options=("--method", "bicubic"))
_KERNELS = Path("kernels")


@functools.cache
def seeds() -> list[bytes]:
    """The record of two photos, one of which has an estimated kernel to report."""
    found = _RUN.seeds()
    told = small_results.record(Path("photos/fuzzed.png").absolute())
    small_results.write(_KERNELS, "fuzzed", told, small_results.gaussian())
    return found


def run(data: bytes) -> None:
    """Show the pictures, and resume the run."""

    def prepare() -> None:
        fresh(TEMPLATE, Path("shown"))
        Path("shown/upscale.json").write_bytes(data)

    report = ["report", str(_KERNELS), "--out", "page.html", "--upscaled", "shown"]
    run_command(report, ["upscale.json"], prepare)
    _RUN.run(data)
