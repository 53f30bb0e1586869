"""A run that makes LR photos and their true kernels from HR photos, into one folder.

lr_x2/NAME.png       the LR photo
gt_k_x2/NAME.mat     the kernel that made it (variable "Kernel")
degradation.json     how each photo was made, by name and scale
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kernelgan_fast.errors import InputError, OutputError
from kernelgan_fast.runs import records
from kernelgan_fast.runs.clock import Progress
from kernelgan_fast.runs.outputs import OutputFolder
from kernelgan_fast.runs.photos import failed, find_photos, renamed
from kernelgan_fast.runs.result import PhotoResult, ProgressEvent
from kernelgan_fast.runs.settings import versions

if TYPE_CHECKING:
    from kernelgan_fast.evaluation.blur_laws import TrueKernel
    from kernelgan_fast.kernels.blur_kernel import BlurKernel

FORMAT = "kernelgan-fast degradation 1"
RECORD = "degradation.json"

# The largest seed of `estimate`, so that one number serves both.
_LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True)
class DegradeSettings:
    """How photos are degraded.

    Attributes:
        law: the name of a law, or a kernel file.
        scale: 2 or 4.
        seed: of kernels and noise.
        noise: standard deviation in grey levels of 255.
        jpeg: quality, or None.
        fixed: parameters of the law that are not drawn.
        kernel_of: gives the kernel of a photo by its name.
        kernel_id: tells one kernel file's content from another; None of a law.
    """

    law: str
    scale: int
    seed: int
    noise: float
    jpeg: int | None
    fixed: Mapping[str, float]
    kernel_of: Callable[[str], TrueKernel] = field(compare=False)
    kernel_id: str | None = None

    def request(self) -> dict[str, object]:
        """What decides an LR photo besides the photo, as JSON gives it back."""
        law = self.law if self.kernel_id is None else Path(self.law).name
        return {
            "version": versions()["kernelgan_fast"],
            "law": law,
            "kernel": self.kernel_id,
            "scale": self.scale,
            "seed": self.seed,
            "noise": self.noise,
            "jpeg": self.jpeg,
            "fixed": dict(self.fixed),
        }


def degrade_settings(
    *,
    law: str = "div2krk",
    scale: int = 2,
    seed: int = 0,
    noise: float = 0.0,
    jpeg: int | None = None,
    fixed: Mapping[str, float] | None = None,
) -> DegradeSettings:
    """Check the options of a run.

    Args:
        law: one of `evaluation.blur_laws.LAWS`, or a kernel file (FILE:INDEX of several).
        scale: 2 or 4.
        seed: 0 or more; the same seed, law and name of a photo give the same kernel.
        noise: standard deviation of white noise, in grey levels of 255.
        jpeg: quality 1 to 95 of JPEG compression, None for none.
        fixed: parameters of the law to set instead of drawing them.

    Raises:
        InputError: an option is out of range, or the kernel file cannot be used.
    """
    from kernelgan_fast.evaluation import blur_laws
    from kernelgan_fast.evaluation.degradation import check_options

    if not 0 <= seed <= _LARGEST_SEED:
        raise InputError(f"seed must be 0 to {_LARGEST_SEED}, got {seed}")
    check_options(noise, jpeg)
    given = dict(fixed or {})
    if law in blur_laws.LAWS or not _names_a_file(law):

        def kernel_of(name: str) -> TrueKernel:
            return blur_laws.draw(law, scale, seed=seed, name=name, fixed=given)

        kernel_of("")  # wrong parameters are told now, not by every photo
        return DegradeSettings(law, scale, seed, noise, jpeg, given, kernel_of)
    if given:
        raise InputError(f"a kernel file has no parameters to set, got {next(iter(given))!r}")
    kernel = blur_laws.from_file(law, scale)
    content = hashlib.sha256(kernel.array.tobytes()).hexdigest()
    return DegradeSettings(law, scale, seed, noise, jpeg, {}, lambda name: kernel, content)


class DegradeRun:
    """Make LR photos of many HR photos.

    A photo that cannot be used is reported and the others go on; a folder that can no longer be
    written to ends the run.

    Args:
        inputs: files, folders and glob patterns.
        out: the folder to write to; made if it is not there.
        settings: as `degrade_settings` makes them.
        resume: leave out photos that an earlier run made with the same settings.

    Attributes:
        settings, folder: how, and where to.
        photos: the photos found, each with the name its files get.
        notices: what the user should know before the run starts.

    Raises:
        OutputError: the folder cannot be used, or holds LR photos of another program.
    """

    def __init__(
        self,
        inputs: Sequence[str | os.PathLike[str]],
        out: str | os.PathLike[str],
        settings: DegradeSettings,
        *,
        resume: bool = False,
    ) -> None:
        self.settings = settings
        self._resume = resume
        self.photos, self._failures, _ = find_photos(inputs)
        self.notices = renamed(self.photos)
        self.folder = OutputFolder(out)
        self._record = self.folder.path / RECORD
        self._made = self._earlier()
        self._began = time.perf_counter()

    def __len__(self) -> int:
        return len(self.photos) + len(self._failures)

    @property
    def elapsed(self) -> float:
        """Seconds since the run was made."""
        return time.perf_counter() - self._began

    def results(self, progress: Progress | None = None) -> Generator[PhotoResult, None, None]:
        """Run; each photo's result is handed out as soon as its files are written.

        Args:
            progress: called before each photo; may raise to stop.

        Raises:
            OutputError: a file could not be written; finished photos stay.
            NativeUnavailable: the compiled extension cannot be loaded.
        """
        try:
            yield from self._failures
            yield from self._run(progress)
        finally:
            self.folder.remove_if_unused()

    def _run(self, progress: Progress | None) -> Iterator[PhotoResult]:
        pending = []
        for photo, name in self.photos.items():
            entry = self._still_holds(photo, name)
            if entry is None:
                pending.append((photo, name))
            else:
                yield PhotoResult(photo, "skipped", self._record, entry, None, None)
        for index, (photo, name) in enumerate(pending):
            if progress is not None:
                progress(self._event(photo, index, len(pending)))
            yield self._degrade(photo, name)

    def _event(self, photo: Path, index: int, pending: int) -> ProgressEvent:
        elapsed = self.elapsed
        return ProgressEvent(
            photos_done=len(self) - pending + index,
            photos_total=len(self),
            iteration=0,
            iterations=0,
            losses={},
            elapsed=elapsed,
            remaining=elapsed / index * (pending - index) if index else None,
            batch=(photo.name,),
        )

    def _degrade(self, photo: Path, name: str) -> PhotoResult:
        from kernelgan_fast.evaluation import blur_laws
        from kernelgan_fast.evaluation.degradation import degrade
        from kernelgan_fast.images import read_image

        settings = self.settings
        try:
            facts = records.source_facts(photo)
            hr = read_image(photo)
            kernel = settings.kernel_of(name)
            random = blur_laws.generator(settings.seed, "noise", str(settings.scale), name)
            lr = degrade(
                hr,
                kernel.array,
                settings.scale,
                noise=settings.noise,
                jpeg=settings.jpeg,
                random=random,
            )
        except InputError as error:
            return failed(photo, error)
        notes = [*hr.notes, *kernel.notes]
        if settings.jpeg is not None and hr.pixels.dtype.kind == "f":
            notes.append("JPEG has 8 bits a channel, so its LR photo has no more")
        return self._write(photo, name, facts, kernel, lr, notes)

    def _write(
        self,
        photo: Path,
        name: str,
        facts: records.SourceFacts,
        kernel: TrueKernel,
        lr: Any,
        notes: list[str],
    ) -> PhotoResult:
        from kernelgan_fast.evaluation.png import save_png
        from kernelgan_fast.kernels import store
        from kernelgan_fast.runs.findings import kernel_facts

        key = f"x{self.settings.scale}"
        files = self._files(name)
        # The record goes first and without the photo, so that it never tells of files that are
        # not there or not those; the photo is added when its files are whole.
        self._made.setdefault(name, {}).pop(key, None)
        self._save_record()
        true = self._normalised(kernel, photo)
        try:
            for file in files:
                self._make_folder(file.parent)
            store.save(true, files[1])
            save_png(lr, files[0])
        except BaseException:  # Ctrl-C too
            for file in files:
                with suppress(OSError):  # there is already an error to tell
                    file.unlink(missing_ok=True)
            raise
        entry: dict[str, object] = {
            "source": asdict(facts),
            "request": self.settings.request(),
            "parameters": dict(kernel.parameters),
            "kernel": kernel_facts(true),
            "sum": round(float(kernel.array.sum()), 9),
            "size": [lr.shape[1], lr.shape[0]],
            "files": [str(file.relative_to(self.folder.path)) for file in files],
            "warnings": notes,
            "versions": versions(),
            "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        }
        self._made[name][key] = entry
        self._save_record()
        return PhotoResult(photo, "done", self._record, entry, None, None)

    def _normalised(self, kernel: TrueKernel, photo: Path) -> BlurKernel:
        from kernelgan_fast.kernels.blur_kernel import BlurKernel

        provenance = {"law": self.settings.law, "photo": photo.name, **kernel.parameters}
        array = kernel.array / kernel.array.sum()
        return BlurKernel(array, self.settings.scale, provenance=provenance)

    def _files(self, name: str) -> tuple[Path, Path]:
        """The LR photo and the kernel."""
        scale, folder = self.settings.scale, self.folder.path
        return folder / f"lr_x{scale}" / f"{name}.png", folder / f"gt_k_x{scale}" / f"{name}.mat"

    def _make_folder(self, folder: Path) -> None:
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            reason = error.strerror or error
            raise OutputError(f"cannot make the folder {folder}: {reason}") from error

    def _earlier(self) -> dict[str, dict[str, Any]]:
        """What earlier runs made, from their record; a folder of other making is refused."""
        path, scale = self._record, self.settings.scale
        if not path.exists():
            for folder in (self.folder.path / f"lr_x{scale}", self.folder.path / f"gt_k_x{scale}"):
                if folder.is_dir() and any(folder.iterdir()):
                    raise OutputError(
                        f"{folder} holds files that no {RECORD} beside it tells of; they are not "
                        "replaced: choose another folder with --out"
                    )
            return {}
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            content = {}
        made = content.get("photos") if isinstance(content, dict) else None
        if not isinstance(made, dict) or content.get("format") != FORMAT:
            raise OutputError(
                f"{path} exists and is not a record of this program: move it away or choose "
                "another folder with --out"
            )
        return made

    def _save_record(self) -> None:
        kept = {name: scales for name, scales in sorted(self._made.items()) if scales}
        records.write_record(self._record, {"format": FORMAT, "photos": kept})

    def _still_holds(self, photo: Path, name: str) -> Mapping[str, object] | None:
        entry: dict[str, Any] | None = self._made.get(name, {}).get(f"x{self.settings.scale}")
        if not self._resume or entry is None:
            return None
        try:
            facts = records.source_facts(photo)
        except InputError:
            return None  # told when it is read
        same = entry["source"]["sha256"] == facts.sha256
        asked = json.loads(json.dumps(self.settings.request()))
        there = all(file.is_file() for file in self._files(name))
        return entry if same and entry["request"] == asked and there else None


def _names_a_file(law: str) -> bool:
    name = law.rpartition(":")[0] or law
    return Path(law).exists() or Path(name).suffix.lower() in (".npy", ".mat", ".json")
