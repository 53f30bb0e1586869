"""Super-resolution with a kernel: methods of one face, one file each."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from kernelgan_fast.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from kernelgan_fast.kernels.blur_kernel import BlurKernel
    from kernelgan_fast.sr.upscaler import Options, Upscaler

# Name, file and class of each method, from the plainest to the slowest.
_REGISTRY = {
    "bicubic": ("bicubic", "Bicubic"),
    "backprojection": ("backprojection", "BackProjection"),
    "tv": ("tv", "TotalVariation"),
    "unfold": ("unfold", "Unfold"),
    "zssr": ("zssr", "ZeroShot"),
    "srmd": ("srmd", "Srmd"),
}
METHODS = tuple(_REGISTRY)

# What `upscale` takes where nothing is said.
DEFAULT = "unfold"

# Those that learn from the photo itself before they enlarge it.
LEARNING = ("zssr",)

SCALES = (1, 2, 3, 4)  # 1 removes blur at the size of the photo

# Methods that have not every scale.
_OWN_SCALES = {"zssr": (2, 4)}


def check_method(method: str) -> str:
    """Give a method's name back.

    Raises:
        InputError: it is none of `METHODS`.
    """
    if method not in _REGISTRY:
        nearest = difflib.get_close_matches(method, METHODS, n=1)
        hint = f"; did you mean {nearest[0]}?" if nearest else ""
        raise InputError(f"the method must be one of {', '.join(METHODS)}, got '{method}'{hint}")
    return method


def prepare(method: str, kernel: BlurKernel, options: Options, photo: Tensor) -> Upscaler:
    """Make a method ready for one kernel.

    Args:
        method: one of `METHODS`.
        kernel: Of one of `SCALES`.
        options: see there.
        photo: the whole LR photo, (1, 3, H, W) float32 in [0, 1], which methods in `LEARNING`
            are trained on; the others ignore it.

    Returns:
        What enlarges the photo, or tiles of it.

    Raises:
        InputError: unknown method, a scale that it has not, or options that it cannot use.
    """
    file, name = _REGISTRY[check_method(method)]
    scales = _OWN_SCALES.get(method, SCALES)
    if kernel.scale not in scales:
        raise InputError(
            f"{method} enlarges {', '.join(map(str, scales))} times, got a kernel for "
            f"{kernel.scale}; choose another scale or method"
        )
    make: Callable[..., Upscaler] = getattr(import_module(f"{__name__}.{file}"), name)
    return make(kernel, options, photo) if method in LEARNING else make(kernel, options)
