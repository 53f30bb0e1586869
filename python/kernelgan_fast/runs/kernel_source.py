"""Where the kernels of a run come from: a file, a pool of them, each photo's own, or bicubic."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from kernelgan_fast.errors import InputError
from kernelgan_fast.files import read_json

if TYPE_CHECKING:
    from kernelgan_fast.evaluation.blur_laws import TrueKernel
    from kernelgan_fast.images import Photo
    from kernelgan_fast.kernels.blur_kernel import BlurKernel

SCALES = (2, 4)
ESTIMATE, BICUBIC = "estimate", "bicubic"

# Of files that differ in suffix alone the first of these is read; ours hold the same kernel.
_SUFFIXES = (".json", ".mat", ".npy")
_SCALED = re.compile(r".+_kernel_x(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Applied:
    """A kernel to use on one photo.

    Attributes:
        kernel: centred by the half-pixel rule, sum 1.
        label: what to call it in a line for the user.
        facts: where it is from, ready for JSON.
        notes: what a user should know of it.
        error: relative L2 error that it may have, 0 for one that was given.
    """

    kernel: BlurKernel
    label: str
    facts: Mapping[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    error: float = 0.0


@dataclass(frozen=True)
class KernelSource:
    """Where kernels come from.

    Attributes:
        label: in a few words, for the user.
        of: gives the kernel of a photo, by the photo and the name its files get; its errors are
            `InputError`, and `TrainingDiverged` where it is estimated.
        identity: tells, by that name and without the photo, what kernel it will be; ready for
            JSON. The same photo and the same identity mean the same kernel.
    """

    label: str
    of: Callable[[Photo, str], Applied]
    identity: Callable[[str], object]


def kernel_source(
    kernel: str | os.PathLike[str] | BlurKernel, scale: int, *, seed: int = 0
) -> KernelSource:
    """Find out what a kernel argument means, and read the files it names.

    Args:
        kernel: a kernel; a file of one (.mat, .npy, .json; FILE:INDEX where it holds several); a
            folder of such files, a pool from which each photo draws; "estimate", each photo's own
            by the profile "default"; "bicubic", the antialiased resampler.
        scale: 2 or 4.
        seed: of the draws from a pool. A photo's draw depends on seed, scale, its name and the
            names in the pool, and a kernel that is added to the pool takes photos from the others
            without mixing the rest.

    Raises:
        InputError: a scale or kernel that cannot be used, or a folder without kernels.
    """
    from kernelgan_fast.kernels.blur_kernel import BlurKernel

    if scale not in SCALES:
        raise InputError(f"scale must be 2 or 4, got {scale!r}")
    if isinstance(kernel, BlurKernel):
        if kernel.scale != scale:
            raise InputError(
                f"the kernel is for scale {kernel.scale}, got scale {scale}; give "
                f"scale={kernel.scale} or another kernel"
            )
        return _one(Applied(kernel, "a kernel"))
    name = os.fspath(kernel)
    if name == ESTIMATE:
        return _estimated(scale)
    if name == BICUBIC:
        return _one(_bicubic(scale))
    if Path(name).is_dir():
        return _pool(Path(name), scale, seed)
    if not Path(name).exists() and Path(name.partition(":")[0]).suffix.lower() not in _SUFFIXES:
        raise InputError(
            "the kernel must be estimate, bicubic, a file (.mat .npy .json) or a folder of "
            f"them, got {name!r}; check the path"
        )
    return _one(_from_file(name, scale))


def fixed_kernel(kernel: str | os.PathLike[str], scale: int) -> Applied:
    """Read a kernel that no photo decides.

    Args:
        kernel: a file, FILE:INDEX or "bicubic".
        scale: 2 or 4.

    Raises:
        InputError: a scale or kernel that cannot be used, or one that each photo has its own of.
    """
    name = os.fspath(kernel)
    if scale not in SCALES:
        raise InputError(f"scale must be 2 or 4, got {scale!r}")
    if name == ESTIMATE or Path(name).is_dir():
        raise InputError(
            f"one kernel for all photos is wanted, got {name}; give a file (.mat .npy .json) or "
            "bicubic"
        )
    return _bicubic(scale) if name == BICUBIC else _from_file(name, scale)


def _one(applied: Applied) -> KernelSource:
    content = _content(applied.kernel)
    return KernelSource(applied.label, lambda photo, name: applied, lambda name: content)


def _content(kernel: BlurKernel) -> str:
    return hashlib.sha256(kernel.array.tobytes()).hexdigest()


def _bicubic(scale: int) -> Applied:
    from kernelgan_fast.evaluation import blur_laws

    return Applied(_whole(blur_laws.draw(BICUBIC, scale, seed=0, name=""), scale), BICUBIC)


def _from_file(path: str, scale: int) -> Applied:
    from kernelgan_fast.evaluation import blur_laws

    stored = blur_laws.from_file(path, scale)
    return Applied(_whole(stored, scale), Path(path).name, stored.parameters, stored.notes)


def _whole(kernel: TrueKernel, scale: int) -> BlurKernel:
    from kernelgan_fast.kernels.blur_kernel import BlurKernel

    # What was lost in centring would make the photo darker.
    return BlurKernel(kernel.array / kernel.array.sum(), scale, provenance=kernel.parameters)


def _estimated(scale: int) -> KernelSource:
    from kernelgan_fast.runs import records
    from kernelgan_fast.runs.settings import make_settings

    settings = make_settings(scale=scale, device="cpu")
    request = {"estimate": records.request(settings)}

    def of(photo: Photo, name: str) -> Applied:
        # Late: it loads what estimates need.
        from kernelgan_fast.runs.batch import finish, prepare, train_batch
        from kernelgan_fast.runs.devices import Choice

        choice = Choice(("cpu",), "cpu", "one kernel at a time")
        (trained,) = train_batch([prepare(photo, settings)], settings, choice)
        found = finish(trained, settings)
        facts = {"estimate": settings.config.profile, "expected_error": found.expected_error}
        told = tuple(note for note in found.diagnostics.warnings if note not in photo.notes)
        error = found.expected_error or 0.0
        return Applied(found.kernel, "its own kernel", facts, told, error)

    return KernelSource("each photo's own kernel", of, lambda name: request)


def _pool(folder: Path, scale: int, seed: int) -> KernelSource:
    pool = {name: _from_file(str(path), scale) for name, path in _kernels(folder, scale).items()}

    def drawn(photo: str) -> str:
        def ticket(kernel: str) -> bytes:
            words = (str(seed), "pool", str(scale), photo, kernel)
            return hashlib.sha256("\0".join(words).encode()).digest()

        return max(pool, key=ticket)

    def of(photo: Photo, name: str) -> Applied:
        return pool[drawn(name)]

    noun = "kernel" if len(pool) == 1 else "kernels"
    label = f"a pool of {len(pool)} {noun}"
    contents = {name: _content(applied.kernel) for name, applied in pool.items()}
    return KernelSource(label, of, lambda name: contents[drawn(name)])


def _kernels(folder: Path, scale: int) -> dict[str, Path]:
    """The kernel files in a folder, and in the folders directly in it, by name without suffix."""
    found: dict[str, Path] = {}
    for path in _readable(folder):
        scaled = _SCALED.fullmatch(path.stem)
        if scaled and int(scaled[1]) != scale:
            continue
        found.setdefault(path.relative_to(folder).with_suffix("").as_posix(), path)
    if not found:
        raise InputError(
            f"{folder}: no kernels of scale {scale} there (looked for .mat, .npy and .json); "
            "check the folder and the scale"
        )
    return dict(sorted(found.items()))


def _readable(folder: Path) -> Iterable[Path]:
    paths = [path for path in (*folder.iterdir(), *folder.glob("*/*")) if path.is_file()]
    for suffix in _SUFFIXES:
        for path in paths:
            named = path.suffix.lower() == suffix and not path.name.startswith(".")
            if named and (suffix != ".json" or _holds_kernel(path)):
                yield path


def _holds_kernel(path: Path) -> bool:
    """Whether a JSON file is a kernel, and not a record; one that cannot be read may be."""
    try:
        content = read_json(path)
    except InputError:
        return True
    return isinstance(content, dict) and "kernel" in content
