"""The process in which parsers run: it may crash, hang or be killed, and the parent goes on.

It reads jobs from stdin, one JSON document per line:

    {"target": MODULE, "cpu_seconds": C, "seed": S, "first": I, "last": J}    the cases I to J - 1
    {"target": MODULE, "cpu_seconds": C, "data": BASE64}                      one input

and writes to stdout, one line per event:

    ready             the target is imported and takes its own seeds
    case I R          case I begins, its bytes are in case.bin; R inputs were refused so far
    finding {...}     that case is one: {"kind": ..., "text": ..., "place": ..., "data": BASE64}
    done R            the job is over
    broken TEXT       the target itself does not work

Whatever else a parser prints goes to stderr.
"""

from __future__ import annotations

import base64
import faulthandler
import importlib
import json
import os
import resource
import sys
import traceback
import warnings
import zlib
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import TextIO

import numpy as np
from fuzz import outcomes
from fuzz.mutation import mutated

CASE_FILE = "case.bin"
# What a small input may cost.
MEMORY = 512 << 20

_PAGE = resource.getpagesize()
_UNLIMITED = resource.RLIM_INFINITY


def case_bytes(target: ModuleType, seeds: list[bytes], seed: int, index: int) -> bytes:
    """Make the input of one case; it depends on target, seed and index only."""
    name = zlib.crc32(target.__name__.rpartition(".")[2].encode())
    rng = np.random.default_rng([seed, name, index])
    return mutated(seeds, rng, getattr(target, "structured", None))


def main() -> None:
    """Run the jobs of stdin, in the current folder."""
    events = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print shall not mix with the events
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for line in sys.stdin:
        try:
            _run(json.loads(line), events)
        except Exception:  # outside of the parsers, which `_finding` watches
            print("broken", json.dumps(traceback.format_exc()), file=events)


def _run(job: dict[str, object], events: TextIO) -> None:
    target = importlib.import_module(str(job["target"]))
    case_file = Path(CASE_FILE).absolute()
    folder = Path(target.__name__)  # where its seeds may have left files in an earlier job
    folder.mkdir(exist_ok=True)
    os.chdir(folder)
    try:
        _run_cases(job, target, case_file, events)
    finally:
        os.chdir(case_file.parent)


def _run_cases(job: dict[str, object], target: ModuleType, case_file: Path, events: TextIO) -> None:
    seeds = target.seeds()
    for seed in seeds:
        target.run(seed)  # imports what is imported late, and shows that the target works
    print("ready", file=events)
    refused = 0
    for index, data in _cases(job, target, seeds):
        case_file.write_bytes(data)
        print("case", index, refused, file=events)
        refusal, finding = _run_case(target, data, int(str(job["cpu_seconds"])))
        refused += refusal
        if finding is not None:
            finding["data"] = base64.b64encode(data).decode()
            print("finding", json.dumps(finding), file=events)
    print("done", refused, file=events)


def _cases(
    job: dict[str, object], target: ModuleType, seeds: list[bytes]
) -> Iterable[tuple[int, bytes]]:
    if "data" in job:
        return [(0, base64.b64decode(str(job["data"])))]
    first, last, seed = (int(str(job[key])) for key in ("first", "last", "seed"))
    return ((index, case_bytes(target, seeds, seed, index)) for index in range(first, last))


def _run_case(
    target: ModuleType, data: bytes, cpu_seconds: int
) -> tuple[bool, dict[str, str] | None]:
    """Run one input within the limits: whether it was refused, and what was wrong, or None."""
    refused = False
    _forget_peak()
    before = _resident("VmRSS")
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        try:
            _limit(cpu_seconds)
            try:
                target.run(data)
            finally:
                _unlimit()
        except outcomes.RejectedInput:
            refused = True
        except Exception as error:
            kind = "outcome" if isinstance(error, outcomes.WrongOutcome) else type(error).__name__
            return False, _described(kind, error)
    for warning in shown:
        if issubclass(warning.category, RuntimeWarning):
            place = f"{Path(warning.filename).name}:{warning.lineno}"
            return refused, {"kind": "warning", "text": str(warning.message), "place": place}
    taken = _resident("VmHWM") - before
    if taken > MEMORY:
        return refused, {"kind": "memory", "text": f"took {taken >> 20} MiB", "place": ""}
    return refused, None


def _described(kind: str, error: BaseException) -> dict[str, str]:
    frames = traceback.extract_tb(error.__traceback__)
    cause = error.__cause__ if isinstance(error, outcomes.WrongOutcome) else None
    if cause is not None:
        frames = traceback.extract_tb(cause.__traceback__)
    own = [frame for frame in frames if "kernelgan_fast" in frame.filename] or list(frames)
    place = f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else ""
    text = "".join(traceback.format_exception(error))
    return {"kind": kind, "text": text, "place": place}


def _limit(cpu_seconds: int) -> None:
    # CPU time, so that other programs on the machine change no result.
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + 1 + cpu_seconds
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, _UNLIMITED))
    size = int(Path("/proc/self/statm").read_text().split()[0]) * _PAGE
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, _UNLIMITED))


def _unlimit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (_UNLIMITED, _UNLIMITED))
    resource.setrlimit(resource.RLIMIT_AS, (_UNLIMITED, _UNLIMITED))


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _resident(name: str) -> int:
    with open("/proc/self/status") as stream:
        for line in stream:
            if line.startswith(name):
                return int(line.split()[1]) << 10
    raise AssertionError(f"the system does not tell {name}")


if __name__ == "__main__":
    main()
