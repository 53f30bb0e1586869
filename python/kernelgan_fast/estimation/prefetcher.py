"""Photos prepared ahead of training, on CPU threads."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Generic, Protocol, TypeAlias, TypeVar

from kernelgan_fast.estimation.capacity import MOST_PHOTO_BYTES, bytes_per_photo
from kernelgan_fast.estimation.result import PhotoResult

if TYPE_CHECKING:
    from kernelgan_fast.estimation.estimator import Prepared


class Ready(Protocol):
    """A photo ready to train on, with whatever its caller keeps beside it."""

    @property
    def prepared(self) -> Prepared:
        """The photo."""

    @property
    def label(self) -> str:
        """Its name in progress events."""


Item = TypeVar("Item", bound=Ready)
# Prepares one photo, or says that it failed; what it raises ends the run.
Job: TypeAlias = Callable[[], Item | PhotoResult]


class Prefetcher(Generic[Item]):
    """Prepares photos in order, some ahead of who takes them, and hands them out in batches.

    Args:
        jobs: one a photo.
        threads: how many prepare.
        ahead: photos that may be ready and waiting; fewer where they are large.
        most_bytes: of the waiting ones.
    """

    def __init__(
        self,
        jobs: Sequence[Job[Item]],
        threads: int,
        ahead: int,
        most_bytes: int = MOST_PHOTO_BYTES,
    ) -> None:
        self._ahead, self._most_bytes = ahead, most_bytes
        self._taking, self._changed = threading.Lock(), threading.Condition()
        self._first, self._bytes, self._closed = 0, 0, False
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="prepare")
        self._waiting: deque[Future[Item | PhotoResult]] = deque(
            self._pool.submit(self._prepare, index, job) for index, job in enumerate(jobs)
        )

    def take(
        self, photos: int, admits: Callable[[int, int], bool]
    ) -> tuple[list[Item], list[PhotoResult]]:
        """Take the next batch, waiting until it is prepared.

        Args:
            photos: at most so many.
            admits: says whether so many photos of so many bytes in all fit; one always does.

        Returns:
            The photos, none when there are no more, and those that failed on the way.

        Raises:
            Whatever a job raised.
        """
        batch: list[Item] = []
        failures: list[PhotoResult] = []
        size = 0
        with self._taking:
            while self._waiting and len(batch) < photos:
                item = self._waiting[0].result()
                more = _size(item)
                if not isinstance(item, PhotoResult):
                    if batch and not admits(len(batch) + 1, size + more):
                        break
                    batch.append(item)
                else:
                    failures.append(item)
                self._waiting.popleft()
                size += more
                with self._changed:
                    self._first, self._bytes = self._first + 1, self._bytes - more
                    self._changed.notify_all()
        return batch, failures

    def close(self) -> None:
        """Prepare nothing further."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._pool.shutdown(cancel_futures=True)

    def _prepare(self, index: int, job: Job[Item]) -> Item | PhotoResult:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._has_space(index))
            if self._closed:
                raise CancelledError
        item = job()
        with self._changed:
            self._bytes += _size(item)
        return item

    def _has_space(self, index: int) -> bool:
        # The next one to be taken never waits, as the others may be waiting for it.
        ahead = index - self._first
        return ahead == 0 or (ahead < self._ahead and self._bytes < self._most_bytes)


def _size(item: Ready | PhotoResult) -> int:
    plan = None if isinstance(item, PhotoResult) else item.prepared.plan
    return 0 if plan is None else bytes_per_photo(plan)
