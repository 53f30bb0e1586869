"""One photo enlarged as the settings of a run say."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from kernelgan_fast import sr
from kernelgan_fast.errors import ImageError
from kernelgan_fast.jobs.kernel_source import BICUBIC
from kernelgan_fast.sr.bicubic import enlarge
from kernelgan_fast.sr.conditioning import AUTO, Conditioning, condition
from kernelgan_fast.sr.restoration import Prepare, restore
from kernelgan_fast.sr.tiling import Enlarged, as_tensor
from kernelgan_fast.sr.upscaler import Options, Upscaler

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kernelgan_fast.analysis import PhotoAnalysis
    from kernelgan_fast.images import Photo
    from kernelgan_fast.jobs.resolved_kernel import ResolvedKernel
    from kernelgan_fast.jobs.upscale import UpscaleSettings
    from kernelgan_fast.kernels.blur_kernel import BlurKernel

Report = Callable[[int, int], None]

_LEAST_SIDE = 16


def enlarged(
    photo: Photo,
    analysis: PhotoAnalysis,
    applied: ResolvedKernel,
    settings: UpscaleSettings,
    report: Report | None,
) -> Enlarged:
    """Enlarge a photo.

    Args:
        photo: the photo.
        analysis: of it.
        applied: the kernel to use.
        settings: of the run.
        report: called with the steps done and their number; may raise to stop.

    Raises:
        ImageError: the photo has a side below 16 px.
        InputError: the method, the model or their weights cannot be used.
    """
    if min(photo.pixels.shape[:2]) < _LEAST_SIDE:
        height, width = photo.pixels.shape[:2]
        raise ImageError(
            f"{photo.source}: a photo to enlarge must have sides of {_LEAST_SIDE} px or more, got "
            f"{width} x {height}; give a larger one"
        )
    conditioning = condition(
        analysis,
        AUTO if settings.noise is None else settings.noise,
        kernel_error=applied.error,
        added_noise=applied.noise,
    )
    model = settings.engine is not None
    device = torch.device("cpu" if model else settings.device)
    source = str(settings.weights or f"the method {settings.method}")
    before = torch.get_num_threads()
    if settings.threads is not None and not model:
        torch.set_num_threads(settings.threads)
    try:
        return restore(
            photo.pixels,
            analysis,
            applied.kernel,
            _preparation(applied.kernel, conditioning, settings, device, report),
            exact=applied.error == 0 and applied.label != BICUBIC and not model,
            tile=settings.tile,
            device=device,
            progress=report,
            source=source if settings.engine is None else settings.engine.path,
        )
    finally:
        torch.set_num_threads(before)


def _preparation(
    kernel: BlurKernel,
    conditioning: Conditioning,
    settings: UpscaleSettings,
    device: torch.device,
    report: Report | None,
) -> Prepare:
    """What makes the method, or the model in its place, ready for a photo."""

    def learnt(part: float) -> None:
        if report is not None:
            report(round(100 * part), 100)

    def prepare(content: NDArray[Any]) -> Upscaler:
        if settings.engine is not None:
            return settings.engine.upscaler(kernel, conditioning)
        options = Options(
            **vars(conditioning),
            iterations=settings.iterations,
            seed=settings.seed,
            weights=settings.weights,
            precision=settings.precision,
            progress=learnt,
        )
        learns = settings.method in sr.LEARNING
        whole = as_tensor(content).to(device) if learns else torch.empty(1, 3, 0, 0)
        return sr.prepare(settings.method, kernel, options, whole)

    return prepare


def enlarged_alpha(alpha: NDArray[Any], scale: int) -> NDArray[Any]:
    """Enlarge transparency bicubically: it was drawn, and no lens has blurred it."""
    full = 255 if alpha.dtype == np.uint8 else 1
    return _of_type(_bicubic(alpha.astype(np.float32), scale).clip(0, full), alpha.dtype)


def premultiplied(
    pixels: NDArray[Any], alpha: NDArray[Any], large_alpha: NDArray[Any], scale: int
) -> NDArray[Any]:
    """Enlarge colours bicubically by their alpha, so that what is hidden does not bleed out.

    Args:
        pixels: (H, W, 3).
        alpha: (H, W) of the same type.
        large_alpha: the alpha, enlarged.
        scale: 2 or 4.

    Returns:
        (sH, sW, 3) of the same type, not multiplied.
    """
    full = 255 if pixels.dtype == np.uint8 else 1
    weight = alpha.astype(np.float32) / np.float32(full)
    opaque = np.maximum(large_alpha.astype(np.float32) / full, 1 / 255)
    planes = [
        _bicubic(pixels[:, :, channel].astype(np.float32) * weight, scale) / opaque
        for channel in range(3)
    ]
    return _of_type(np.stack(planes, axis=2).clip(0, full), pixels.dtype)


def _bicubic(plane: NDArray[np.float32], scale: int) -> NDArray[np.float32]:
    large: NDArray[np.float32] = enlarge(torch.from_numpy(plane)[None, None], scale)[0, 0].numpy()
    return large


def _of_type(values: NDArray[np.float32], dtype: np.dtype[Any]) -> NDArray[Any]:
    return np.rint(values).astype(np.uint8) if dtype == np.uint8 else values.astype(np.float32)
