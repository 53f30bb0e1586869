"""The face that every super-resolution method has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch import Tensor

from kernelgan_fast.sr.conditioning import Conditioning

# What rounding to 8 bits leaves: standard deviation in grey levels of 255.
ROUNDING = 12**-0.5


class Upscaler(Protocol):
    """One method made ready for one kernel (and, if it learns from it, for one photo).

    Attributes:
        scale: 2 or 4.
        context: LR px beyond a tile that its result depends on, so that tiles fit together.
        multiple: tiles begin at LR places that are multiples of this.
    """

    scale: int
    context: int
    multiple: int

    def __call__(self, low: Tensor) -> Tensor:
        """Enlarge (1, 3, H, W) float32 in [0, 1] to (1, 3, sH, sW), not clipped."""


@dataclass(frozen=True)
class Options(Conditioning):
    """Options of the methods; each method uses those that apply to it.

    Attributes:
        iterations: Number of iterations of an iterative or a training method; None for its
            default.
        seed: Seed of its random numbers.
        weights: File of weights; None for those of the package.
        precision: "float32", "bfloat16" or "float16", of networks; "auto" of "unfold".
        progress: Called with the part that is done, 0 to 1; may raise to stop.
    """

    iterations: int | None = None
    seed: int = 0
    weights: Path | None = None
    precision: str = "float32"
    progress: Callable[[float], None] | None = None
