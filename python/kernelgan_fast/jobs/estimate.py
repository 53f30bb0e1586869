"""The job of `estimate`: photos in batches, failures kept apart, results written as they finish."""

from __future__ import annotations

import functools
import os
import time
import warnings
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from kernelgan_fast.errors import ImageError, InputError, OutputError, TrainingDiverged
from kernelgan_fast.estimation.result import Clock, PhotoResult, Progress
from kernelgan_fast.jobs import records
from kernelgan_fast.jobs.inputs import failed, failed_by_memory, find_photos, notices
from kernelgan_fast.jobs.outputs import (
    FORMATS,
    OutputFolder,
    check_formats,
    file_names,
    is_own_picture,
    tile_names,
)

if TYPE_CHECKING:
    from kernelgan_fast.estimation.estimator import Found, Prepared
    from kernelgan_fast.estimation.options import EstimateOptions
    from kernelgan_fast.estimation.result import Clock, Estimate, PhotoResult


class FolderRun:
    """Estimate the kernels of many photo files and write them to a folder.

    A photo that cannot be used is reported and the others go on; a folder that can no longer be
    written to ends the run. Files of an earlier run are replaced.

    Args:
        inputs: files, folders and glob patterns.
        out: the folder to write to; made if it is not there.
        settings: what to run.
        formats: of the kernel files, from `outputs.FORMATS`; the record is always written.
        resume: leave out photos whose record of an earlier run still holds.

    Attributes:
        settings, folder: what runs, and where it writes.
        photos: the photos found, each with the name its files get.
        notices: what the user should know before the run starts.

    Raises:
        ConfigError: unknown format.
        OutputError: the folder cannot be used.
    """

    def __init__(
        self,
        inputs: Sequence[str | os.PathLike[str]],
        out: str | os.PathLike[str],
        settings: EstimateOptions,
        *,
        formats: Sequence[str] = FORMATS,
        resume: bool = False,
    ) -> None:
        self.settings = settings
        self._formats = check_formats(formats)
        self._resume = resume
        self.photos, self._failures, pictures = find_photos(inputs, is_own_picture)
        self.notices = notices(self.photos, pictures)
        self.folder = OutputFolder(out)
        self._total = len(self.photos) + len(self._failures)
        self._began = time.perf_counter()

    def __len__(self) -> int:
        return self._total

    @property
    def elapsed(self) -> float:
        """Seconds since the run was made."""
        return time.perf_counter() - self._began

    def results(self, progress: Progress | None = None) -> Generator[PhotoResult, None, None]:
        """Run; each photo's result is handed out as soon as its files are written.

        Args:
            progress: called about every 1 % of a batch; may raise to stop.

        Raises:
            OutputError: a file could not be written; finished photos stay.
            NativeUnavailable: the compiled extension cannot be loaded.
        """
        clock = Clock(self._total, self.settings.iterations, progress)
        try:
            for result in self._run(clock):
                clock.done += 1
                yield result
        finally:
            self.folder.remove_if_unused()

    def _run(self, clock: Clock) -> Iterator[PhotoResult]:
        yield from self._failures
        work = PhotoWork(
            self.photos, self.folder, self.settings, self._formats, resume=self._resume
        )
        with closing(work.results(clock)) as results:
            yield from results


@dataclass(frozen=True)
class Task:
    """A photo on its way through training.

    Attributes:
        photo: the file.
        name: what its files are called.
        facts: of the file, for the record.
        prepared: ready to train on.
    """

    photo: Path
    name: str
    facts: records.SourceFacts
    prepared: Prepared

    @property
    def label(self) -> str:
        """Its name in progress events."""
        return self.photo.name


class PhotoWork:
    """Estimates the kernels of photo files and writes them, on whatever machine it runs.

    Args:
        photos: the files, each with the name that its results get.
        folder: the folder to write to.
        settings: what to run.
        formats: of the kernel files, in their usual order.
        resume: leave out photos whose record of an earlier run still holds.
    """

    def __init__(
        self,
        photos: Mapping[Path, str],
        folder: OutputFolder,
        settings: EstimateOptions,
        formats: Sequence[str],
        *,
        resume: bool,
    ) -> None:
        self.photos, self.folder = photos, folder
        self._settings, self._formats, self._resume = settings, formats, resume

    def results(self, clock: Clock) -> Generator[PhotoResult, None, None]:
        """Work; each photo's result is handed out as soon as its files are written.

        Args:
            clock: of the run; told of every batch.

        Raises:
            OutputError: a file could not be written; finished photos stay.
            NativeUnavailable: the compiled extension cannot be loaded.
            DeviceUnavailable: a GPU's memory does not hold a single problem.
        """
        # Late, because it loads what a wrong path or folder is told without.
        from kernelgan_fast.estimation.batches import train_photos

        pending: list[Path] = []
        for photo in self.photos:
            finished = self.finished_earlier(photo)
            if finished is None:
                pending.append(photo)
            else:
                yield finished
        jobs = [functools.partial(self.prepare, photo) for photo in pending]
        with closing(train_photos(jobs, self._finish, self._settings, clock)) as results:
            yield from results

    def told(self, photo: Path) -> str:
        """What the record calls the photo."""
        return str(photo)

    def finished_earlier(self, photo: Path) -> PhotoResult | None:
        """The result of an earlier run, where it is to be kept."""
        if not self._resume:
            return None
        name = self.photos[photo]
        path = self.folder.record_path(name)
        if not records.is_record(path):
            return None
        record = records.read_record(path)
        if record is None or not records.is_sound(record, self._settings.scale):
            warnings.warn(
                f"{path} is damaged, or of another version: the photo is estimated again",
                stacklevel=2,
            )
            return None
        try:
            facts = records.source_facts(photo)
        except ImageError:
            return None  # told when it is read
        wanted = [self.folder.path / file for file in self._files(name)]
        if not records.still_holds(record, facts, self._settings, wanted):
            return None
        return PhotoResult(photo, "skipped", path, record, None, None)

    def prepare(self, photo: Path) -> Task | PhotoResult:
        """Read a photo and make it ready to train on, or say why it cannot be."""
        from kernelgan_fast.estimation.pipeline import prepare

        name = self.photos[photo]
        try:
            self.folder.check(name, self._files(name))
            facts = replace(records.source_facts(photo), path=self.told(photo))
            return Task(photo, name, facts, prepare(photo, self._settings))
        except (ImageError, OutputError) as error:
            return failed(photo, error)
        except Exception as error:
            return failed_by_memory(photo, error)

    def write(self, task: Task, estimate: Estimate) -> PhotoResult:
        """Write a photo's kernels and, last, its record.

        Raises:
            OutputError: a file could not be written; none of the photo's is left.
        """
        path = self.folder.record_path(task.name)
        try:
            files = self.folder.write(task.name, estimate, self._formats)
            record = records.make_record(estimate, task.facts, self._settings, files)
            records.write_record(path, record)
        except BaseException:  # Ctrl-C too: kernels without their record are not finished
            self.folder.discard(task.name)
            raise
        return PhotoResult(task.photo, "done", path, record, estimate, None)

    def _finish(self, task: Task, found: Found) -> PhotoResult:
        from kernelgan_fast.estimation.pipeline import finish

        try:
            return self.write(task, finish(task.prepared, found, self._settings))
        except (InputError, TrainingDiverged) as error:
            return failed(task.photo, error)
        except Exception as error:
            return failed_by_memory(task.photo, error)

    def _files(self, name: str) -> list[str]:
        """The names of a photo's files besides its record."""
        files = file_names(name, sorted({2, self._settings.scale}), self._formats)
        if self._settings.tiles is not None:
            files += tile_names(name, self._settings.scale, self._formats)
        return files
