"""A whole photo through a method: its frame, its range and its guards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from kernelgan_fast.analysis import PhotoAnalysis, stretched
from kernelgan_fast.kernels.blur_kernel import BlurKernel
from kernelgan_fast.sr.bicubic import Bicubic
from kernelgan_fast.sr.guards import Consistent, Guarded
from kernelgan_fast.sr.tiling import Checked, Enlarged, enlarge_photo
from kernelgan_fast.sr.upscaler import Options, Upscaler

# From the photo as the method gets it, (H, W, 3), to the method made ready for it.
Prepare = Callable[[NDArray[Any]], Upscaler]


def restore(
    pixels: NDArray[Any],
    analysis: PhotoAnalysis,
    kernel: BlurKernel,
    prepare: Prepare,
    *,
    exact: bool = False,
    tile: int | None = None,
    device: torch.device | None = None,
    progress: Callable[[int, int], None] | None = None,
    source: str = "the method",
) -> Enlarged:
    """Enlarge a photo as its analysis demands.

    The frame is enlarged by itself, so that it does not ring into the content. Data that fill a
    part of their range are enlarged as if they filled it. Where no kernel describes how the pixels
    came about (`PhotoAnalysis.bicubic_only`) bicubic takes the place of the method.

    Args:
        pixels: (H, W, 3) uint8, or float32 in [0, 1]; never written to.
        analysis: of the photo.
        kernel: that the method uses.
        prepare: makes the method ready for the content.
        exact: whether the kernel is known, and not estimated or assumed.
        tile, device, progress, source: see `enlarge_photo`.

    Returns:
        The enlarged photo, of the same type and range.

    Raises:
        InputError: see `enlarge_photo`.
    """
    content = stretched(analysis.frame.inside(pixels), analysis.white)
    if analysis.bicubic_only:
        method: Upscaler = Bicubic(kernel, Options())
    else:
        method = prepare(content)
        if not isinstance(method, Bicubic):
            method = Checked(method, source)  # before the guards, which rely on its result
            if exact and analysis.drawn and analysis.compression is None:
                method = Consistent(method, kernel)
            method = Guarded(method, kernel, dark_background=analysis.night_sky)
    enlarged = enlarge_photo(
        method, content, tile=tile, device=device, progress=progress, source=source
    )
    result = enlarged.pixels
    if analysis.white != 1.0:
        result = result * np.float32(analysis.white)
    if any(analysis.frame):
        result = _framed(result, pixels, analysis, kernel.scale)
    return replace(enlarged, pixels=result)


def _framed(
    content: NDArray[Any], pixels: NDArray[Any], analysis: PhotoAnalysis, scale: int
) -> NDArray[Any]:
    """Put enlarged content into its frame, whose pixels are repeated."""
    frame = analysis.frame
    whole = np.repeat(np.repeat(pixels, scale, axis=0), scale, axis=1)
    height, width = whole.shape[:2]
    rows = slice(scale * frame.top, height - scale * frame.bottom)
    columns = slice(scale * frame.left, width - scale * frame.right)
    whole[rows, columns] = content
    return whole
