"""A run over many photo files: batches, failures kept apart, results written as they finish."""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from kernelgan_fast.estimation.progress import Clock, Progress
from kernelgan_fast.jobs.inputs import find_photos, notices
from kernelgan_fast.jobs.outputs import FORMATS, OutputFolder, check_formats, is_own_picture
from kernelgan_fast.jobs.photo_work import PhotoWork

if TYPE_CHECKING:
    from kernelgan_fast.estimation.options import EstimateOptions
    from kernelgan_fast.estimation.result import PhotoResult


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
