"""The package's story: a photo goes in, its kernel comes out, and the kernel is put to work."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias, overload

from kernelgan_fast.errors import InputError
from kernelgan_fast.estimation.options import EstimateOptions, estimate_options
from kernelgan_fast.estimation.result import (
    Clock,
    Diagnostics,
    Estimate,
    PhotoResult,
    Progress,
    ProgressEvent,
)
from kernelgan_fast.jobs.downscale import downscale
from kernelgan_fast.jobs.estimate import FolderRun
from kernelgan_fast.jobs.outputs import FORMATS
from kernelgan_fast.jobs.upscale import Upscaled, upscale

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from kernelgan_fast.estimation.estimator import Found, Prepared
    from kernelgan_fast.gan.config import TrainConfig

    Photo: TypeAlias = str | os.PathLike[str] | NDArray[np.generic] | torch.Tensor

__all__ = [
    "Diagnostics",
    "Estimate",
    "FolderRun",
    "PhotoResult",
    "ProgressEvent",
    "Upscaled",
    "downscale",
    "estimate",
    "estimate_files",
    "upscale",
]


@overload
def estimate(  # type: ignore[overload-overlap] # a str is one photo, though a sequence too
    source: Photo,
    *,
    scale: int = ...,
    method: str | None = ...,
    profile: str | TrainConfig | None = ...,
    iterations: int | None = ...,
    seed: int = ...,
    seeds: int = ...,
    real: bool = ...,
    device: str = ...,
    devices: str | Sequence[str] | None = ...,
    threads: int | None = ...,
    tiles: tuple[int, int] | str | None = ...,
    progress: Progress | None = ...,
) -> Estimate: ...


@overload
def estimate(
    source: Sequence[Photo],
    *,
    scale: int = ...,
    method: str | None = ...,
    profile: str | TrainConfig | None = ...,
    iterations: int | None = ...,
    seed: int = ...,
    seeds: int = ...,
    real: bool = ...,
    device: str = ...,
    devices: str | Sequence[str] | None = ...,
    threads: int | None = ...,
    tiles: tuple[int, int] | str | None = ...,
    progress: Progress | None = ...,
) -> list[Estimate]: ...


def estimate(
    source: Photo | Sequence[Photo],
    *,
    scale: int = 2,
    method: str | None = None,
    profile: str | TrainConfig | None = None,
    iterations: int | None = None,
    seed: int = 0,
    seeds: int = 1,
    real: bool = False,
    device: str = "auto",
    devices: str | Sequence[str] | None = None,
    threads: int | None = None,
    tiles: tuple[int, int] | str | None = None,
    progress: Progress | None = None,
) -> Estimate | list[Estimate]:
    """Estimate the kernel that a photo was (or would have been) made smaller with.

    The same photo, seed and version give the same kernel, alone or in a list. The source is never
    written to.

    Args:
        source: a file path; an array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) or a tensor
            (3, H, W) or (1, H, W), of uint8, uint16 or float in [0, 1]; or a list of these,
            which are processed in batches that fill the threads. Sides of at least 48 px; 84 px
            (64 with `real`) for "kernelgan" and "recurrence".
        scale: 1 to 4, how many times smaller; 2 or 4 for methods other than "spectral".
        method: "spectral" (the default) estimates the kernel in closed form from the spectrum of
            the photo, the most accurate method. "kernelgan" trains a generator on the photo.
            "recurrence" searches for patches that recur in the photo (Michaeli and Irani), on the
            CPU. If None, "kernelgan" where a profile is given, else "spectral".
        profile: Of "kernelgan": "corrected" (the default), "paper", or a `TrainConfig`.
        iterations: Of the training instead of the profile's number, or rounds of the search of
            "recurrence" at most.
        seed: of the first run, 0 or more.
        seeds: runs a photo, with seed, seed + 1, …; the kernel is the mean of the centred
            kernels, and `Estimate.spread` says how far they are from it. 1 to 100.
        real: keep the edges in trainings and in the search of "recurrence"; without it 10 px a
            side are cut off, as synthetic images need. Kernels in closed form use the whole photo.
        device: "cpu", a GPU as "cuda" or "cuda:1", or "auto": the CPU or the first GPU,
            whichever a short measurement says will be done first.
        devices: several GPUs, as a list of names or "all", instead of `device`.
        threads: CPU threads; all that the process may use if None.
        tiles: (rows, columns) of regions to give a kernel each, or "auto"; in `Estimate.tiles`.
            Kernels in closed form only.
        progress: called about every 1 % of a batch; raise in it to stop.

    Returns:
        The estimate, or a list of them in order where a list was given.

    Raises:
        ImageError: a photo cannot be used; of a list none is returned (see `estimate_files`).
        ConfigError: an argument is out of range.
        DeviceUnavailable: the device cannot be used.
        TrainingDiverged: the losses stopped being numbers.
        NativeUnavailable: the compiled extension cannot be loaded.

    Source: Bell-Kligler et al., "Blind Super-Resolution Kernel Estimation using an
        Internal-GAN", NeurIPS 2019.
    """
    settings = estimate_options(
        scale=scale,
        method=method,
        profile=profile,
        iterations=iterations,
        seed=seed,
        seeds=seeds,
        real=real,
        device=device,
        devices=devices,
        threads=threads,
        tiles=tiles,
    )
    if isinstance(source, Sequence) and not isinstance(source, str):
        return _estimate_all(source, settings, progress)
    return _estimate_all([source], settings, progress)[0]


@dataclass(frozen=True)
class _Item:
    index: int
    prepared: Prepared

    @property
    def label(self) -> str:
        return self.prepared.source


def _estimate_all(
    sources: Sequence[Photo], settings: EstimateOptions, progress: Progress | None
) -> list[Estimate]:
    from kernelgan_fast.estimation.batches import train_photos
    from kernelgan_fast.estimation.pipeline import finish, prepare

    def ready(index: int) -> _Item:
        try:
            return _Item(index, prepare(sources[index], settings))
        except InputError as error:
            if len(sources) == 1:
                raise
            raise type(error)(f"photo {index} of the list: {error}") from error

    def finished(item: _Item, found: Found) -> tuple[int, Estimate]:
        return item.index, finish(item.prepared, found, settings)

    clock = Clock(len(sources), settings.iterations, progress)
    estimates: dict[int, Estimate] = {}
    jobs = [partial(ready, index) for index in range(len(sources))]
    with closing(train_photos(jobs, finished, settings, clock)) as results:
        for result in results:
            assert not isinstance(result, PhotoResult)  # `ready` raises instead
            estimates.update([result])
            clock.done = len(estimates)
    return [estimates[index] for index in range(len(sources))]


def estimate_files(
    inputs: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    scale: int = 2,
    method: str | None = None,
    profile: str | TrainConfig | None = None,
    iterations: int | None = None,
    seed: int = 0,
    seeds: int = 1,
    real: bool = False,
    device: str = "auto",
    devices: str | Sequence[str] | None = None,
    threads: int | None = None,
    tiles: tuple[int, int] | str | None = None,
    formats: Sequence[str] = FORMATS,
    resume: bool = False,
) -> FolderRun:
    """Make ready to estimate the kernels of many photo files into a folder.

    A photo that cannot be used is reported and the others go on. Each photo gets
    <name>_kernel_x2.npy, .mat, .json and .png (with scale 4 also _kernel_x4) and, last, the
    record <name>.json.

    Args:
        inputs: files, folders and glob patterns.
        out: the folder to write to, made if it is not there; files of earlier runs are replaced.
        formats: some of "npy", "mat", "json", "png".
        resume: leave out photos that an earlier run finished with the same settings.
        scale, method, profile, iterations, seed, seeds, real, device, devices, threads, tiles: as
            in `estimate`.

    Returns:
        The run; iterate over its `results()` to make it happen, photo by photo.

    Raises:
        ConfigError: an argument is out of range.
        DeviceUnavailable: the device cannot be used.
        OutputError: the folder cannot be used.
    """
    settings = estimate_options(
        scale=scale,
        method=method,
        profile=profile,
        iterations=iterations,
        seed=seed,
        seeds=seeds,
        real=real,
        device=device,
        devices=devices,
        threads=threads,
        tiles=tiles,
    )
    return FolderRun(inputs, out, settings, formats=formats, resume=resume)
