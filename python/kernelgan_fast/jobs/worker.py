"""What one worker does with its share of the photos: the work of a folder run.

Photos in storage are copied to a temporary folder first, one by one as they are read; results for
storage are written to such a folder and copied from there, the record last.
"""

from __future__ import annotations

import platform
import tempfile
import warnings
from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kernelgan_fast.errors import ImageError, InputError, OutputError, WorkerLost
from kernelgan_fast.estimation.devices import check_devices
from kernelgan_fast.estimation.options import versions
from kernelgan_fast.estimation.result import Clock
from kernelgan_fast.jobs import records
from kernelgan_fast.jobs.estimate import PhotoWork, Task
from kernelgan_fast.jobs.inputs import failed
from kernelgan_fast.jobs.outputs import OutputFolder, own_names
from kernelgan_fast.jobs.shares import Photo
from kernelgan_fast.jobs.storage import StorageFolder, fetch
from kernelgan_fast.urls import Url

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kernelgan_fast.estimation.options import EstimateOptions
    from kernelgan_fast.estimation.result import Estimate, PhotoResult


@dataclass(frozen=True)
class Job:
    """What every worker of a run needs to know.

    Attributes:
        settings: what to run; its devices are ("auto",) or ("cpu",).
        device: "auto", "cpu" or "cuda", as the worker finds it.
        formats: of the kernel files, in their usual order.
        out: where results go: a folder that all workers share, or a URL.
        token: a file in the shared folder, by which a worker knows it; None of a URL.
        resume: leave out photos whose record of an earlier run still holds.
        version: of this package.
    """

    settings: EstimateOptions
    device: str
    formats: tuple[str, ...]
    out: Path | Url
    token: str | None
    resume: bool
    version: str


@dataclass(frozen=True)
class Outcome:
    """What became of one photo.

    Attributes:
        result: without the estimate, and of its record without the losses, which may be long.
        kernel: (k, k) float64 at the scale asked for; None of a failed photo.
    """

    result: PhotoResult
    kernel: NDArray[np.float64] | None


def work(
    photos: Mapping[Photo, str], job: Job, clock: Clock | None = None
) -> Generator[Outcome, None, None]:
    """Do a share of a run.

    Args:
        photos: of the share, each with the name its files get.
        job: of the run.
        clock: of the run, where it is in this process.

    Raises:
        OutputError: results cannot be written, here or at all.
        WorkerLost: this machine has another version of the package.
        DeviceUnavailable: this machine has no such device.
        NativeUnavailable: the compiled extension cannot be loaded.
    """
    _refuse_other_version(job)
    settings = job.settings
    if job.device == "cuda":
        settings = replace(settings, devices=check_devices("cuda"))
    clock = clock or Clock(len(photos), settings.iterations, None)
    with tempfile.TemporaryDirectory(prefix="kernelgan_fast_") as scratch:
        worker = _Worker(photos, job, settings, Path(scratch))
        with closing(worker.results(clock)) as results:
            for result in results:
                yield worker.outcome(result)


def _refuse_other_version(job: Job) -> None:
    here = versions()["kernelgan_fast"]
    if here != job.version:
        raise WorkerLost(
            "every machine of a run must have the same kernelgan-fast, got "
            f"{here} on {platform.node()} and {job.version} where the run was started; "
            "install the same everywhere"
        )


class _Worker(PhotoWork):
    def __init__(
        self, photos: Mapping[Photo, str], job: Job, settings: EstimateOptions, scratch: Path
    ) -> None:
        self._urls: dict[Path, Url] = {}
        self._far = StorageFolder(job.out) if isinstance(job.out, Url) else None
        self._scale = settings.scale
        local: dict[Path, str] = {}
        for index, (photo, name) in enumerate(photos.items()):
            path = photo
            if isinstance(photo, Url):
                path = scratch / "photos" / str(index) / photo.name
                self._urls[path] = photo
            assert isinstance(path, Path)
            local[path] = name
        out = scratch / "out" if isinstance(job.out, Url) else job.out
        if job.token is not None and not (out / job.token).is_file():
            raise OutputError(
                f"the output folder must be one that all machines share, got {out}, which is "
                f"another on {platform.node()}; choose one on a shared disk, or a URL, with --out"
            )
        super().__init__(local, OutputFolder(out), settings, job.formats, resume=job.resume)

    def told(self, photo: Path) -> str:
        return str(self._urls.get(photo, photo))

    def finished_earlier(self, photo: Path) -> PhotoResult | None:
        if not self._resume:
            return None
        name = self.photos[photo]
        if self._far is not None and not self._fetch_earlier(self._far, name):
            return None
        if not self.folder.record_path(name).is_file():
            return None  # saves fetching the photo to compare it
        try:
            self._fetch_photo(photo)
        except ImageError:
            return None  # told when it is prepared
        found = super().finished_earlier(photo)
        if found is None:
            return None
        try:
            self._kernel(found, photo)
        except InputError as error:
            warnings.warn(f"{error}: the photo is estimated again", stacklevel=2)
            return None
        self._drop_photo(photo)
        return found

    def prepare(self, photo: Path) -> Task | PhotoResult:
        name = self.photos[photo]
        if photo not in self._urls and not photo.exists():
            error = ImageError(
                f"{photo}: no such file on {platform.node()}; photos must be on a disk that every "
                "machine of the run shares, or in object storage"
            )
            return failed(photo, error)
        try:
            if self._far is not None and not self._resume:
                self._far.fetch(self.folder.record_path(name).name, self.folder.path)
            self._fetch_photo(photo)
        except ImageError as error:
            return failed(photo, error)
        task = super().prepare(photo)
        self._drop_photo(photo)
        return task

    def write(self, task: Task, estimate: Estimate) -> PhotoResult:
        if self._far is None:
            return super().write(task, estimate)
        path = self.folder.record_path(task.name)
        earlier = records.read_record(path)
        result = super().write(task, estimate)
        files = _listed(result.summary, task.name)
        # As in a local folder: a record never stands beside files it does not describe.
        if earlier is not None:
            self._far.remove(path.name)
            for file in set(_listed(earlier, task.name)) - set(files):
                self._far.remove(file)
        for file in (*files, path.name):
            self._far.put(self.folder.path / file)
        self.folder.discard(task.name)
        path.unlink()
        return result

    def outcome(self, result: PhotoResult) -> Outcome:
        """A result as those elsewhere need it: by its own name, and no longer than it must be."""
        path = result.source
        assert isinstance(path, Path)
        kernel = self._kernel(result, path)
        told = self._urls.get(path, path)
        error = result.error
        if error is not None and told != path:
            error = error.replace(str(path), str(told))
        record = result.record
        if self._far is not None and record is not None:
            record = self._far.path / record.name
        summary = {key: value for key, value in result.summary.items() if key != "losses"}
        result = replace(
            result, source=told, record=record, summary=summary, estimate=None, error=error
        )
        return Outcome(result, kernel)

    def _kernel(self, result: PhotoResult, path: Path) -> NDArray[np.float64] | None:
        if result.estimate is not None:
            return result.estimate.kernel.array
        if result.status == "failed":
            return None
        from kernelgan_fast.kernels import store

        ending = f"_kernel_x{self._scale}"
        for name in _listed(result.summary, self.photos[path]):
            if Path(name).stem.endswith(ending) and Path(name).suffix != ".png":
                return store.load(self.folder.path / name, scale=self._scale).array
        return None  # pictures alone were asked for

    def _fetch_earlier(self, far: StorageFolder, name: str) -> bool:
        """Bring a photo's record here, and the files it tells of; whether there is one."""
        path = self.folder.record_path(name)
        if not far.fetch(path.name, self.folder.path):
            return False
        for file in _listed(records.read_record(path) or {}, name):
            far.fetch(file, self.folder.path)
        return True

    def _fetch_photo(self, photo: Path) -> None:
        url = self._urls.get(photo)
        if url is not None and not photo.exists():
            photo.parent.mkdir(parents=True, exist_ok=True)
            fetch(url, photo)

    def _drop_photo(self, photo: Path) -> None:
        if photo in self._urls:
            photo.unlink(missing_ok=True)


def _listed(record: Mapping[str, object], name: str) -> list[str]:
    """The files of a photo that its record tells of, and no others it may have been made to."""
    files = record.get("files")
    return [file for file in own_names(name) if isinstance(files, list) and file in files]
