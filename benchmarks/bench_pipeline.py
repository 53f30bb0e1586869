"""The main job as a user runs it: seconds, stages, memory, start-up.

    python benchmarks/bench_pipeline.py [--iterations N] [--rounds R] [--out FILE]

Photos of 2 and 12 megapixels are made by enlarging a committed one. Each figure comes from
processes of their own, so that nothing is warm but the disk.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from measure import spread, write

SOURCE = Path(__file__).resolve().parents[1] / "tests" / "golden" / "coffee_192x256.png"
IMPORT = "import torch"
MEMORY = """
import resource, sys
import torch
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
from kernelgan_fast import estimate
estimate(sys.argv[1], iterations=20)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iterations", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="write the JSON here too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        two = _photo(Path(folder) / "two.png", 1632, 1224)
        twelve = _photo(Path(folder) / "twelve.jpg", 4000, 3000)
        figures = {
            "unit": "seconds; memory in MiB above `import torch`",
            "iterations": options.iterations,
            "help": spread([_seconds("--help") for _ in range(options.rounds)]),
            **_runs(two, Path(folder), options.iterations, options.rounds),
            "memory_12_megapixels": float(_python(MEMORY, str(twelve))),
        }
    write("pipeline", figures, options.out)


def _photo(path: Path, width: int, height: int) -> Path:
    from PIL import Image

    with Image.open(SOURCE) as photo:
        photo.convert("RGB").resize((width, height), Image.Resampling.BICUBIC).save(path)
    return path


def _python(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout


def _seconds(*arguments: str) -> float:
    start = time.perf_counter()
    command = [sys.executable, "-m", "kernelgan_fast", *arguments]
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def _runs(photo: Path, folder: Path, iterations: int, rounds: int) -> dict[str, Any]:
    """Whole command-line runs on one photo, less what Python and torch take to start."""
    whole, stages = [], []
    for _ in range(rounds):
        start = time.perf_counter()
        _python(IMPORT)
        started = time.perf_counter() - start
        recipe = ("--profile", "mended", "--iterations", str(iterations))
        arguments = ("estimate", str(photo), "--out", str(folder), *recipe)
        whole.append(_seconds(*arguments, "--quiet") - started)
        record = json.loads((folder / f"{photo.stem}.json").read_text(encoding="utf-8"))
        stages.append(record["timings"])
    return {
        "estimate_2_megapixels": spread(whole),
        "stages": {stage: statistics.median(run[stage] for run in stages) for stage in stages[0]},
    }


if __name__ == "__main__":
    main()
