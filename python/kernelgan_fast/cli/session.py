"""What commands over many photos share: lines, progress, JSON, Ctrl-C, exit codes."""

from __future__ import annotations

import argparse
import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Generator
from contextlib import closing
from typing import TYPE_CHECKING, Protocol

from kernelgan_fast.cli.console import (
    library_notes,
    print_document,
    print_message,
    print_result,
)
from kernelgan_fast.cli.progress import Reporter, clock, make_reporter
from kernelgan_fast.cli.signals import stopped
from kernelgan_fast.errors import OutputError

if TYPE_CHECKING:
    from pathlib import Path

    from kernelgan_fast.estimation.result import PhotoResult, Progress
    from kernelgan_fast.urls import Url

EXIT_CODES = """\
exit codes: 0 all done, 1 a photo failed, 2 wrong usage, 3 nothing could be
done, 129 hung up, 130 Ctrl-C, 143 terminated
"""


class Folder(Protocol):
    """Where the files of a run go."""

    @property
    def path(self) -> Path | Url:
        """Its name."""


class PhotoRun(Protocol):
    """A run over photos, whatever is done to them."""

    notices: list[str]

    @property
    def folder(self) -> Folder:
        """Where its files go."""

    def __len__(self) -> int:
        """How many photos there are."""

    @property
    def elapsed(self) -> float:
        """Seconds since the run was made."""

    def results(self, progress: Progress | None = None) -> Generator[PhotoResult, None, None]:
        """Run, photo by photo."""


class Session(ABC):
    """One run of a command: what was printed, what became of the photos.

    A command says what is its own in `plan`, `line` and `details`.

    Args:
        args: with `quiet` and `json`.
        run: what to run.
    """

    def __init__(self, args: argparse.Namespace, run: PhotoRun) -> None:
        self.reporter: Reporter = make_reporter(sys.stderr, quiet=args.quiet)
        self.args = args
        self._run = run
        self._counts = {"done": 0, "skipped": 0, "failed": 0}
        self._entries: list[dict[str, object]] = []
        self._more: dict[str, object] = {}
        self.failures: list[str] = []

    @abstractmethod
    def plan(self) -> str:
        """What will be done, after the number of photos and before the folder."""

    @abstractmethod
    def line(self, result: PhotoResult) -> str:
        """The line on stdout of a photo that is done, now or earlier."""

    @abstractmethod
    def details(self, result: PhotoResult) -> dict[str, object]:
        """What the JSON document tells of such a photo besides its files."""

    def ended(self) -> dict[str, object]:
        """What a command does once every photo was tried; returns what JSON tells of it."""
        return {}

    def run(self) -> int:
        """Run to the end or until stopped; returns the exit code."""
        with library_notes(self.reporter.say):
            return self._run_photos()

    @property
    def kept(self) -> int:
        """How many photos are done, now or earlier."""
        return self._counts["done"] + self._counts["skipped"]

    def files(self, result: PhotoResult) -> list[str]:
        """The files of a photo, with their folder."""
        return [str(self._run.folder.path / name) for name in items(result.summary["files"])]

    def _run_photos(self) -> int:
        self._announce()
        code = None
        try:
            with closing(self._run.results(self.reporter.update)) as results:
                for result in results:
                    self._counts[result.status] += 1
                    if self.args.json:
                        self._entries.append(self._entry(result))
                    self._show(result)
            if self.kept:
                self._more = self.ended()
        except KeyboardInterrupt:
            code, word = stopped()
            self._stopped(word)
        except OutputError as error:
            code = 1 if self._counts["done"] else 3
            self._stopped(f"error: {error}")
        finally:
            self.reporter.clear()
        if code is None:
            code = 1 if self._counts["failed"] else 0
            self._sum_up()
        if self.args.json:
            print_document(json.dumps(self._document(interrupted=code > 128), indent=1))
        return code

    def _announce(self) -> None:
        photos = counted(len(self._run), "photo")
        self.reporter.say(f"{photos}, {self.plan()}, into {self._run.folder.path}")
        for notice in self._run.notices:
            self.reporter.say(f"note: {notice}")

    def _show(self, result: PhotoResult) -> None:
        self.reporter.clear()
        if result.status == "failed":
            self.failures.append(str(result.error))
            print_message(f"error: {result.error}")
            return
        if not self.args.json:
            print_result(self.line(result))
        place = f"{sum(self._counts.values())}/{len(self._run)}"
        what = "done earlier" if result.status == "skipped" else "done"
        self.reporter.finished(f"{what} {place}: {result.source}")
        if result.status == "done":
            for warning in items(result.summary["warnings"]):
                self.reporter.say(f"note: {result.source}: {warning}")

    def _stopped(self, reason: str) -> None:
        self.reporter.clear()
        state = f"{self.kept} of {counted(len(self._run), 'photo')} done"
        if self.kept:
            state += f" and kept in {self._run.folder.path}"
        print_message(reason)
        print_message(f"{state}; the same command with --resume does the rest")

    def _sum_up(self) -> None:
        words = {"done": "done", "skipped": "done earlier", "failed": "failed"}
        parts = [f"{count} {words[status]}" for status, count in self._counts.items() if count]
        self.reporter.say(f"{', '.join(parts)} in {clock(self._run.elapsed)}")

    def _document(self, *, interrupted: bool) -> dict[str, object]:
        return {
            "out": str(self._run.folder.path),
            "photos": self._entries,
            **self._counts,
            "total": len(self._run),
            "interrupted": interrupted,
            **self._more,
        }

    def _entry(self, result: PhotoResult) -> dict[str, object]:
        entry: dict[str, object] = {"source": str(result.source), "status": result.status}
        if result.status == "failed":
            return {**entry, "error": result.error}
        entry["record"] = str(result.record)
        entry["files"] = self.files(result)
        return {**entry, **self.details(result)}


class ResizeSession(Session):
    """A run that makes each photo larger or smaller by a kernel."""

    def line(self, result: PhotoResult) -> str:
        """From which size to which, by what, what was measured, and where the result is."""
        before, after = (_sides(result.summary[key]) for key in ("size_before", "size"))
        words = [f"{before} to {after} px by {result.summary['applied']}"]
        if measured := self.measured(result):
            words.append(f"({measured})")
        return f"{result.source}  {' '.join(words)}  {self.files(result)[0]}"

    def measured(self, result: PhotoResult) -> str:
        """What was measured on the photo and applied, for its line; nothing by default."""
        return ""


def _sides(size: object) -> str:
    assert isinstance(size, list)
    return f"{size[0]} x {size[1]}"


def counted(number: int, noun: str) -> str:
    """A number and its noun, in the plural where it must be."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def items(value: object) -> list[str]:
    """The items of a list that came from JSON."""
    return [str(item) for item in value] if isinstance(value, (list, tuple)) else []
