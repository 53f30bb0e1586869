"""A run that makes LR photos and their true kernels from HR photos, into one folder.

lr_x2/NAME.png       the LR photo
gt_k_x2/NAME.mat     the kernel that made it (variable "Kernel")
degradation.json     how each photo was made, by name and scale
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from kernelgan_fast.errors import InputError
from kernelgan_fast.estimation.options import LARGEST_SEED, versions
from kernelgan_fast.jobs import schema
from kernelgan_fast.jobs.job import Output, Report, ScaledRun

if TYPE_CHECKING:
    from kernelgan_fast.degradation.blur_models import TrueKernel
    from kernelgan_fast.kernels.blur_kernel import BlurKernel

FORMAT = "kernelgan-fast degradation 1"
RECORD = "degradation.json"


@dataclass(frozen=True)
class DegradeSettings:
    """How photos are degraded.

    Attributes:
        blur_model: the name of a blur model, or a kernel file.
        scale: 2 or 4.
        seed: of kernels and noise.
        noise: standard deviation in grey levels of 255.
        jpeg: quality, or None.
        fixed: parameters of the blur model that are not drawn.
        kernel_of: gives the kernel of a photo by its name.
        kernel_id: tells one kernel file's content from another; None of a blur_model.
    """

    blur_model: str
    scale: int
    seed: int
    noise: float
    jpeg: int | None
    fixed: Mapping[str, float]
    kernel_of: Callable[[str], TrueKernel] = field(compare=False)
    kernel_id: str | None = None

    def request(self) -> dict[str, object]:
        """What decides an LR photo besides the photo, as JSON gives it back."""
        blur_model = self.blur_model if self.kernel_id is None else Path(self.blur_model).name
        return {
            "version": versions()["kernelgan_fast"],
            "blur_model": blur_model,
            "kernel": self.kernel_id,
            "scale": self.scale,
            "seed": self.seed,
            "noise": self.noise,
            "jpeg": self.jpeg,
            "fixed": dict(self.fixed),
        }


def degrade_settings(
    *,
    blur_model: str = "div2krk",
    scale: int = 2,
    seed: int = 0,
    noise: float = 0.0,
    jpeg: int | None = None,
    fixed: Mapping[str, float] | None = None,
) -> DegradeSettings:
    """Check the options of a run.

    Args:
        blur_model: One of `degradation.blur_models.BLUR_MODELS`, or a kernel file (FILE:INDEX of
            several).
        scale: 2 or 4.
        seed: 0 or more; the same seed, blur model and name of a photo give the same kernel.
        noise: standard deviation of white noise, in grey levels of 255.
        jpeg: quality 1 to 95 of JPEG compression, None for none.
        fixed: parameters of the blur model to set instead of drawing them.

    Raises:
        InputError: an option is out of range, or the kernel file cannot be used.
    """
    from kernelgan_fast.degradation import blur_models
    from kernelgan_fast.degradation.degrade import check_options

    if not 0 <= seed <= LARGEST_SEED:
        raise InputError(f"seed must be 0 to {LARGEST_SEED}, got {seed}")
    check_options(noise, jpeg)
    given = dict(fixed or {})
    if blur_model in blur_models.BLUR_MODELS or not _names_a_file(blur_model):

        def kernel_of(name: str) -> TrueKernel:
            return blur_models.draw(blur_model, scale, seed=seed, name=name, fixed=given)

        kernel_of("")  # wrong parameters are told now, not by every photo
        return DegradeSettings(blur_model, scale, seed, noise, jpeg, given, kernel_of)
    if given:
        raise InputError(f"a kernel file has no parameters to set, got {next(iter(given))!r}")
    kernel = blur_models.from_file(blur_model, scale)
    content = hashlib.sha256(kernel.array.tobytes()).hexdigest()
    return DegradeSettings(blur_model, scale, seed, noise, jpeg, {}, lambda name: kernel, content)


class DegradeRun(ScaledRun[DegradeSettings]):
    """Make LR photos of many HR photos; see `RecordedRun`.

    Args:
        inputs: files, folders and glob patterns.
        out: the folder to write to; made if it is not there.
        settings: as `degrade_settings` makes them.
        resume: leave out photos that an earlier run made with the same settings.
    """

    format = FORMAT
    record_name = RECORD
    facts: ClassVar[Mapping[str, schema.Check]] = {
        "kernel": schema.KERNEL_FACTS,
        "parameters": schema.mapping,
        "size": schema.SIZE,
    }

    def files(self, name: str) -> tuple[Path, Path]:
        """The LR photo and the kernel."""
        scale, folder = self.settings.scale, self.folder.path
        return folder / f"lr_x{scale}" / f"{name}.png", folder / f"gt_k_x{scale}" / f"{name}.mat"

    def request(self, photo: Path, name: str) -> Mapping[str, object]:
        """What decides an LR photo besides the photo."""
        return self.settings.request()

    def make(self, photo: Path, name: str, report: Report) -> Output:
        """Read a photo and make the LR photo of it.

        Raises:
            ImageError: the photo cannot be used.
        """
        from kernelgan_fast.degradation import blur_models
        from kernelgan_fast.degradation.degrade import degrade
        from kernelgan_fast.estimation.kernel_warnings import kernel_facts
        from kernelgan_fast.images import read_image, save_png
        from kernelgan_fast.kernels import store

        settings = self.settings
        hr = read_image(photo)
        kernel = settings.kernel_of(name)
        lr = degrade(
            hr,
            kernel.array,
            settings.scale,
            noise=settings.noise,
            jpeg=settings.jpeg,
            random=blur_models.generator(settings.seed, "noise", str(settings.scale), name),
        )
        notes = [*hr.notes, *kernel.notes]
        if settings.jpeg is not None and hr.pixels.dtype.kind == "f":
            notes.append("JPEG has 8 bits a channel, so its LR photo has no more")
        true = self._normalised(kernel, photo)
        facts = {
            "parameters": dict(kernel.parameters),
            "kernel": kernel_facts(true),
            "sum": round(float(kernel.array.sum()), 9),
            "size": [lr.shape[1], lr.shape[0]],
        }
        small, stored = self.files(name)
        writers: dict[Path, Callable[[Path], None]] = {
            small: lambda file: save_png(lr, file),
            stored: lambda file: store.save(true, file),
        }
        return Output(writers, facts, notes)

    def _normalised(self, kernel: TrueKernel, photo: Path) -> BlurKernel:
        from kernelgan_fast.kernels.blur_kernel import BlurKernel

        provenance = {
            "blur_model": self.settings.blur_model,
            "photo": photo.name,
            **kernel.parameters,
        }
        array = kernel.array / kernel.array.sum()
        return BlurKernel(array, self.settings.scale, provenance=provenance)


def _names_a_file(blur_model: str) -> bool:
    name = blur_model.rpartition(":")[0] or blur_model
    return Path(blur_model).exists() or Path(name).suffix.lower() in (".npy", ".mat", ".json")
