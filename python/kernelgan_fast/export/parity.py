"""Whether a model does what PyTorch does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kernelgan_fast.errors import OutputError
from kernelgan_fast.runtime.session import Session

# How far results in [0, 1] may be apart.
TOLERANCES = {"float32": 1e-5, "float16": 2e-3}

# Odd, even, square and narrow; all larger than the widest kernel.
SIZES = ((37, 53), (64, 48), (41, 41), (35, 96))


def check(
    model: bytes,
    reference: Callable[[Tensor], Tensor],
    told: Mapping[str, NDArray[np.float32]],
    precision: str,
    photos: Iterable[NDArray[np.float32]] | None = None,
) -> float:
    """Compare a model with PyTorch on photos of several sizes.

    Args:
        model: the file's bytes.
        reference: what it must do, (1, 3, H, W) to (1, 3, h, w).
        told: inputs of the model besides `image`.
        precision: whose tolerance holds.
        photos: (H, W, 3) in [0, 1]; some of soft noise if None.

    Returns:
        The largest difference.

    Raises:
        OutputError: it is over the tolerance, or the results differ in size.
    """
    session = Session(model)
    worst = 0.0
    for pixels in soft_noise() if photos is None else photos:
        image = np.ascontiguousarray(pixels.transpose(2, 0, 1))[None]
        got = session.run(image=image, **told)
        expected = reference(torch.from_numpy(image)).numpy()
        if got.shape != expected.shape:
            raise OutputError(
                f"the model makes {got.shape} of {image.shape}, PyTorch {expected.shape}; "
                "nothing was written"
            )
        worst = max(worst, float(np.abs(got - expected).max()))
    # A result that is not a number fails too.
    if not worst <= TOLERANCES[precision]:
        raise OutputError(
            f"the model differs from PyTorch by {worst:.2g}, allowed are "
            f"{TOLERANCES[precision]:g}; nothing was written"
        )
    return worst


def soft_noise() -> Iterable[NDArray[np.float32]]:
    """Photos of blobs, (H, W, 3) in [0, 1], the same ones every time."""
    random = np.random.default_rng(0)
    for height, width in SIZES:
        pixels = random.random((height, width, 3))
        for axis in (0, 1):
            pixels = (pixels + np.roll(pixels, 1, axis) + np.roll(pixels, 2, axis)) / 3
        yield pixels.astype(np.float32)
