"""Photos made smaller by kernels: one, or many files into a folder.

NAME_x2.png        the small photo; or, as training pairs,
LR/NAME.png        the small photo,
HR/NAME.png        the photo it was made from, cropped to a multiple of the scale, and
kernels/NAME.mat   the kernel that made it (variable "Kernel")
downscale.json     how each was made, by name and scale
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from kernelgan_fast.errors import InputError
from kernelgan_fast.estimation.options import LARGEST_SEED, versions
from kernelgan_fast.jobs import schema
from kernelgan_fast.jobs.job import Output, Report, ScaledRun
from kernelgan_fast.jobs.kernel_folder import kernel_pool as pool_of
from kernelgan_fast.jobs.kernel_source import kernel_source

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kernelgan_fast.jobs.resolved_kernel import KernelSource
    from kernelgan_fast.kernels.blur_kernel import BlurKernel

_SCALES = (2, 4)
FORMATS = ("png", "jpg", "webp", "tif", "bmp")
_WITH_LOSS = ("jpg", "webp")


def downscale(
    source: object,
    kernel: str | os.PathLike[str] | BlurKernel | None = None,
    *,
    kernel_pool: str | os.PathLike[str] | None = None,
    scale: int | None = None,
    noise: float = 0.0,
    seed: int = 0,
) -> NDArray[Any]:
    """Make a photo smaller by a kernel: LR = correlate(HR, kernel)[::scale, ::scale].

    The border is continued half-sample symmetrically; sides that are no multiples of the scale
    are cropped at the bottom and on the right. The source is never written to.

    Args:
        source: a file path; an array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) or a tensor
            (3, H, W) or (1, H, W), of uint8, uint16 or float in [0, 1]. Alpha is ignored.
        kernel: a `BlurKernel`; a file or FILE:INDEX; a folder, which holds the kernel of this
            photo by its SHA-256 or its name; "estimate", the photo's own by the profile
            "default"; or "bicubic", antialiased. Files are centred by the half-pixel rule.
        kernel_pool: instead of `kernel`, a folder from which a kernel is drawn at random, by the
            seed and the photo's file name.
        scale: 2 or 4; the kernel's own where a `BlurKernel` is given, else 2, if None.
        noise: standard deviation of white noise to add, in grey levels of 255.
        seed: of the noise and the draw, 0 or more.

    Returns:
        (H // scale, W // scale, 3): of a uint8 photo uint8, rounded to the nearest; of a deeper
        one float32 in [0, 1].

    Raises:
        ImageError: the photo cannot be used, or is smaller than the kernel.
        InputError: the kernel or an option cannot be used.
        NativeUnavailable: the compiled extension cannot be loaded.
    """
    from kernelgan_fast.images import as_photo, read_image
    from kernelgan_fast.jobs.shrinking import cropped, shrink

    _check(noise, seed)
    if scale is None:
        scale = getattr(kernel, "scale", 2)
    kernels = _kernels(kernel, kernel_pool, scale, seed)
    is_file = isinstance(source, (str, os.PathLike))
    photo = read_image(source) if is_file else as_photo(source)  # type: ignore[arg-type]
    name = Path(photo.source).stem
    array = kernels.of(photo, name).kernel.array
    small, _ = shrink(cropped(photo.pixels, scale), array, scale, source=photo.source)
    small = np.clip(_noisy(small, noise, seed, scale, name, grey=False), 0, 1)
    return np.rint(small * 255).astype(np.uint8) if photo.pixels.dtype == np.uint8 else small


@dataclass(frozen=True)
class DownscaleSettings:
    """How photos are made smaller.

    Attributes:
        kernels: where their kernels come from.
        scale: 2 or 4.
        seed: of draws and noise.
        noise: standard deviation in grey levels of 255.
        suffix: of the photos written, such as "png".
        pairs: whether the cropped photo and the kernel are written beside the small photo.
    """

    kernels: KernelSource
    scale: int
    seed: int
    noise: float
    suffix: str
    pairs: bool


def downscale_settings(
    *,
    kernel: str | os.PathLike[str] | BlurKernel | None = None,
    kernel_pool: str | os.PathLike[str] | None = None,
    scale: int = 2,
    seed: int = 0,
    noise: float = 0.0,
    suffix: str = "png",
    pairs: bool = False,
) -> DownscaleSettings:
    """Check the options of a run and read the kernels.

    Args:
        kernel: as `kernel_source` takes it.
        kernel_pool: instead, a folder from which each photo draws a kernel.
        scale: 2 or 4.
        seed: 0 or more; the same seed, pool and name of a photo give the same kernel and noise.
        noise: standard deviation of white noise, in grey levels of 255.
        suffix: one of `FORMATS`.
        pairs: write training pairs.

    Raises:
        InputError: an option is out of range, or the kernels cannot be used.
    """
    _check(noise, seed)
    if suffix not in FORMATS:
        raise InputError(f"the format must be one of {', '.join(FORMATS)}, got {suffix!r}")
    if pairs and suffix in _WITH_LOSS:
        raise InputError(
            f"training pairs need a format without loss, got {suffix}: the large photo would no "
            "longer be the one that was made smaller; take png, tif or bmp"
        )
    kernels = _kernels(kernel, kernel_pool, scale, seed)
    return DownscaleSettings(kernels, scale, seed, noise, suffix, pairs)


class DownscaleRun(ScaledRun[DownscaleSettings]):
    """Make many photos smaller; see `RecordedRun`.

    Args:
        inputs: files, folders and glob patterns.
        out: the folder to write to; made if it is not there.
        settings: as `downscale_settings` makes them.
        resume: leave out photos that an earlier run made smaller with the same settings.
    """

    format = "kernelgan-fast downscaling 1"
    record_name = "downscale.json"
    facts: ClassVar[Mapping[str, schema.Check]] = {
        "applied": schema.text,
        "kernel": schema.KERNEL_FACTS,
        "size_before": schema.SIZE,
        "size": schema.SIZE,
    }

    def files(self, name: str) -> tuple[Path, ...]:
        """The small photo; of pairs also the photo it was made from, and the kernel."""
        folder, suffix = self.folder.path, self.settings.suffix
        if not self.settings.pairs:
            return (folder / f"{name}_{self.key}.{suffix}",)
        photos = [folder / place / f"{name}.{suffix}" for place in ("LR", "HR")]
        return (*photos, folder / "kernels" / f"{name}.mat")

    def request(self, photo: Path, name: str) -> Mapping[str, object]:
        """What decides the small photo besides the photo."""
        settings = self.settings
        return {
            "version": versions()["kernelgan_fast"],
            "kernel": settings.kernels.identity(photo, name),
            "scale": settings.scale,
            "seed": settings.seed,
            "noise": settings.noise,
        }

    def make(self, photo: Path, name: str, report: Report) -> Output:
        """Read a photo and make it smaller.

        Raises:
            ImageError: the photo cannot be used, or is smaller than the kernel.
        """
        from kernelgan_fast.estimation.kernel_warnings import kernel_facts
        from kernelgan_fast.images import read_picture, save_picture
        from kernelgan_fast.jobs.shrinking import cropped, shrink
        from kernelgan_fast.kernels import store

        settings, scale = self.settings, self.settings.scale
        picture = read_picture(photo)
        applied = settings.kernels.of(picture.photo, name)
        large = cropped(picture.pixels, scale)
        alpha = None if picture.alpha is None else cropped(picture.alpha, scale)
        small, small_alpha = shrink(
            large, applied.kernel.array, scale, alpha=alpha, source=str(photo)
        )
        small = _noisy(small, settings.noise, settings.seed, scale, name, grey=picture.grey)

        def save_small(file: Path) -> Sequence[str]:
            return save_picture(small, file, picture, alpha=small_alpha)

        def save_large(file: Path) -> None:
            save_picture(large, file, picture, alpha=alpha)  # told of the small one

        def save_kernel(file: Path) -> None:
            store.save(applied.kernel, file)

        writers: tuple[Callable[[Path], Sequence[str] | None], ...] = (
            save_small,
            save_large,
            save_kernel,
        )
        notes = [*picture.notes, *applied.notes]
        if large.shape != picture.pixels.shape:
            sides = "{1} x {0} to {3} x {2}".format(*picture.pixels.shape[:2], *large.shape[:2])
            notes.append(f"cropped from {sides} px, a multiple of {scale}")
        facts = {
            "applied": applied.label,
            **applied.facts,
            "kernel": kernel_facts(applied.kernel),
            "size_before": [large.shape[1], large.shape[0]],
            "size": [small.shape[1], small.shape[0]],
        }
        return Output(dict(zip(self.files(name), writers, strict=False)), facts, notes)


def _kernels(
    kernel: str | os.PathLike[str] | BlurKernel | None,
    kernel_pool: str | os.PathLike[str] | None,
    scale: int,
    seed: int,
) -> KernelSource:
    if (kernel is None) == (kernel_pool is None):
        raise InputError(
            f"either a kernel or a pool of kernels is wanted, got "
            f"{'neither' if kernel is None else 'both'}; give --kernel or --kernel-pool"
        )
    if scale not in _SCALES:
        raise InputError(f"scale must be 2 or 4, got {scale!r}")
    if kernel_pool is not None:
        return pool_of(Path(kernel_pool), scale, seed)
    assert kernel is not None
    advice = "to draw a kernel at random for each photo, use --kernel-pool"
    return kernel_source(kernel, scale, advice=advice)


def _check(noise: float, seed: int) -> None:
    if not 0 <= noise <= 255:
        raise InputError(f"noise must be 0 to 255 grey levels, got {noise:g}")
    if not 0 <= seed <= LARGEST_SEED:
        raise InputError(f"seed must be 0 to {LARGEST_SEED}, got {seed}")


def _noisy(
    small: NDArray[np.float32], noise: float, seed: int, scale: int, name: str, *, grey: bool
) -> NDArray[np.float32]:
    """Add white noise, the same in all channels of a grey photo."""
    if not noise:
        return small
    from kernelgan_fast.degradation import blur_models

    random = blur_models.generator(seed, "noise", str(scale), name)
    shape = (*small.shape[:2], 1 if grey else 3)
    return small + random.standard_normal(shape, dtype=np.float32) * np.float32(noise / 255)
