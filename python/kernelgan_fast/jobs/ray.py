"""Ray: workers on many machines that take shares of a run, some of which are lost on the way."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import threading
import time
import warnings
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

from kernelgan_fast.errors import ConfigError, DeviceUnavailable, KernelGanError, WorkerLost
from kernelgan_fast.estimation.capacity import MOST_PROBLEMS
from kernelgan_fast.estimation.options import EstimateOptions
from kernelgan_fast.estimation.pipeline import photos_per_batch
from kernelgan_fast.jobs.inputs import failed
from kernelgan_fast.jobs.shares import Photo, Share, cut
from kernelgan_fast.jobs.worker import Job, Outcome, work
from kernelgan_fast.runtime.extras import required

# Of kernels in closed form, which take a tenth of a second: some seconds of work, so that handing
# shares out costs little beside it, and little is done again where a worker is lost.
MOST_PHOTOS = 64
# So many shares for every worker, so that they end at about the same time.
_SHARES_A_WORKER = 4
# After so many lost workers each photo of a share goes alone, and after so many it is given up.
_LOST_TOGETHER, MOST_LOST = 2, 5
_SECONDS_A_MESSAGE = 1.0
_SECONDS_TO_STOP = 10.0
_SECONDS_TO_ANSWER = 10.0
_OBJECT_BYTES = 128 << 20


@dataclass(frozen=True)
class Needs:
    """What a worker takes of a machine.

    Attributes:
        cpus: threads.
        gpus: 0 or 1.
    """

    cpus: int
    gpus: int


def needs_of(settings: EstimateOptions, device: str, gpus: float) -> Needs:
    """What one worker is to have.

    Args:
        settings: of the run.
        device: "auto", "cpu" or "cuda".
        gpus: of the whole cluster.

    Raises:
        DeviceUnavailable: a GPU was asked for and there is none.
    """
    if device == "cuda" and gpus < 1:
        raise DeviceUnavailable(
            "device must be one that the cluster has, got 'cuda': Ray knows of no GPU there; use "
            "--device cpu"
        )
    wanted = device == "cuda" or (device == "auto" and settings.trains and gpus >= 1)
    return Needs(settings.threads, int(wanted))


def share_size(photos: int, settings: EstimateOptions, needs: Needs, workers: int) -> int:
    """Photos for a worker to take at once, so that it is worth a message and all have some.

    Args:
        photos: of the run.
        settings: of the run.
        needs: of a worker.
        workers: of the cluster now.
    """
    seeds = len(settings.seeds)
    if needs.gpus:
        most = max(MOST_PROBLEMS // seeds, 1)
    elif settings.iterations == 0:
        most = MOST_PHOTOS
    else:
        most = photos_per_batch(seeds, settings.threads)
    fair = -(-photos // (_SHARES_A_WORKER * max(workers, 1)))
    return max(1, min(fair, most))


class Cluster:
    """A connection to Ray, made when there is something to do.

    Args:
        address: of a cluster, as host:port; None for the one this machine belongs to, or where
            there is none, Ray on this machine alone.

    Raises:
        InputError: Ray is not installed.
        ConfigError: this cannot be an address.
    """

    def __init__(self, address: str | None) -> None:
        self._ray = required("ray", "ray")
        if address is not None and "://" in address:
            raise ConfigError(
                f"address must be host:port of a machine of the cluster, got {address!r}; start "
                "the command on a machine of the cluster"
            )
        self._address = address
        self._ours = False

    def close(self) -> None:
        """Leave the cluster; one that was started for this run ends."""
        if self._ours:
            self._ray.shutdown()
            self._ours = False

    def outcomes(self, photos: dict[Photo, str], job: Job) -> Generator[Outcome, None, None]:
        """Have workers do the photos; each comes out once, in any order.

        A worker that is lost is told as a warning, and what it had not reported goes to others; a
        photo that is the end of one worker after another is given up as failed.

        Raises:
            ConfigError: there is no cluster, or no machine of it has what a worker needs.
            DeviceUnavailable: a GPU was asked for and there is none.
            Whatever a worker raised: it cannot be helped elsewhere.
        """
        if not photos:
            return
        self._connect()
        resources = self._ray.cluster_resources()
        needs = needs_of(job.settings, job.device, resources.get("GPU", 0))
        self._check(needs)
        size = share_size(len(photos), job.settings, needs, _workers(resources, needs))
        remote = self._ray.remote(_work).options(
            num_cpus=needs.cpus, num_gpus=needs.gpus, max_retries=0, num_returns="streaming"
        )
        waiting = deque(cut(photos, size))
        running: dict[Any, Share] = {}
        try:
            while waiting or running:
                most = max(2 * _workers(self._ray.cluster_resources(), needs), 16)
                while waiting and len(running) < most:
                    share = waiting.popleft()
                    again = Job(**{**vars(job), "resume": job.resume or share.lost > 0})
                    running[remote.remote(share.photos, again)] = share
                ready, _ = self._ray.wait(list(running), num_returns=1, timeout=1.0)
                for stream in ready:
                    yield from self._next(stream, running, waiting)
        finally:
            self._stop(list(running))

    def _next(
        self, stream: Any, running: dict[Any, Share], waiting: deque[Share]
    ) -> Iterator[Outcome]:
        """What a worker has to say: some results, that it is done, or nothing more."""
        share = running[stream]
        exceptions = self._ray.exceptions
        try:
            outcomes: list[Outcome] = self._ray.get(next(stream))
        except StopIteration:
            del running[stream]
            return
        except (exceptions.RayTaskError, exceptions.RuntimeEnvSetupError) as error:
            raise _of_worker(error) from error
        except exceptions.RayError as error:
            del running[stream]
            reason = str(error).strip().split("\n")[0]
            shares, given_up = shares_left(share)
            warnings.warn(
                f"a worker was lost ({reason}); {len(share.photos) - len(given_up)} of its photos "
                "go to others",
                RuntimeWarning,
                stacklevel=2,
            )
            waiting.extendleft(reversed(shares))
            for photo in given_up:
                told = WorkerLost(f"{MOST_LOST} workers were lost with this photo: {reason}")
                yield Outcome(failed(photo, told), None)
            return
        for outcome in outcomes:
            del share.photos[outcome.result.source]
            yield outcome

    def _connect(self) -> None:
        if self._ray.is_initialized():
            return
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        with _signals_kept():
            self._init()
        self._ours = True
        # Of a lost machine Ray tells in forty lines on stdout, and has no public way not to.
        self._ray._private.worker._worker_logs_enabled = False

    def _init(self) -> None:
        if self._address is not None:
            _refuse_silent(self._address)
        quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
        try:
            self._ray.init(self._address or "auto", **quiet)
        except (ConnectionError, ValueError) as error:
            if self._address is not None:
                raise _no_cluster(self._address, error) from error
            self._ray.init(
                "local", include_dashboard=False, object_store_memory=_OBJECT_BYTES, **quiet
            )

    def _check(self, needs: Needs) -> None:
        """A machine that could take a worker must be there, or be one that may come."""
        machines = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        if any(_workers(machine, needs) for machine in machines):
            return
        gpu = " and a GPU" if needs.gpus else ""
        told = f"{needs.cpus} CPUs{gpu}"
        if any(machine.get("CPU", 0) for machine in machines):
            raise ConfigError(
                f"a worker must find {told} on one machine of the cluster, and none has as many; "
                "give fewer --jobs"
            )
        warnings.warn(
            f"no machine of the cluster has {told} yet; waiting", RuntimeWarning, stacklevel=2
        )

    def _stop(self, streams: list[Any]) -> None:
        """End what still runs; each has a moment to leave no half-written photo behind."""
        for stream in streams:
            self._ray.cancel(stream)
        until = time.monotonic() + _SECONDS_TO_STOP
        while streams and time.monotonic() < until:
            ready, streams = self._ray.wait(streams, timeout=0.5)
            for stream in ready:
                try:
                    self._ray.get(next(stream))
                    streams.append(stream)  # there may be more
                except (StopIteration, self._ray.exceptions.RayError):
                    continue


def shares_left(share: Share) -> tuple[list[Share], list[Photo]]:
    """What becomes of a share whose worker was lost.

    Args:
        share: with the photos that the worker had not reported.

    Returns:
        The shares to hand out again, and the photos to give up.
    """
    lost = share.lost + 1
    if lost < _LOST_TOGETHER:
        return [Share(share.photos, lost)], []
    if lost < MOST_LOST:
        return [Share({photo: name}, lost) for photo, name in share.photos.items()], []
    return [], list(share.photos)


def _work(photos: dict[Photo, str], job: Job) -> Iterator[list[Outcome]]:
    """In a worker: results, some at a time, so that quick ones do not drown the driver."""
    group: list[Outcome] = []
    told = time.monotonic()
    for outcome in work(photos, job):
        group.append(outcome)
        if time.monotonic() - told >= _SECONDS_A_MESSAGE:
            yield group
            group, told = [], time.monotonic()
    if group:
        yield group


def _workers(resources: dict[str, float], needs: Needs) -> int:
    """How many workers there is room for."""
    workers = resources.get("CPU", 0) // needs.cpus
    if needs.gpus:
        workers = min(workers, resources.get("GPU", 0) // needs.gpus)
    return int(workers)


def _of_worker(error: Any) -> Exception:
    """What a worker raised, as this process would have."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, KernelGanError):
        return cause
    if isinstance(cause, ImportError):
        return WorkerLost(
            f"every machine of the cluster must have kernelgan-fast, got one without: {cause}; "
            "install the same version everywhere"
        )
    return WorkerLost(f"a worker failed: {str(error).strip()}")


def _refuse_silent(address: str) -> None:
    """Tell at once of an address where nothing listens; Ray would try for minutes."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal():
        raise _no_cluster(address, ValueError("it is not host:port"))
    try:
        socket.create_connection((host.strip("[]"), int(port)), _SECONDS_TO_ANSWER).close()
    except (OSError, OverflowError) as error:
        raise _no_cluster(address, error) from error


def _no_cluster(address: str, error: Exception) -> ConfigError:
    reason = str(error).split("\n")[0]
    return ConfigError(
        f"address must be that of a Ray cluster, got {address!r}: {reason}; `ray start --head` "
        "prints it"
    )


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray takes SIGTERM for itself, which the command has its own answer to."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
