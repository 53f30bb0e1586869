"""Runs of one photo in, some files out and one record of them all: what they share.

A run is a subclass of `RecordedRun` that says six things:

    format, record_name   of its record, one JSON file in the output folder
    facts                 checks of the facts in an entry that the command prints
    key                   what tells its entries of a photo apart, such as "x2"
    files(name)           the files it will write for the photo that gets this name
    request(photo, name)  what decides those files besides the photo's content, ready for JSON
    make(photo, name, report)
                          reads and computes, and gives back a `Output`: how to write each file,
                          facts for the record and notes for the user

`RecordedRun` does the rest: it finds the photos, leaves out what an earlier run made of them or
wrote itself, reports a photo that cannot be used and goes on with the others, writes the files of
a photo whole or not at all, and keeps the record true whenever the run is cut short:

    {"format": …, "photos": {NAME: {KEY: {"source": …, "request": …, facts…, "files": …,
                                          "warnings": …, "versions": …, "finished": …}}}}
"""

from __future__ import annotations

import json
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from kernelgan_fast.errors import InputError, OutputError, TrainingDiverged
from kernelgan_fast.estimation.options import versions
from kernelgan_fast.estimation.result import PhotoResult, Progress, ProgressEvent
from kernelgan_fast.files import check_target, read_json
from kernelgan_fast.jobs import records, schema
from kernelgan_fast.jobs.inputs import failed, failed_by_memory, find_photos, notices
from kernelgan_fast.jobs.outputs import OutputFolder

# The whole record is written anew each time, which takes longer the more photos it tells of: so
# many seconds apart, and so many times as long as it takes.
_SECONDS_BETWEEN_SAVES, _SHARE = 1.0, 20

# Photos that a notice names.
_MOST_NAMES = 5

# Told with the steps done and their number as a photo is worked on; may raise to stop.
Report = Callable[[int, int], None]


@dataclass(frozen=True)
class Output:
    """What was made of one photo, not written yet.

    Attributes:
        writers: by file, what writes it whole or not at all; those of `RecordedRun.files`, in the
            order in which they are to be written. What one returns are more notes.
        facts: for the record, ready for JSON.
        notes: for the user.
    """

    writers: Mapping[Path, Callable[[Path], Sequence[str] | None]]
    facts: Mapping[str, object]
    notes: Sequence[str] = ()


class RecordedRun(ABC):
    """Make files of many photos, one after another.

    A photo that cannot be used is reported and the others go on; a folder that can no longer be
    written to ends the run.

    Args:
        inputs: files, folders and glob patterns.
        out: the folder to write to; made if it is not there.
        resume: leave out photos that an earlier run finished with the same request.

    Attributes:
        folder: where to.
        photos: the photos found, each with the name its files get.
        notices: what the user should know before the run starts.

    Raises:
        OutputError: the folder cannot be used, or holds files of another program.
    """

    format: ClassVar[str]
    record_name: ClassVar[str]
    facts: ClassVar[Mapping[str, schema.Check]] = {}
    key: str

    def __init__(
        self,
        inputs: Sequence[str | os.PathLike[str]],
        out: str | os.PathLike[str],
        *,
        resume: bool = False,
    ) -> None:
        self._resume = resume
        self._record = Path(out) / self.record_name
        self._made, damaged = self._earlier()
        own = {(self._record.parent / _as_named_here(file)).resolve() for file in self._listed()}
        self.photos, self._failures, left = find_photos(inputs, lambda path: path.resolve() in own)
        self.notices = notices(self.photos)
        if left:
            self.notices.insert(0, f"left out what an earlier run wrote: {left}")
        if damaged:
            some = ", ".join(damaged[:_MOST_NAMES]) + (", ..." if damaged[_MOST_NAMES:] else "")
            self.notices.append(
                f"{self._record}: the entries of {some} are damaged and count as not done"
            )
        self.folder = OutputFolder(out)
        self._refuse_strangers()
        self._began = time.perf_counter()
        self._unsaved = False
        self._next_save = 0.0

    @abstractmethod
    def files(self, name: str) -> tuple[Path, ...]:
        """The files of the photo that gets this name, inside `folder`."""

    @abstractmethod
    def request(self, photo: Path, name: str) -> Mapping[str, object]:
        """What decides those files besides the photo's content, ready for JSON."""

    @abstractmethod
    def make(self, photo: Path, name: str, report: Report) -> Output:
        """Read a photo and compute what is to be written.

        Raises:
            InputError: the photo cannot be used; the others go on.
            TrainingDiverged: likewise.
        """

    def __len__(self) -> int:
        return len(self.photos) + len(self._failures)

    @property
    def elapsed(self) -> float:
        """Seconds since the run was made."""
        return time.perf_counter() - self._began

    def results(self, progress: Progress | None = None) -> Generator[PhotoResult, None, None]:
        """Run; each photo's result is handed out as soon as its files are written.

        Args:
            progress: called before each photo and as `make` reports; may raise to stop.

        Raises:
            OutputError: a file could not be written; finished photos stay.
            NativeUnavailable: the compiled extension cannot be loaded.
        """
        try:
            yield from self._failures
            yield from self._run(progress)
        finally:
            if self._unsaved:
                self._save_record()
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

            def report(step: int, steps: int, *, photo: Path = photo, index: int = index) -> None:
                if progress is not None:
                    progress(self._event(photo, index, len(pending), step, steps))

            report(0, 0)
            yield self._one(photo, name, report)

    def _event(self, photo: Path, index: int, pending: int, step: int, steps: int) -> ProgressEvent:
        elapsed = self.elapsed
        done = index + (step / steps if steps else 0)
        return ProgressEvent(
            photos_done=len(self) - pending + index,
            photos_total=len(self),
            iteration=step,
            iterations=steps,
            losses={},
            elapsed=elapsed,
            remaining=elapsed / done * (pending - done) if done else None,
            batch=(photo.name,),
            unit="step",
        )

    def _one(self, photo: Path, name: str, report: Report) -> PhotoResult:
        try:
            for file in self.files(name):
                check_target(file)
        except OutputError as error:
            return failed(photo, error)
        try:
            facts = records.source_facts(photo)
            made = self.make(photo, name, report)
            entry = self._write(name, facts, made)
        except (InputError, TrainingDiverged) as error:
            return failed(photo, error)
        except Exception as error:
            return failed_by_memory(photo, error)
        return PhotoResult(photo, "done", self._record, entry, None, None)

    def _write(self, name: str, source: records.SourceFacts, made: Output) -> dict[str, object]:
        # First the record loses what it tells of the photo, so that it never tells of files that
        # are not there or not those; the photo is added when its files are whole.
        if self._forget(name, made.writers) or not self._record.exists():
            self._save_record()
        notes = list(made.notes)
        try:
            for file, write in made.writers.items():
                _make_folder(file.parent)
                notes += write(file) or ()
        except BaseException:  # Ctrl-C too
            for file in made.writers:
                with suppress(OSError):  # there is already an error to tell
                    file.unlink(missing_ok=True)
            raise
        entry: dict[str, object] = {
            "source": asdict(source),
            "request": dict(self.request(Path(source.path), name)),
            **made.facts,
            "files": [self._relative(file) for file in made.writers],
            "warnings": notes,
            "versions": versions(),
            "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        }
        self._made.setdefault(name, {})[self.key] = entry
        self._unsaved = True
        if time.perf_counter() >= self._next_save:
            self._save_record()
        return entry

    def _forget(self, name: str, files: Iterable[Path]) -> bool:
        """Drop the photo's entry, and any that tells of files to be replaced; whether one was."""
        going = {self._relative(file) for file in files}
        dropped = self._made.get(name, {}).pop(self.key, None) is not None
        for entries in self._made.values():
            for key in [key for key, entry in entries.items() if going & set(entry["files"])]:
                del entries[key]
                dropped = True
        return dropped

    def _relative(self, file: Path) -> str:
        return file.relative_to(self.folder.path).as_posix()

    def _listed(self) -> Iterator[str]:
        for entries in self._made.values():
            for entry in entries.values():
                yield from entry["files"]

    def _earlier(self) -> tuple[dict[str, dict[str, Any]], list[str]]:
        """What earlier runs made, from their record, and the photos whose entries are damaged.

        Raises:
            OutputError: there is a file of that name that is no record.
        """
        if not os.path.exists(self._record):
            return {}, []
        try:
            content = read_json(self._record)
        except InputError:
            content = None
        photos = content.get("photos") if isinstance(content, dict) else None
        if not isinstance(photos, dict) or content.get("format") != self.format:  # type: ignore[union-attr]
            raise OutputError(
                f"{self._record} exists and is not a record of this program: move it away or "
                "choose another folder with --out"
            )
        sound = schema.fields(
            {
                "source": schema.SOURCE,
                "request": schema.mapping,
                "files": schema.list_of(schema.file_name),
                "warnings": schema.list_of(schema.text),
                **self.facts,
            },
            {"expected_error": schema.optional(schema.number)},
        )
        made: dict[str, dict[str, Any]] = {}
        damaged = []
        for name, entries in photos.items():
            kept = entries if isinstance(entries, dict) else {}
            kept = {key: e for key, e in kept.items() if sound(e) and schema.writable(e)}
            if kept:
                made[name] = kept
            if kept != entries:
                damaged.append(name if name.isprintable() else ascii(name))
        return made, damaged

    def _refuse_strangers(self) -> None:
        """Refuse to replace photos of this run, or what no record tells of, or to mix with it."""
        files = [file for name in self.photos.values() for file in self.files(name)]
        photos = {photo.resolve() for photo in self.photos}
        if replaced := [file for file in files if file.resolve() in photos]:
            raise OutputError(
                f"{replaced[0]} is one of the photos and would be replaced: choose another "
                "folder with --out"
            )
        if self._record.exists():
            return
        strange = [file.parent for file in files if os.path.exists(file)]
        for folder in sorted({file.parent for file in files} - {self.folder.path}):
            if folder.is_dir() and any(folder.iterdir()):
                strange.append(folder)
        if strange:
            raise OutputError(
                f"{strange[0]} holds files that no {self._record} tells of; they are not "
                "replaced: choose another folder with --out"
            )

    def _save_record(self) -> None:
        began = time.perf_counter()
        kept = {name: entries for name, entries in sorted(self._made.items()) if entries}
        records.write_record(self._record, {"format": self.format, "photos": kept})
        now = time.perf_counter()
        self._next_save = now + max(_SECONDS_BETWEEN_SAVES, _SHARE * (now - began))
        self._unsaved = False

    def _still_holds(self, photo: Path, name: str) -> Mapping[str, object] | None:
        entry: dict[str, Any] | None = self._made.get(name, {}).get(self.key)
        if not self._resume or entry is None:
            return None
        try:
            facts = records.source_facts(photo)
        except InputError:
            return None  # told when it is read
        files = self.files(name)
        same = entry["source"]["sha256"] == facts.sha256
        asked = json.loads(json.dumps(dict(self.request(photo, name))))
        there = all(os.path.isfile(file) for file in files)
        listed = entry["files"] == [self._relative(file) for file in files]
        return entry if same and there and listed and entry["request"] == asked else None


class Scaled(Protocol):
    """EstimateOptions that have a scale."""

    @property
    def scale(self) -> int:
        """2 or 4."""


S = TypeVar("S", bound=Scaled)


class ScaledRun(RecordedRun, Generic[S]):
    """A run whose entries are told apart by their scale.

    Args:
        inputs, out, resume: as in `RecordedRun`.
        settings: what to make of the photos; kept as the attribute of this name.
    """

    def __init__(
        self,
        inputs: Sequence[str | os.PathLike[str]],
        out: str | os.PathLike[str],
        settings: S,
        *,
        resume: bool = False,
    ) -> None:
        self.settings = settings
        self.key = f"x{settings.scale}"
        super().__init__(inputs, out, resume=resume)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"cannot make the folder {folder}: {reason}") from error


def _as_named_here(name: str) -> str:
    """A name of a file as this process has it, whose locale may not be the one it was noted in."""
    return os.fsdecode(name.encode("utf-8", "surrogateescape"))
