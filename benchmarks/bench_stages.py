"""Run time of a photo by stage, each stage beside its yardstick in the same run.

    python benchmarks/bench_stages.py [--only STAGE ...] [--also STAGE ...] [--device cpu|cuda]
        [--seconds S] [--photos N] [--out FILE]

Every stage runs on one thread, in turn with its yardstick (`stages.YARDSTICKS`), and the ratios
are what `compare` guards; whole photos then run on all threads, as users run them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from measure import beside, gpu, keep_memory, machine, now, peak_memory, repeat, save, spread
from stages import ITERATIONS, LARGE, SMALL, Bench, Stage, stages

RUNS = ("spectral", "paper")  # a method, and a profile of KernelGAN
SECONDS = 6.0

Say = Callable[[str], None]


def main() -> int:
    known = stages()
    slow = [name for name, stage in known.items() if stage.slow]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=known, metavar="STAGE")
    parser.add_argument("--also", nargs="+", choices=slow, default=[], metavar="STAGE",
                        help=f"slow ones: {', '.join(slow)}")  # fmt: skip
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="a stage (6), if it can")
    parser.add_argument("--photos", type=int, default=3, help="whole runs of each profile (3)")
    parser.add_argument("--list", action="store_true", help="print the stages' names")
    parser.add_argument("--out", type=Path, help="write the JSON here")
    options = parser.parse_args()
    if options.list:
        print("\n".join(known))
        return 0
    if options.device == "cuda" and not _sees_a_gpu():
        print("error: torch sees no GPU; leave --device out", file=sys.stderr)
        return 3
    names = options.only or [name for name in known if name not in slow or name in options.also]
    document = measure(names, options.device, options.seconds, options.photos)
    if options.out:
        save(document, options.out)
    else:
        print(json.dumps(document, indent=2))
    return 0


def measure(
    names: Collection[str],
    device: str = "cpu",
    seconds: float = SECONDS,
    photos: int = 0,
    say: Say | None = None,
) -> dict[str, Any]:
    """Time stages, and whole photos where asked for.

    Args:
        names: of stages.
        device: where those stages run that can.
        seconds: a stage, if so few are enough for the fewest rounds.
        photos: whole runs of each profile; where there are any, memory and the usual time too.
        say: is told of every stage done; prints a line on stderr if None.

    Returns:
        The document that is committed.
    """
    import torch

    tell = say or _progress(len(names) + 2 * bool(photos))
    torch.set_num_threads(1)
    known = {name: stage for name, stage in stages().items() if name in names}
    document: dict[str, Any] = {
        "benchmark": "stages",
        "machine": {**machine(), **(gpu() if device == "cuda" else {})},
        "device": device,
        "basis": basis(device),
        "threads": 1,
        "unit": "seconds a call; memory in MiB beyond what was held before the first call",
        "sizes": {"estimate": LARGE, "upscale": SMALL, "iterations": ITERATIONS},
        "stages": {},
        "left_out": {},
    }
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), device)
        usual: dict[str, dict[str, Any]] = {}
        if photos:  # as users meet them, so before memory is kept
            usual = {name: _tried(as_usual, bench, stage, photos) for name, stage in known.items()}
            tell("each stage alone")
            document["photos"] = whole_photos(bench, photos)
            tell("whole photos")
        keep_memory()
        for name, stage in known.items():
            row = usual.get(name, {})
            if "error" not in row:
                row |= _tried(time_stage, bench, stage, seconds)
            if "error" in row:
                document["left_out"][name] = row["error"]
            else:
                document["stages"][name] = row
            tell(f"{name}: {row.get('error') or _told(row)}")
    return document


def _tried(work: Callable[..., dict[str, Any]], *arguments: object) -> dict[str, Any]:
    """What it returns, or its error, which goes into the result and which `compare` refuses."""
    try:
        return work(*arguments)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def basis(device: str) -> str:
    """The clock of the ratios: on a shared CPU what was spent; a GPU's host only waits."""
    return "cpu" if device == "cpu" else "wall"


def as_usual(bench: Bench, stage: Stage, rounds: int) -> dict[str, Any]:
    """The peak memory of a stage's first call, and the time of later ones, memory not kept."""
    call, _ = bench.work(stage)
    figures: dict[str, Any] = {}
    if bench.device == "cuda":
        import torch

        call = _awaited(call)
        torch.cuda.reset_peak_memory_stats()
    figures["memory_mib"] = peak_memory(call)
    if bench.device == "cuda":
        figures["gpu_memory_mib"] = torch.cuda.max_memory_reserved() / 2**20
    once = now()
    call()
    calls = max(1, round(0.05 / max(now().since(once).wall, 1e-6)))
    return {**figures, "usual": repeat(call, runs=rounds, calls=calls, warmup=0)}


def time_stage(bench: Bench, stage: Stage, seconds: float) -> dict[str, Any]:
    """One stage beside its yardstick."""
    call, yardstick = bench.work(stage)
    if bench.device == "cuda":
        call, yardstick = _awaited(call), _awaited(yardstick)
    figures = beside(call, yardstick, seconds=seconds, basis=basis(bench.device))
    return {"what": stage.what, "yardstick": stage.yardstick, **figures}


def whole_photos(bench: Bench, rounds: int) -> dict[str, Any]:
    """Whole runs on all threads, by stage as their records tell; `rest` is saving and all else."""
    import torch

    from kernelgan_fast.api import estimate_files
    from kernelgan_fast.estimation.options import available_threads, method_or_profile

    torch.set_num_threads(available_threads())
    for name in RUNS:  # to warm up
        short = 20 if name == "paper" else None
        run = estimate_files(
            [bench.file],
            bench.folder / name,
            **method_or_profile(name),
            iterations=short,
            device=bench.device,
        )
        list(run.results())
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in RUNS}
    for _ in range(rounds):
        for name in RUNS:
            before = now()
            run = estimate_files(
                [bench.file], bench.folder / name, **method_or_profile(name), device=bench.device
            )
            (result,) = run.results()
            took = now().since(before)
            told = dict(result.summary["timings"])
            rest = took.wall - sum(told.values())
            runs[name].append({"wall": took.wall, "cpu": took.cpu, **told, "rest": rest})
    torch.set_num_threads(1)
    figures: dict[str, Any] = {"threads": available_threads(), "rounds": rounds}
    for profile, rows in runs.items():
        parts = {name: [row[name] for row in rows] for name in rows[0]}
        figures[profile] = {
            "wall": spread(parts.pop("wall")),
            "cpu": spread(parts.pop("cpu")),
            "stages": {name: round(statistics.median(part), 4) for name, part in parts.items()},
        }
    return figures


def _told(row: dict[str, Any]) -> str:
    return (
        f"{1000 * row['wall']['median']:.4g} ms, {row['ratio']['median']:.4g} x {row['yardstick']}"
    )


def _progress(total: int) -> Say:
    began, done = time.perf_counter(), 0

    def say(line: str) -> None:
        nonlocal done
        done += 1
        print(f"[{done}/{total} {time.perf_counter() - began:4.0f} s] {line}", file=sys.stderr)

    return say


def _awaited(call: Callable[[], object]) -> Callable[[], object]:
    import torch

    def run() -> None:
        call()
        torch.cuda.synchronize()

    return run


def _sees_a_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


if __name__ == "__main__":
    sys.exit(main())
