"""The face that every super-resolution method has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch import Tensor

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
class Options:
    """What methods may be told; each takes what it has a use for.

    Attributes:
        noise: standard deviation of the LR photo's noise in grey levels of 255; None for 8-bit
            rounding alone.
        kernel_error: relative L2 error that the kernel may have, such as
            `Estimate.expected_error`; 0 for a kernel that is known.
        compression: strength of the photo's JPEG compression, see
            `compression.compression_level`; 0 for a photo that was never compressed.
        iterations: of an iterative or a training method; None for its own number.
        seed: of what is drawn.
        weights: a file of weights; None for the method's own.
        precision: "float32", "bfloat16", "float16" or "auto", of networks; see `precision`.
        progress: called with the part that is done, 0 to 1; may raise to stop.
    """

    noise: float | None = None
    kernel_error: float = 0.0
    compression: float = 0.0
    iterations: int | None = None
    seed: int = 0
    weights: Path | None = None
    precision: str = "float32"
    progress: Callable[[float], None] | None = None
