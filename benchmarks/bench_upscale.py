"""Super-resolution as a user calls it: seconds and memory by method.

    python benchmarks/bench_upscale.py [--methods LIST] [--threads N] [--rounds R] [--out FILE]

The LR photo of 0.7 megapixels, and one of 12 for memory, are made by enlarging a committed one;
the kernel is given, so that no estimate is in the figures. Memory is measured in processes of
their own.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from measure import repeat, write
from numpy.typing import NDArray

SOURCE = Path(__file__).resolve().parents[1] / "tests" / "golden" / "coffee_192x256.png"
METHODS = "bicubic,backprojection,tv,unfold"
MEMORY = """
import resource, sys
import torch
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
from kernelgan_fast import upscale
upscale(sys.argv[1], kernel="bicubic", method=sys.argv[2])
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", default=METHODS, help=f"default {METHODS}")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", action="store_true", help="on 12 megapixels, too")
    parser.add_argument("--out", type=Path, help="write the JSON here too")
    options = parser.parse_args()
    methods = options.methods.split(",")
    # Memory first: what this process once took counts as the most its children took.
    memory = {name: _memory(name) for name in methods} if options.memory else {}
    figures: dict[str, Any] = {
        "unit": "seconds for 0.7 megapixels x2; memory in MiB above `import torch`",
        "threads": options.threads,
        "memory_12_megapixels": memory,
        "methods": {name: _seconds(name, options.threads, options.rounds) for name in methods},
    }
    write("upscale", figures, options.out)


def photo(width: int, height: int) -> NDArray[np.uint8]:
    """The committed photo, enlarged."""
    from PIL import Image

    with Image.open(SOURCE) as small:
        large = small.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(large)


def _seconds(method: str, threads: int, rounds: int) -> dict[str, Any]:
    from kernelgan_fast import BlurKernel, upscale
    from kernelgan_fast.evaluation.blur_laws import draw

    kernel = BlurKernel(draw("div2krk", 2, seed=0, name="").array, 2)
    low = photo(1020, 680)
    call = partial(upscale, low, kernel=kernel, method=method, threads=threads)
    assert call().pixels.shape == (1360, 2040, 3)
    return repeat(call, runs=rounds, warmup=0)


def _memory(method: str) -> float:
    from PIL import Image

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "twelve.png"
        Image.fromarray(photo(4000, 3000)).save(file, compress_level=1)
        command = [sys.executable, "-c", MEMORY, str(file), method]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout)


if __name__ == "__main__":
    main()
