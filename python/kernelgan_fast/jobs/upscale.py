"""Photos made larger by super-resolution with a kernel: one photo, or many into a folder.

A folder run writes, for a photo that gets the name NAME:

NAME_x2.png    the large photo
upscale.json   how each was made, by name and scale
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from kernelgan_fast.errors import DeviceUnavailable, InputError
from kernelgan_fast.estimation.options import versions
from kernelgan_fast.jobs import schema
from kernelgan_fast.jobs.downscale import FORMATS
from kernelgan_fast.jobs.engines import kernels_of_engine, open_engine
from kernelgan_fast.jobs.job import Output, Report, ScaledRun
from kernelgan_fast.jobs.kernel_source import BICUBIC, kernel_source

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from kernelgan_fast.analysis import PhotoAnalysis
    from kernelgan_fast.jobs.resolved_kernel import KernelSource
    from kernelgan_fast.kernels.blur_kernel import BlurKernel
    from kernelgan_fast.runtime.engine import Engine

# Noise and compression are measured on each photo; the same word as in `sr.conditioning`.
AUTO = "auto"

PRECISIONS = (AUTO, "float32", "bfloat16", "float16")


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
        precision: "float32", "bfloat16" or "float16".
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
    precision: str = AUTO,
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
        takes_noise = model.metadata.kernel is None
        method, precision = model.metadata.method, model.metadata.precision
    else:
        from kernelgan_fast import sr
        from kernelgan_fast.sr.precision import chosen_precision

        model, takes_noise = None, True
        method = sr.check_method(sr.DEFAULT if method is None else method)
        scale = getattr(kernel, "scale", 2) if scale is None else scale
        # Bicubic enlargement asks for no kernel, so none is estimated for it.
        kernels = kernel_source(BICUBIC if method == "bicubic" else kernel, scale)
        precision = chosen_precision(precision, method, _checked_device(device))
    return UpscaleSettings(
        kernels=kernels,
        scale=scale,
        method=method,
        engine=model,
        noise=AUTO if noise is None and takes_noise else noise,
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
    precision: str = AUTO,
    device: str = "cpu",
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Upscaled:
    """Enlarge a photo by super-resolution that knows the kernel which made it small.

    Args:
        source: a file path; an array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) or a tensor
            (3, H, W) or (1, H, W), of uint8, uint16 or float in [0, 1]. Alpha is ignored.
        scale: 1 to 4; 1 removes blur at the size of the photo. If None, that of the engine or the
            `BlurKernel` if one is given, else 2.
        kernel: a `BlurKernel`; a file or FILE:INDEX; a folder that `estimate` wrote, which holds
            the kernel of this photo by its SHA-256 or its name; "estimate", the photo's own by its
            spectrum; or "bicubic", antialiased, as most programs make photos small. It is found
            once, on the whole photo.
        method: one of `sr.METHODS`; `sr.DEFAULT` if None.
        engine: a model that `export` has made, in place of a method.
        noise: standard deviation of the photo's noise in grey levels of 255; more makes the
            result smoother, 0 stands for none. By default ("auto" or None) noise and compression
            are measured on the photo.
        iterations: of "backprojection", "tv" and "zssr", instead of their own number.
        seed: of methods that draw.
        weights: a file for "unfold" or "srmd".
        tile: side of tiles in LR px, 0 for none, None for automatic.
        precision: "float32", "bfloat16" or "float16", of networks. By default ("auto") "unfold"
            computes in bfloat16 on CPUs that multiply it in hardware (AMX) and in float16 on
            GPUs, which changes the result by less than 0.02 dB; other methods in float32.
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
    from kernelgan_fast.jobs.enlarging import enlarged

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
    large = enlarged(photo, analysis, applied, settings, progress)
    notes = (*photo.notes, *analysis.notes, *applied.notes, *large.notes)
    return Upscaled(large.pixels, applied.kernel, settings.method, notes, analysis)


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
        "analysis": schema.mapping,
        "measured": schema.text,
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

    def make(self, photo: Path, name: str, report: Report) -> Output:
        """Read a photo and enlarge it.

        Raises:
            ImageError: the photo cannot be used.
            InputError: the kernel or the weights cannot be used.
        """
        from kernelgan_fast.analysis import analyse_photo
        from kernelgan_fast.estimation.kernel_warnings import kernel_facts
        from kernelgan_fast.images import read_picture, save_picture
        from kernelgan_fast.jobs.enlarging import enlarged, enlarged_alpha, premultiplied

        settings = self.settings
        picture = read_picture(photo)
        analysis = analyse_photo(picture.photo)
        applied = settings.kernels.of(picture.photo, name, analysis)
        large = enlarged(picture.photo, analysis, applied, settings, report)
        alpha = None
        if picture.alpha is not None:
            alpha = enlarged_alpha(picture.alpha, settings.scale)
            if analysis.bicubic_only:
                pixels = premultiplied(picture.pixels, picture.alpha, alpha, settings.scale)
                large = replace(large, pixels=pixels)
        (file,) = self.files(name)
        facts = {
            "method": settings.method,
            "applied": applied.label,
            **applied.facts,
            "kernel": kernel_facts(applied.kernel),
            "analysis": analysis.facts(),
            "measured": analysis.summary(),
            "tile": large.tile,
            "size_before": [picture.pixels.shape[1], picture.pixels.shape[0]],
            "size": [large.pixels.shape[1], large.pixels.shape[0]],
        }
        notes = [*picture.notes, *analysis.notes, *applied.notes, *large.notes]

        def save(path: Path) -> Sequence[str]:
            return save_picture(large.pixels, path, picture, alpha=alpha)

        return Output({file: save}, facts, notes)


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
