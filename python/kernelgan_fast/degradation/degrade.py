"""From a photo and a kernel to the LR photo, by the rule DIV2KRK was made with.

    LR = floor(clip(correlate(HR, kernel)[::scale, ::scale] + noise, 0, 255))

with half-sample-symmetric borders. Photos of more than 8 bits give LR photos of 16, by the same
rule in steps of 1/65535. JPEG artefacts come last.
"""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernelgan_fast.errors import InputError
from kernelgan_fast.images import as_photo

# What rounding leaves below a whole number is not a grey level less; a flat sky shows it else.
_ROUNDING = 2.0**-20

_FLOAT32_BITS = 24


def degrade(
    image: object,
    kernel: NDArray[np.float64],
    scale: int,
    *,
    noise: float = 0.0,
    jpeg: int | None = None,
    random: np.random.Generator | None = None,
) -> NDArray[Any]:
    """Make the LR photo of a photo.

    Args:
        image: an array, tensor or `Photo`, as `images.as_photo` takes it.
        kernel: (k, k), applied as it is: neither centred nor made to sum to 1.
        scale: how many times smaller, at least 1.
        noise: standard deviation of white Gaussian noise, in grey levels of 255.
        jpeg: quality 1 to 95 of a JPEG file (4:2:0) to pass the LR photo through, None for none.
        random: where the noise comes from; needed if there is some.

    Returns:
        (⌈H/scale⌉, ⌈W/scale⌉, 3) uint8, or uint16 of photos deeper than 8 bits (but uint8 after
        JPEG).

    Raises:
        ImageError: the photo cannot be used.
        InputError: noise or quality out of range.
        NativeUnavailable: the compiled extension cannot be loaded.
    """
    check_options(noise, jpeg)
    photo = as_photo(image)
    deep = photo.pixels.dtype != np.uint8
    full = 65535 if deep else 255
    levels = photo.pixels.astype(np.float32)
    if deep:
        levels = np.rint(levels * np.float32(full))  # float32 in [0, 1] is 16 bits or fewer here
    small = shrink(levels, kernel, scale)
    if noise > 0:
        if random is None:
            raise InputError("noise must have a generator to be drawn from; give random=")
        small += (noise * full / 255) * random.standard_normal(small.shape)
    if jpeg is not None:
        return _through_jpeg(_whole_levels(small * (255 / full), 255).astype(np.uint8), jpeg)
    return _whole_levels(small, full).astype(np.uint16 if deep else np.uint8)


def check_options(noise: float, jpeg: int | None) -> None:
    """Refuse options out of range.

    Raises:
        InputError: they are.
    """
    if not 0 <= noise <= 255:
        raise InputError(f"noise must be 0 to 255 grey levels, got {noise:g}")
    if jpeg is not None and not 1 <= jpeg <= 95:
        raise InputError(f"the JPEG quality must be 1 to 95, got {jpeg}")


def shrink(
    levels: NDArray[np.float32], kernel: NDArray[np.float64], scale: int
) -> NDArray[np.float64]:
    """Correlate with a kernel and keep every scale-th pixel, to 1e-6 of a grey level.

    The op computes in float32, and a rounding error there would show as a grey level, since
    `floor` comes next. So the kernel is split: its coarse part has so few bits that products
    with 8-bit levels and their sums are exact in float32, and the rest is small.

    Args:
        levels: (H, W, C) whole numbers.
        kernel: (k, k).
        scale: how many times smaller.

    Returns:
        (⌈H/scale⌉, ⌈W/scale⌉, C) float64.
    """
    import torch

    from kernelgan_fast.ops import native

    reach = float(np.abs(levels).max()) * float(np.abs(kernel).sum())
    step = 2.0 ** (math.ceil(math.log2(max(reach, 1.0))) + 1 - _FLOAT32_BITS)
    coarse = np.rint(kernel / step) * step
    images = torch.from_numpy(np.ascontiguousarray(levels.transpose(2, 0, 1)))[None]
    total = 0.0
    for part in (coarse, kernel - coarse):
        taps = torch.from_numpy(part.astype(np.float32))[None]
        total = total + native.downscale(images, taps, scale)[0].double().numpy()
    return np.ascontiguousarray(np.asarray(total).transpose(1, 2, 0))


def _whole_levels(values: NDArray[np.float64], full: int) -> NDArray[np.float64]:
    whole: NDArray[np.float64] = np.floor(np.clip(values + _ROUNDING, 0, full))
    return whole


def _through_jpeg(pixels: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="JPEG", quality=quality, subsampling="4:2:0")
    with Image.open(stream) as decoded:
        return np.array(decoded)
