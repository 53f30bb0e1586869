"""How things are timed here: warm-up, medians with spread, each kind of time, machine facts."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


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
        before = time.process_time(), time.perf_counter()
        for _ in range(calls):
            call()
        cpu.append((time.process_time() - before[0]) / calls)
        wall.append((time.perf_counter() - before[1]) / calls)
    return {"cpu": spread(cpu), "wall": spread(wall), "runs": runs, "calls": calls}


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
    text = json.dumps(document, indent=2)
    print(text)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text + "\n", encoding="utf-8")


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
