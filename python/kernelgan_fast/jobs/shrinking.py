"""A photo made smaller by a kernel, in strips, with its alpha."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernelgan_fast.errors import ImageError

# Pixels of the large photo that are worked on at once: about 100 MB with alpha, 50 without.
_STRIP_PIXELS = 1 << 22


def cropped(array: NDArray[Any], scale: int) -> NDArray[Any]:
    """Cut the bottom and the right so that both sides are multiples of a scale; a view.

    Args:
        array: (H, W) or (H, W, C).
        scale: 2 or 4.
    """
    height, width = (side - side % scale for side in array.shape[:2])
    return array[:height, :width]


def shrink(
    pixels: NDArray[Any],
    kernel: NDArray[np.float64],
    scale: int,
    *,
    alpha: NDArray[Any] | None = None,
    source: str = "the photo",
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Make a photo smaller: LR = correlate(HR, kernel)[::scale, ::scale], not rounded.

    The border is continued half-sample symmetrically. Alpha goes through the same kernel, and
    colours count by their alpha: the small photo on any background is the small version of the
    large photo on that background. Another kernel for alpha would leave fringes around every cut
    out shape.

    Args:
        pixels: (H, W, 3) uint8 or float32 in [0, 1], H and W multiples of the scale.
        kernel: (k, k), k odd and at most H and W, sum 1.
        scale: how many times smaller.
        alpha: (H, W) of either kind, or None.
        source: of the photo, for the error.

    Returns:
        (H/scale, W/scale, 3) float32, which a kernel with negative lobes may bring below 0 or
        above 1 (colours with alpha are clipped), and the alpha (H/scale, W/scale) in [0, 1].

    Raises:
        ImageError: the photo is smaller than the kernel.
        NativeUnavailable: the compiled extension cannot be loaded.
    """
    height, width = pixels.shape[:2]
    size = len(kernel)
    if min(height, width) < size:
        raise ImageError(
            f"{source}: a photo must be at least as large as its kernel, {size} x {size}, "
            f"got {width} x {height}; take a larger photo or a smaller kernel"
        )
    channels = 3 if alpha is None else 7
    out = np.empty((height // scale, width // scale, channels), np.float32)
    step = max(1, _STRIP_PIXELS // width // scale)
    for first in range(0, len(out), step):
        last = min(first + step, len(out))
        # Whole steps of the scale above, so that the strip's own rows are sampled.
        above = min(first, -(-(size // 2) // scale))
        rows = slice((first - above) * scale, (last - 1) * scale + size // 2 + 1)
        strip = _unit(pixels[rows])
        if alpha is not None:
            opaque = _unit(alpha[rows])[:, :, None]
            strip = np.concatenate([strip * opaque, opaque, strip], axis=2)
        out[first:last] = _native(strip, kernel, scale)[above : above + last - first]
    if alpha is None:
        return out, None
    return _unweighted(out, half_a_level=0.5 / (255 if alpha.dtype == np.uint8 else 65535))


def _native(
    strip: NDArray[np.float32], kernel: NDArray[np.float64], scale: int
) -> NDArray[np.float32]:
    import torch

    from kernelgan_fast.ops import native

    images = torch.from_numpy(np.ascontiguousarray(strip.transpose(2, 0, 1)))[None]
    small = native.downscale(images, torch.from_numpy(kernel.astype(np.float32))[None], scale)
    result: NDArray[np.float32] = small[0].numpy().transpose(1, 2, 0)
    return result


def _unweighted(
    out: NDArray[np.float32], half_a_level: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Divide colours by their alpha; where nothing shows, the plain ones stay, for editors."""
    weighted, alpha, plain = out[:, :, :3], out[:, :, 3:4], out[:, :, 4:]
    shows = alpha > half_a_level
    colours = np.where(shows, weighted / np.where(shows, alpha, 1), plain)
    return np.clip(colours, 0, 1), np.clip(alpha[:, :, 0], 0, 1)


def _unit(values: NDArray[Any]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = values
    if values.dtype == np.uint8:
        unit = np.divide(values, 255, dtype=np.float32)
    return unit
