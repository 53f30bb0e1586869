"""The record downscale.json, as `--resume` trusts it."""

from __future__ import annotations

import functools

from fuzz.recorded import record_edited as structured
from fuzz.recorded import record_seeds, run_record

__all__ = ["run", "seeds", "structured"]

_OPTIONS = ("--kernel", "bicubic")


@functools.cache
def seeds() -> list[bytes]:
    """The record of two photos."""
    return record_seeds("downscale", _OPTIONS)


def run(data: bytes) -> None:
    """Resume the run."""
    run_record(data, "downscale", _OPTIONS)
