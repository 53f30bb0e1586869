"""The record degradation.json, as `degrade --resume` trusts it."""

from __future__ import annotations

import functools

from fuzz.recorded import Recorded
from fuzz.recorded import record_edited as structured

__all__ = ["run", "seeds", "structured"]

_RUN = Recorded(
    "degrade", "degradation.json", "lr_x2/{name}.png", ("--blur-model", "bicubic"), side=96
)


@functools.cache
def seeds() -> list[bytes]:
    """The record of two photos."""
    return _RUN.seeds()


def run(data: bytes) -> None:
    """Resume the run."""
    _RUN.run(data)
