"""A run over photos anywhere, by workers on many machines or in this process."""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from kernelgan_fast.errors import ConfigError
from kernelgan_fast.estimation.options import Tiles, estimate_options, versions
from kernelgan_fast.estimation.result import Clock, PhotoResult, Progress, ProgressEvent
from kernelgan_fast.files import running_mark
from kernelgan_fast.gan.config import TrainConfig
from kernelgan_fast.jobs.inputs import notices
from kernelgan_fast.jobs.outputs import FORMATS, OutputFolder, check_formats
from kernelgan_fast.jobs.ray import Cluster
from kernelgan_fast.jobs.shares import find_everywhere
from kernelgan_fast.jobs.storage import StorageFolder
from kernelgan_fast.jobs.table import Table
from kernelgan_fast.jobs.worker import Job, Outcome, work
from kernelgan_fast.runtime.extras import required
from kernelgan_fast.urls import Url, place_of

ENGINES = ("local", "ray")
_SECONDS_OF_FIRST = 0.5


def estimate_everywhere(
    inputs: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    engine: str = "ray",
    address: str | None = None,
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
    tiles: Tiles = None,
    formats: Sequence[str] = FORMATS,
    resume: bool = False,
) -> FleetRun:
    """Make ready to estimate the kernels of photos anywhere, by workers on many machines.

    The files are those of `api.estimate_files`. With Ray there is also kernels.parquet, a row a
    photo.

    Args:
        inputs: files, folders, patterns, and URLs of these that fsspec can reach.
        out: a folder, shared by all machines, or a URL.
        engine: "ray", or "local" for this process alone, with URLs.
        address: of the Ray cluster; the one this machine belongs to if None, or else Ray on this
            machine alone.
        device: with Ray "auto", "cpu" or "cuda": Ray gives each worker a GPU of its own.
        devices: without Ray only.
        threads: of each worker, 1 if None; without Ray all that the process may use.
        formats: some of "npy", "mat", "json", "png"; with Ray not "png" alone.
        scale, method, profile, iterations, seed, seeds, real, tiles, resume: as in
            `api.estimate_files`.

    Returns:
        The run; iterate over its `results()` to make it happen.

    Raises:
        InputError: Ray, or what a kind of URL needs, is not installed.
        ConfigError: an argument is out of range, or there is no cluster at the address.
        DeviceUnavailable: the device cannot be used.
        OutputError: the folder cannot be used.
    """
    on_ray = engine == "ray"
    if engine not in ENGINES:
        raise ConfigError(f"engine must be one of {', '.join(ENGINES)}, got {engine!r}")
    if address is not None and not on_ray:
        raise ConfigError(f"address is of a Ray cluster, got {address!r}; add --engine ray")
    if on_ray:
        _check_for_ray(device, devices, check_formats(formats))
    settings = estimate_options(
        scale=scale,
        method=method,
        profile=profile,
        iterations=iterations,
        seed=seed,
        seeds=seeds,
        real=real,
        # Whether a worker has a GPU is not known here.
        device="auto" if on_ray and device == "cuda" else device,
        devices=devices,
        threads=threads or (1 if on_ray else None),
        tiles=tiles,
    )
    place = place_of(os.fspath(out))
    job = Job(
        settings=settings,
        device=device if on_ray else "auto",
        formats=check_formats(formats),
        out=place if isinstance(place, Url) else Path(os.path.abspath(place)),
        token=None,
        resume=resume,
        version=versions()["kernelgan_fast"],
    )
    return FleetRun(inputs, job, Cluster(address) if on_ray else None)


def _check_for_ray(
    device: str, devices: str | Sequence[str] | None, formats: tuple[str, ...]
) -> None:
    required("pyarrow.parquet", "ray")  # before hours of work, not after
    if devices is not None or device not in ("auto", "cpu", "cuda"):
        raise ConfigError(
            f"device must be auto, cpu or cuda with Ray, got {devices or device!r}: it gives each "
            "worker a GPU of its own"
        )
    if formats == ("png",):
        raise ConfigError(
            "formats must hold npy, mat or json with Ray, got png alone: a kernel done earlier is "
            "read from its file"
        )


class FleetRun:
    """Estimate the kernels of photos anywhere; `runs.folder.FolderRun` for a disk of one's own.

    Args:
        inputs: files, folders, patterns, and URLs of these.
        job: what to do.
        cluster: who does it; this process if None.

    Attributes:
        settings, folder: what runs, and where it writes.
        photos: the photos found, each with the name its files get.
        notices: what the user should know before the run starts.
        cluster: who does it.

    Raises:
        OutputError: the folder cannot be used.
        InputError: what a kind of URL needs is not installed.
    """

    def __init__(
        self, inputs: Sequence[str | os.PathLike[str]], job: Job, cluster: Cluster | None
    ) -> None:
        self.settings, self.cluster, self._job = job.settings, cluster, job
        self.photos, self._failures, pictures = find_everywhere(inputs)
        self.notices = notices(self.photos, pictures)
        self.folder: OutputFolder | StorageFolder
        if isinstance(job.out, Url):
            self.folder = StorageFolder(job.out)
            self.folder.check()
        else:
            self.folder = OutputFolder(job.out)
        self._total = len(self.photos) + len(self._failures)
        self._began = time.perf_counter()

    def __len__(self) -> int:
        return self._total

    @property
    def elapsed(self) -> float:
        """Seconds since the run was made."""
        return time.perf_counter() - self._began

    def results(self, progress: Progress | None = None) -> Generator[PhotoResult, None, None]:
        """Run; each photo's result is handed out soon after its files are written.

        Args:
            progress: called as photos are done; may raise to stop.

        Raises:
            OutputError: a file could not be written; finished photos stay.
            WorkerLost: a machine of the cluster cannot do this work at all.
            DeviceUnavailable: the device is not there.
            NativeUnavailable: the compiled extension cannot be loaded.
        """
        try:
            if self.cluster is None:
                yield from self._here(progress)
            else:
                yield from self._on(self.cluster, progress)
        finally:
            if self.cluster is not None:
                self.cluster.close()
            if isinstance(self.folder, OutputFolder):
                self.folder.remove_if_unused()

    def _here(self, progress: Progress | None) -> Iterator[PhotoResult]:
        clock = Clock(self._total, self.settings.iterations, progress)
        for failure in self._failures:
            clock.done += 1
            yield failure
        with closing(work(self.photos, self._job, clock)) as outcomes:
            for outcome in outcomes:
                clock.done += 1
                yield outcome.result

    def _on(self, cluster: Cluster, progress: Progress | None) -> Iterator[PhotoResult]:
        sources = [failure.source for failure in self._failures]
        table = Table([*self.photos, *sources], self.settings.scale)
        pace = _Pace(self._total, progress)
        with closing(table), self._token() as token:
            job = replace(self._job, token=token)
            for failure in self._failures:
                table.add(Outcome(failure, None))
                pace.count(failure)
                yield failure
            with closing(cluster.outcomes(self.photos, job)) as outcomes:
                for outcome in outcomes:
                    result = outcome.result
                    if result.status == "skipped" and not job.resume:
                        # A lost worker had done it in this run and could not tell.
                        outcome = replace(outcome, result=replace(result, status="done"))
                    table.add(outcome)
                    pace.count(outcome.result)
                    yield outcome.result
            if self.photos:
                table.write(job.out)

    @contextmanager
    def _token(self) -> Iterator[str | None]:
        """A file in the output folder, by which workers elsewhere know that it is this one."""
        if not isinstance(self._job.out, Path):
            yield None
            return
        with running_mark(self._job.out) as token:
            yield token.name


class _Pace:
    """Makes progress events of results that come from elsewhere."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._total, self._progress = total, progress
        self._done = self._worked = self._early = 0
        self._began = time.perf_counter()
        self._first: float | None = None

    def count(self, result: PhotoResult) -> None:
        """Count a photo, and tell of it."""
        now = time.perf_counter()
        self._done += 1
        if result.status == "done":
            self._first = self._first or now
            self._worked += 1
            # What comes with the first message had the time before it, when workers started.
            if now - self._first < _SECONDS_OF_FIRST:
                self._early = self._worked
        if self._progress is None:
            return
        event = ProgressEvent(
            photos_done=self._done,
            photos_total=self._total,
            iteration=0,
            iterations=0,
            losses={},
            elapsed=now - self._began,
            remaining=self._remaining(now),
            batch=(),
        )
        self._progress(event)

    def _remaining(self, now: float) -> float | None:
        if self._first is None or self._worked == self._early:
            return None
        pace = (now - self._first) / (self._worked - self._early)
        return pace * (self._total - self._done)
