"""A run over many photo files: batches, failures kept apart, results written as they finish."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kernelgan_fast.errors import ImageError, InputError, OutputError, TrainingDiverged
from kernelgan_fast.runs import records
from kernelgan_fast.runs.clock import Clock, Progress
from kernelgan_fast.runs.outputs import (
    FORMATS,
    OutputFolder,
    check_formats,
    file_names,
    is_own_picture,
    tile_names,
)
from kernelgan_fast.runs.photos import failed, find_photos, renamed
from kernelgan_fast.runs.result import PhotoResult

if TYPE_CHECKING:
    from kernelgan_fast.runs.batch import Prepared, Trained
    from kernelgan_fast.runs.result import Estimate
    from kernelgan_fast.runs.settings import Settings


@dataclass(frozen=True)
class _Task:
    photo: Path
    name: str
    facts: records.SourceFacts
    prepared: Prepared

    @property
    def label(self) -> str:
        return self.photo.name


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
        settings: Settings,
        *,
        formats: Sequence[str] = FORMATS,
        resume: bool = False,
    ) -> None:
        self.settings = settings
        self._formats = check_formats(formats)
        self._resume = resume
        self.photos, self._failures, pictures = find_photos(inputs, is_own_picture)
        self.notices = renamed(self.photos)
        if pictures:
            self.notices.insert(0, f"left out kernel pictures of an earlier run: {pictures}")
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
        clock = Clock(self._total, self.settings.config.iterations, progress)
        try:
            for result in self._run(clock):
                clock.done += 1
                yield result
        finally:
            self.folder.remove_if_unused()

    def _run(self, clock: Clock) -> Iterator[PhotoResult]:
        # Late, because it loads torch: a wrong path or folder is told without waiting for that.
        from kernelgan_fast.runs.batches import train_photos

        yield from self._failures
        pending: list[Path] = []
        for photo in self.photos:
            finished = self._finished_earlier(photo)
            if finished is None:
                pending.append(photo)
            else:
                yield finished
        jobs = [functools.partial(self._prepare, photo) for photo in pending]
        with closing(train_photos(jobs, self._finish, self.settings, clock)) as results:
            yield from results

    def _finished_earlier(self, photo: Path) -> PhotoResult | None:
        if not self._resume:
            return None
        path = self.folder.record_path(self.photos[photo])
        record = records.read_record(path)
        if record is None:
            return None
        scales = sorted({2, self.settings.scale})
        files = file_names(self.photos[photo], scales, self._formats)
        if self.settings.tiles is not None:
            files += tile_names(self.photos[photo], self.settings.scale, self._formats)
        try:
            facts = records.source_facts(photo)
        except ImageError:
            return None  # told when it is read
        wanted = [self.folder.path / file for file in files]
        if not records.still_holds(record, facts, self.settings, wanted):
            return None
        return PhotoResult(photo, "skipped", path, record, None, None)

    def _prepare(self, photo: Path) -> _Task | PhotoResult:
        from kernelgan_fast.runs.batch import prepare

        name = self.photos[photo]
        try:
            self.folder.refuse_foreign_record(name)
            facts = records.source_facts(photo)
            return _Task(photo, name, facts, prepare(photo, self.settings))
        except (ImageError, OutputError) as error:
            return failed(photo, error)

    def _finish(self, task: _Task, trained: Trained | TrainingDiverged) -> PhotoResult:
        from kernelgan_fast.runs.batch import finish

        try:
            if isinstance(trained, TrainingDiverged):
                raise trained
            estimate = finish(trained, self.settings)
        except (InputError, TrainingDiverged) as error:
            return failed(task.photo, error)
        return self._write(task, estimate)

    def _write(self, task: _Task, estimate: Estimate) -> PhotoResult:
        path = self.folder.record_path(task.name)
        try:
            files = self.folder.write(task.name, estimate, self._formats)
            record = records.make_record(estimate, task.facts, self.settings, files)
            records.write_record(path, record)
        except BaseException:  # Ctrl-C too: kernels without their record are not finished
            self.folder.discard(task.name)
            raise
        return PhotoResult(task.photo, "done", path, record, estimate, None)
