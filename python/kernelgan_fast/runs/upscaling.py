"""Photos made larger by super-resolution with a kernel: one photo, or many into a folder.

A folder run writes, for a photo that gets the name NAME:

NAME_x2.png    the large photo
upscale.json   how each was made, by name and scale
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from kernelgan_fast.errors import DeviceUnavailable, ImageError, InputError
from kernelgan_fast.runs import schema
from kernelgan_fast.runs.downscaling import FORMATS
from kernelgan_fast.runs.engines import kernels_of_engine, open_engine
from kernelgan_fast.runs.kernel_source import BICUBIC, kernel_source
from kernelgan_fast.runs.recorded import Made, Report, ScaledRun
from kernelgan_fast.runs.settings import versions

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from kernelgan_fast.analysis import PhotoAnalysis
    from kernelgan_fast.images import Photo
    from kernelgan_fast.kernels.blur_kernel import BlurKernel
    from kernelgan_fast.runs.applied import Applied, KernelSource
    from kernelgan_fast.runtime.engine import Engine
    from kernelgan_fast.sr.tiling import Enlarged

# Measured on each photo.
AUTO = "auto"

PRECISIONS = ("float32", "bfloat16", "float16")

_LEAST_SIDE = 16


@dataclass(frozen=True)
class Upscaled:
    """A photo enlarged.

    Attributes:
        pixels: (scale·H, scale·W, 3): of a uint8 photo uint8, rounded to the nearest; of a deeper
            one float32 in [0, 1].
        kernel: that was used.
        method: that was used.
        notes: what the user should know.
        analysis: what was measured on the photo.
    """

    pixels: NDArray[Any]
    kernel: BlurKernel
    method: str
    notes: tuple[str, ...] = ()
    analysis: PhotoAnalysis | None = None


@dataclass(frozen=True)
class UpscaleSettings:
    """How photos are enlarged.

    Attributes:
        kernels: where their kernels come from.
        scale: 2 or 4.
        method: one of `sr.METHODS`; of a model, its own.
        engine: a model that runs in place of the method.
        noise: "auto" for the noise and the compression that are measured on each photo, or a
            standard deviation in grey levels of 255; of a model with its own, None.
        iterations: of the method, None for its own number.
        seed: of methods that draw.
        weights: a file, None for the method's own.
        tile: side in LR px, 0 for none, None for automatic.
        precision: one of `PRECISIONS`.
        device: where to compute.
        threads: of the CPU, None for as many as there are.
        suffix: of the photos written, such as "png".
    """

    kernels: KernelSource
    scale: int
    method: str
    engine: Engine | None
    noise: float | str | None
    iterations: int | None
    seed: int
    weights: Path | None
    tile: int | None
    precision: str
    device: str
    threads: int | None
    suffix: str


def upscale_settings(
    *,
    kernel: str | os.PathLike[str] | BlurKernel = "estimate",
    scale: int | None = None,
    method: str | None = None,
    engine: str | os.PathLike[str] | None = None,
    noise: float | str | None = None,
    iterations: int | None = None,
    seed: int = 0,
    weights: str | os.PathLike[str] | None = None,
    tile: int | None = None,
    precision: str = "float32",
    device: str = "cpu",
    threads: int | None = None,
    suffix: str = "png",
) -> UpscaleSettings:
    """Check the options of a run and read the kernels; see `upscale`.

    Raises:
        InputError: an option is out of range, or the kernels cannot be used.
        DeviceUnavailable: the device is not there.
    """
    if isinstance(noise, str) and noise != AUTO:
        raise InputError(f"noise must be {AUTO} or 0 to 255 grey levels, got {noise!r}")
    if isinstance(noise, (int, float)) and not 0 <= noise <= 255:
        raise InputError(f"noise must be 0 to 255 grey levels, got {noise:g}")
    for name, value, least in (("iterations", iterations, 1), ("seed", seed, 0)):
        if value is not None and value < least:
            raise InputError(f"{name} must be at least {least}, got {value}")
    if threads is not None and threads < 1:
        raise InputError(f"threads must be at least 1, got {threads}")
    if precision not in PRECISIONS:
        raise InputError(f"the precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
    if suffix not in FORMATS:
        raise InputError(f"the format must be one of {', '.join(FORMATS)}, got {suffix!r}")
    if engine is not None:
        only = {"method": method, "iterations": iterations, "weights": weights}
        model = open_engine(engine, only, precision, device, threads)
        scale, kernels = kernels_of_engine(model, kernel, scale, noise)
        method, precision = model.card.method, model.card.precision
    else:
        from kernelgan_fast import sr

        model, method = None, sr.check_method(sr.DEFAULT if method is None else method)
        scale = getattr(kernel, "scale", 2) if scale is None else scale
        # Bicubic enlargement asks for no kernel, so none is estimated for it.
        kernels = kernel_source(BICUBIC if method == "bicubic" else kernel, scale)
        _checked_device(device)
    return UpscaleSettings(
        kernels=kernels,
        scale=scale,
        method=method,
        engine=model,
        noise=noise,
        iterations=iterations,
        seed=seed,
        weights=None if weights is None else Path(weights),
        tile=tile,
        precision=precision,
        device=device,
        threads=threads,
        suffix=suffix,
    )


def methods() -> tuple[str, ...]:
    """The names of the methods, the quickest first."""
    from kernelgan_fast import sr

    return sr.METHODS


def upscale(
    source: object,
    *,
    scale: int | None = None,
    kernel: str | os.PathLike[str] | BlurKernel = "estimate",
    method: str | None = None,
    engine: str | os.PathLike[str] | None = None,
    noise: float | str | None = None,
    iterations: int | None = None,
    seed: int = 0,
    weights: str | os.PathLike[str] | None = None,
    tile: int | None = None,
    precision: str = "float32",
    device: str = "cpu",
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Upscaled:
    """Enlarge a photo by super-resolution that knows the kernel which made it small.

    Args:
        source: a file path; an array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) or a tensor
            (3, H, W) or (1, H, W), of uint8, uint16 or float in [0, 1]. Alpha is ignored.
        scale: 2 or 4; if None the model's or the kernel's own where an engine or a `BlurKernel`
            is given, else 2.
        kernel: a `BlurKernel`; a file or FILE:INDEX; a folder that `estimate` wrote, which holds
            the kernel of this photo by its SHA-256 or its name; "estimate", the photo's own by the
            profile "default"; or "bicubic", antialiased, as most programs make photos small. It
            is found once, on the whole photo.
        method: one of `sr.METHODS`; `sr.DEFAULT` if None.
        engine: a model that `export` has made, in place of a method.
        noise: standard deviation of the photo's noise in grey levels of 255; more makes the
            result smoother, 0 stands for none. By default ("auto" or None) noise and compression
            are measured on the photo.
        iterations: of "backprojection", "tv" and "zssr", instead of their own number.
        seed: of methods that draw.
        weights: a file for "unfold" or "srmd".
        tile: side of tiles in LR px, 0 for none, None for automatic.
        precision: "float32", "bfloat16" or "float16", of networks.
        device: "cpu" or a GPU as "cuda" or "cuda:1"; of an engine also "tensorrt".
        threads: CPU threads, None for as many as PyTorch, or the engine's program, takes.
        progress: called with the steps done and their number; may raise to stop.

    Returns:
        The large photo, and the kernel that was used.

    Raises:
        ImageError: the photo cannot be used.
        InputError: the kernel or an option cannot be used.
        DeviceUnavailable: the device is not there.

    Source: the methods name theirs, in `kernelgan_fast.sr`.
    """
    from kernelgan_fast.analysis import analyse_photo
    from kernelgan_fast.images import as_photo, read_image

    settings = upscale_settings(
        kernel=kernel,
        scale=scale,
        method=method,
        engine=engine,
        noise=noise,
        iterations=iterations,
        seed=seed,
        weights=weights,
        tile=tile,
        precision=precision,
        device=device,
        threads=threads,
    )
    is_file = isinstance(source, (str, os.PathLike))
    photo = read_image(source) if is_file else as_photo(source)  # type: ignore[arg-type]
    analysis = analyse_photo(photo)
    applied = settings.kernels.of(photo, Path(photo.source).stem, analysis)
    enlarged = _enlarge(photo, analysis, applied, settings, progress)
    notes = (*photo.notes, *analysis.notes, *applied.notes, *enlarged.notes)
    return Upscaled(enlarged.pixels, applied.kernel, settings.method, notes, analysis)


class UpscaleRun(ScaledRun[UpscaleSettings]):
    """Make many photos larger; see `RecordedRun`.

    Args:
        inputs: files, folders and glob patterns.
        out: the folder to write to; made if it is not there.
        settings: as `upscale_settings` makes them.
        resume: leave out photos that an earlier run enlarged with the same settings.
    """

    format = "kernelgan-fast upscaling 1"
    record_name = "upscale.json"
    facts: ClassVar[Mapping[str, schema.Check]] = {
        "method": schema.text,
        "applied": schema.text,
        "kernel": schema.KERNEL_FACTS,
        "tile": schema.whole,
        "size_before": schema.SIZE,
        "size": schema.SIZE,
    }

    def files(self, name: str) -> tuple[Path, ...]:
        """The large photo."""
        return (self.folder.path / f"{name}_{self.key}.{self.settings.suffix}",)

    def request(self, photo: Path, name: str) -> Mapping[str, object]:
        """What decides the large photo besides the photo."""
        settings = self.settings
        return {
            "version": versions()["kernelgan_fast"],
            "kernel": settings.kernels.identity(photo, name),
            "scale": settings.scale,
            "method": settings.method,
            "engine": None if settings.engine is None else settings.engine.identity,
            "noise": settings.noise,
            "iterations": settings.iterations,
            "seed": settings.seed,
            "weights": None if settings.weights is None else str(settings.weights),
            "precision": settings.precision,
        }

    def make(self, photo: Path, name: str, report: Report) -> Made:
        """Read a photo and enlarge it.

        Raises:
            ImageError: the photo cannot be used.
            InputError: the kernel or the weights cannot be used.
        """
        from kernelgan_fast.analysis import analyse_photo
        from kernelgan_fast.images import read_picture, save_picture
        from kernelgan_fast.runs.findings import kernel_facts

        settings = self.settings
        picture = read_picture(photo)
        analysis = analyse_photo(picture.photo)
        applied = settings.kernels.of(picture.photo, name, analysis)
        enlarged = _enlarge(picture.photo, analysis, applied, settings, report)
        alpha = None if picture.alpha is None else _enlarged_alpha(picture.alpha, settings.scale)
        (file,) = self.files(name)
        facts = {
            "method": settings.method,
            "applied": applied.label,
            **applied.facts,
            "kernel": kernel_facts(applied.kernel),
            "analysis": analysis.facts(),
            "measured": analysis.summary(),
            "tile": enlarged.tile,
            "size_before": [picture.pixels.shape[1], picture.pixels.shape[0]],
            "size": [enlarged.pixels.shape[1], enlarged.pixels.shape[0]],
        }
        notes = [*picture.notes, *analysis.notes, *applied.notes, *enlarged.notes]

        def save(path: Path) -> Sequence[str]:
            return save_picture(enlarged.pixels, path, picture, alpha=alpha)

        return Made({file: save}, facts, notes)


def _enlarge(
    photo: Photo,
    analysis: PhotoAnalysis,
    applied: Applied,
    settings: UpscaleSettings,
    report: Callable[[int, int], None] | None,
) -> Enlarged:
    import torch

    from kernelgan_fast import sr
    from kernelgan_fast.sr.conditioning import condition
    from kernelgan_fast.sr.restoration import restore
    from kernelgan_fast.sr.tiling import as_tensor
    from kernelgan_fast.sr.upscaler import Options, Upscaler

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

    def learnt(part: float) -> None:
        if report is not None:
            report(round(100 * part), 100)

    def prepare(content: NDArray[Any]) -> Upscaler:
        if settings.engine is not None:
            return settings.engine.upscaler(
                applied.kernel, conditioning.noise, conditioning.kernel_error
            )
        options = Options(
            noise=conditioning.noise,
            kernel_error=conditioning.kernel_error,
            iterations=settings.iterations,
            seed=settings.seed,
            weights=settings.weights,
            precision=settings.precision,
            progress=learnt,
        )
        learns = settings.method in sr.LEARNING
        whole = as_tensor(content).to(device) if learns else torch.empty(1, 3, 0, 0)
        return sr.prepare(settings.method, applied.kernel, options, whole)

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
            prepare,
            tile=settings.tile,
            device=device,
            progress=report,
            source=source if settings.engine is None else settings.engine.path,
        )
    finally:
        torch.set_num_threads(before)


def _enlarged_alpha(alpha: NDArray[Any], scale: int) -> NDArray[Any]:
    """Enlarge transparency bicubically: it was drawn, and no lens has blurred it."""
    import numpy as np
    import torch

    from kernelgan_fast.sr.bicubic import enlarge

    full = 255 if alpha.dtype == np.uint8 else 1
    planes = torch.from_numpy(alpha.astype(np.float32))[None, None]
    large = enlarge(planes, scale)[0, 0].clamp(0, full).numpy()
    return np.rint(large).astype(np.uint8) if full == 255 else large


def _checked_device(name: str) -> torch.device:
    import torch

    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(f"the device must be cpu, cuda or cuda:1, got {name!r}") from error
    if device.type not in ("cpu", "cuda"):
        raise InputError(f"the device must be cpu, cuda or cuda:1, got {name!r}")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceUnavailable(
            f"{name}: PyTorch finds {torch.cuda.device_count()} GPUs; use cpu, or install a "
            "PyTorch built for the GPU (kernelgan-fast info shows what is there)"
        )
    return device
