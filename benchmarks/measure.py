"""How things are timed here: warm-up, medians with spread, each kind of time, machine facts."""

from __future__ import annotations

import ctypes
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple


def machine() -> dict[str, Any]:
    """Facts without which a figure means little."""
    import torch

    from kernelgan_fast.ops import native

    return {
        "cpu": _cpu_name(),
        "cores": _cores(),
        "load_1min": round(os.getloadavg()[0], 2),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "extension": native.info(),
    }


def gpu(index: int = 0) -> dict[str, Any]:
    """The same of a GPU; nothing of it is changed."""
    import torch

    card = torch.cuda.get_device_properties(index)
    asked = "driver_version,clocks.sm,clocks.mem,clocks.max.sm,power.limit,temperature.gpu"
    return {
        "gpu": card.name,
        "architecture": f"{card.major}.{card.minor}",
        "multiprocessors": card.multi_processor_count,
        "memory_gib": round(card.total_memory / 2**30, 1),
        "torch_cuda": torch.version.cuda,
        **dict(zip(asked.split(","), _nvidia_smi(asked, index), strict=False)),
    }


def repeat(
    call: Callable[[], object], *, runs: int = 5, calls: int = 1, warmup: int = 1
) -> dict[str, Any]:
    """Time ``runs`` rounds of ``calls`` calls, each figure in seconds a call.

    Returns:
        ``cpu`` and ``wall``, each with median, min and max over the rounds.
    """
    for _ in range(warmup):
        call()
    cpu, wall = [], []
    for _ in range(runs):
        before = now()
        for _ in range(calls):
            call()
        took = now().since(before)
        cpu.append(took.cpu / calls)
        wall.append(took.wall / calls)
    return {"cpu": spread(cpu), "wall": spread(wall), "runs": runs, "calls": calls}


class Spent(NamedTuple):
    """Seconds of the CPU, spent here and by children that ended, and of the wall."""

    cpu: float
    wall: float

    def since(self, before: Spent) -> Spent:
        return Spent(self.cpu - before.cpu, self.wall - before.wall)


def now() -> Spent:
    """The clocks; what is between two readings is what a call took."""
    import resource

    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = time.process_time() + children.ru_utime + children.ru_stime
    return Spent(cpu, time.perf_counter())


def beside(
    call: Callable[[], object],
    yardstick: Callable[[], object],
    *,
    seconds: float,
    least: int = 7,
    most: int = 25,
    basis: str = "cpu",
    clock: Callable[[], Spent] = now,
) -> dict[str, Any]:
    """Time a call and a yardstick in turn, round by round, after one warm-up of each.

    Short calls are repeated within a round until it takes `_SHORTEST`; of the yardstick one half
    runs before the call and one after it, so that a machine whose speed drifts favours neither.

    Args:
        seconds: of the wall that the rounds may take, as far as `least` of them allow.
        least, most: rounds.
        basis: of the ratios, "cpu" or "wall".

    Returns:
        ``cpu`` and ``wall`` of one call, and in ``yardstick_took`` of one of the yardstick's, each
        with median, min and max over the rounds; ``ratios``, yardstick / call of each round.
    """

    def timed(work: Callable[[], object], times: int) -> Spent:
        before = clock()
        for _ in range(times):
            work()
        return clock().since(before)

    yardstick()
    once = timed(yardstick, 1).wall
    call()
    alone = timed(call, 1).wall
    calls = max(1, round(_SHORTEST / max(alone, 1e-9)))
    halves = max(1, round(min(max(calls * alone / 4, _SHORTEST / 2), 0.5) / max(once, 1e-9)))
    ours, other = [], []
    began = clock().wall
    while len(ours) < least or (len(ours) < most and clock().wall - began < seconds):
        before = timed(yardstick, halves)
        ours.append(Spent(*(part / calls for part in timed(call, calls))))
        after = timed(yardstick, halves)
        other.append(Spent(*((a + b) / 2 / halves for a, b in zip(before, after, strict=True))))
    ratios = [
        getattr(theirs, basis) / max(getattr(own, basis), 1e-9)
        for own, theirs in zip(ours, other, strict=True)
    ]
    return {
        "cpu": spread([own.cpu for own in ours]),
        "wall": spread([own.wall for own in ours]),
        "yardstick_took": {
            "cpu": spread([theirs.cpu for theirs in other]),
            "wall": spread([theirs.wall for theirs in other]),
        },
        "calls": calls,
        "ratio": spread(ratios),
        "ratios": [float(f"{ratio:.5g}") for ratio in ratios],
    }


_SHORTEST = 0.1  # seconds: shorter rounds say more of the clock and the scheduler than of the work


def keep_memory() -> None:
    """Let memory that is freed stay with this process from now on, where glibc manages it.

    Else large arrays cost page faults at every call, whose price is the host's and varies most.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, 2**31 - 1)


_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # malloc.h


def peak_memory(call: Callable[[], object]) -> float | None:
    """MiB that a call needs at its peak beyond what the process held before it.

    Returns:
        None where the system does not tell: Linux alone does.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)  # what earlier calls have freed would hide what this one takes
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # peak := now
        before = _status("VmRSS")
        call()
        return round(max(_status("VmHWM") - before, 0) / 1024, 1)
    except (OSError, KeyError):
        call()
        return None


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    facts = dict(line.split(":", 1) for line in lines)
    return int(facts[name].split()[0])


def memory_of(code: str, *arguments: str) -> float:
    """MiB that a program of its own takes at its peak, beyond `import torch`; on Linux."""
    command = [sys.executable, "-c", _MEMORY.format(code=code), *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return round(float(done.stdout), 1)


# Not getrusage: there the peak of the process that started this one counts too.
_MEMORY = """
import sys

def peak():
    with open("/proc/self/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

import torch
before = peak()
{code}
print((peak() - before) / 1024)
"""


def repeat_on_gpu(
    call: Callable[[], object], *, runs: int = 7, calls: int = 20, warmup: int = 3
) -> dict[str, Any]:
    """Time a call on the current GPU, in seconds by its own clock.

    Returns:
        ``replayed``: of ``calls`` calls captured as one graph, what the kernels take; ``queued``:
        of calls made one by one, which may wait for the host.
    """
    import torch

    from kernelgan_fast.gan.graph import cuda_graph, on_device

    def several() -> None:
        for _ in range(calls):
            call()

    with on_device(torch.device("cuda", torch.cuda.current_device())):
        for _ in range(warmup):
            call()
        queued = _events(several, runs, calls)
        with cuda_graph() as capture:
            replayed = _events(capture(several), runs, calls)
    return {"replayed": replayed, "queued": queued, "runs": runs, "calls": calls}


def _events(work: Callable[[], object], runs: int, calls: int) -> dict[str, float]:
    import torch

    work()
    seconds = []
    for _ in range(runs):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        work()
        end.record()
        end.synchronize()
        seconds.append(begin.elapsed_time(end) / 1000 / calls)
    return spread(seconds)


def spread(values: list[float]) -> dict[str, float]:
    """Median, min and max."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def write(
    name: str, figures: dict[str, Any], out: Path | None, facts: dict[str, Any] | None = None
) -> None:
    """Print the figures as JSON with the machine's facts and more, and write them where asked."""
    document = {"benchmark": name, "machine": {**machine(), **(facts or {})}, **figures}
    print(json.dumps(document, indent=2))
    if out is not None:
        save(document, out)


def save(document: dict[str, Any], out: Path) -> None:
    """Write a result as JSON."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _nvidia_smi(asked: str, index: int) -> list[str]:
    command = ["nvidia-smi", f"--query-gpu={asked}", "--format=csv,noheader", f"--id={index}"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [word.strip() for word in answer.stdout.strip().split(",")]


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()


def _cores() -> int | None:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()
