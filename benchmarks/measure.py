"""How things are timed here: warm-up, medians with spread, CPU and wall time, machine facts."""

from __future__ import annotations

import json
import os
import platform
import statistics
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


def spread(values: list[float]) -> dict[str, float]:
    """Median, min and max."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def write(name: str, figures: dict[str, Any], out: Path | None) -> None:
    """Print the figures as JSON with the machine's facts, and write them where asked."""
    document = {"benchmark": name, "machine": machine(), **figures}
    text = json.dumps(document, indent=2)
    print(text)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text + "\n", encoding="utf-8")


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
