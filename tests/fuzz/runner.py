"""Runs cases in worker processes, and turns their ends into faults."""

from __future__ import annotations

import base64
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]

_STDERR_KEPT = 4000


@dataclass(frozen=True)
class Finding:
    """An input with which a parser did what it may not do.

    Attributes:
        target: name of the target.
        seed, index: of the case.
        kind: "outcome", "warning", "memory", "time", "hang", a signal, or an exception's class.
        text: what was seen, with the traceback where there is one.
        place: file and line, where known.
        data: the input.
    """

    target: str
    seed: int
    index: int
    kind: str
    text: str
    place: str
    data: bytes = field(repr=False)

    @property
    def cause(self) -> tuple[str, str, str]:
        """The same for inputs that most likely meet the same fault."""
        return self.target, self.kind, self.place


@dataclass
class Tally:
    """What became of the cases of one target.

    Attributes:
        cases: that were run.
        refused: of these, by an error of the package.
        faults: of these, in order.
    """

    cases: int = 0
    refused: int = 0
    faults: list[Finding] = field(default_factory=list)


class HarnessError(RuntimeError):
    """The harness itself or a target does not work: no statement about a parser."""


def target_names() -> list[str]:
    """The names of all targets: `png` for target_png.py."""
    files = Path(__file__).parent.glob("target_*.py")
    return sorted(file.stem.removeprefix("target_") for file in files)


class Harness:
    """Runs targets in a worker process, and starts another one where it ends.

    Args:
        cpu_seconds: that one input may take.
        idle_seconds: without any CPU time, after which an input counts as one that never ends.
    """

    def __init__(self, *, cpu_seconds: int = 10, idle_seconds: float = 30) -> None:
        self._cpu_seconds, self._idle_seconds = cpu_seconds, idle_seconds
        self._worker: _Worker | None = None

    def __enter__(self) -> Harness:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def cases(self, target: str, seed: int, count: int, *, until: float = float("inf")) -> Tally:
        """Run the cases 0 to count - 1 of a target.

        Args:
            target: one of `target_names`, or the name of another module beside them.
            seed: of the cases.
            count: how many.
            until: time.monotonic() after which no case is begun.

        Raises:
            HarnessError: the target cannot be imported, or refuses its own seeds.
        """
        tally = Tally()
        first = 0
        while first < count and time.monotonic() < until:
            job = {"seed": seed, "first": first, "last": count}
            first = self._run(job, target, seed, tally, until)
        return tally

    def input(self, target: str, data: bytes) -> Finding | None:
        """Run one input; the finding, or None where all is well."""
        tally = Tally()
        job = {"data": base64.b64encode(data).decode()}
        self._run(job, target, 0, tally, float("inf"))
        return tally.faults[0] if tally.faults else None

    def _run(
        self, job: dict[str, object], target: str, seed: int, tally: Tally, until: float
    ) -> int:
        """Run a job as far as it goes; returns the index of the first case not run."""
        if self._worker is None:
            self._worker = _Worker(self._idle_seconds)
        known = target in target_names()
        job["target"] = f"fuzz.target_{target}" if known else f"fuzz.{target}"
        job["cpu_seconds"] = self._cpu_seconds
        index, before = None, tally.refused
        for event, rest in self._worker.events(job):
            if event == "case":
                number, refused = map(int, rest.split())
                tally.refused = before + refused
                if time.monotonic() >= until:
                    self._end()
                    return number
                index = number
                tally.cases += 1
            elif event == "finding":
                told = json.loads(rest)
                data = base64.b64decode(told.pop("data"))
                tally.faults.append(Finding(target, seed, index or 0, data=data, **told))
            elif event == "broken":
                raise HarnessError(f"{target} does not work\n{json.loads(rest)}")
            elif event == "done":
                tally.refused = before + int(rest)
                return int(str(job.get("last", 1)))
        told, data = self._worker.ending()
        self._end()
        if index is None:
            raise HarnessError(f"{target} does not work: {told['kind']}\n{told['text']}")
        tally.faults.append(Finding(target, seed, index, data=data, **told))
        return index + 1

    def _end(self) -> None:
        if self._worker is not None:
            self._worker.close()
        self._worker = None


class _Worker:
    """One process of `fuzz.worker` in a folder of its own."""

    def __init__(self, idle_seconds: float) -> None:
        self._idle_seconds = idle_seconds
        self._folder = tempfile.TemporaryDirectory(prefix="fuzz-")
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `close`)
        paths = [str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]
        settings = {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "fuzz.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            cwd=self._folder.name,
            env={**os.environ, **settings},
        )

    def close(self) -> None:
        """End the process, and remove its folder."""
        self._process.kill()
        self._process.communicate()
        self._stderr.close()
        self._folder.cleanup()

    def events(self, job: Mapping[str, object]) -> Iterator[tuple[str, str]]:
        """Give a job; its events, until the process ends or does nothing more."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(job).encode() + b"\n")
        self._process.stdin.flush()
        descriptor = self._process.stdout.fileno()
        pending = b""
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while self._is_heard(selector):
                chunk = os.read(descriptor, 1 << 16)
                if not chunk:
                    self._process.wait()
                    return
                *lines, pending = (pending + chunk).split(b"\n")
                for line in lines:
                    event, _, rest = line.decode().partition(" ")
                    yield event, rest

    def _is_heard(self, selector: selectors.BaseSelector) -> bool:
        """Wait for the process as long as it takes CPU time, which the worker limits."""
        before = -1
        while not selector.select(self._idle_seconds):
            if before == (before := self._cpu_ticks()):
                return False
        return True

    def _cpu_ticks(self) -> int:
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    def ending(self) -> tuple[dict[str, str], bytes]:
        """How the process ended, or that it does not, and the input that it had last."""
        code = self._process.poll()
        kind, text = f"exit {code}", self._said()
        if code is None:
            kind, text = "hang", f"no end, and no CPU time for {self._idle_seconds:g} s"
        elif code == -signal.SIGXCPU:
            kind, text = "time", "took too much CPU time"
        elif code < 0:
            kind = signal.Signals(-code).name
        file = Path(self._folder.name) / "case.bin"
        data = file.read_bytes() if file.exists() else b""
        return {"kind": kind, "text": text, "place": ""}, data

    def _said(self) -> str:
        self._stderr.seek(0)
        return self._stderr.read().decode(errors="replace")[-_STDERR_KEPT:]
