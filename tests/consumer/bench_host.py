"""The table of docs/cpp_hosts.md: CPU time of one thread in the C++ engine and in Python.

    python tests/consumer/bench_host.py [--rounds 3] [--quick]

Needs the package installed with its C++ library, a C++ compiler, onnx and onnxruntime. Both take
turns, each run alone on its thread, and the best run counts.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from models import write_weights

from kernelgan_fast import sdk
from kernelgan_fast.export.onnx import export_downscale, export_sr
from kernelgan_fast.runtime.session import Session

HERE = Path(__file__).resolve().parent
SIZE = 13


def built(folder: Path) -> Path:
    """The C++ side, compiled against the installed headers and library."""
    program, library = folder / "bench_host", Path(sdk.get_library()).resolve()
    command = ["c++", "-std=c++17", "-O2", str(HERE / "bench_host.cpp"), "-o", str(program)]
    command += [f"-I{sdk.get_include()}", str(library), f"-Wl,-rpath,{library.parent}"]
    subprocess.run(command, check=True)
    return program


def best(runs: int, call: Callable[[], object]) -> float:
    """CPU time of the quickest call, in ms."""
    times = []
    for _ in range(runs):
        start = time.process_time()
        call()
        times.append(1e3 * (time.process_time() - start))
    return min(times)


def by_python(model: Path, height: int, width: int, runs: int) -> np.ndarray:
    """What the C++ side prints, of Python: opening, float planes, 8 bits by NumPy."""
    start = time.process_time()
    session = Session(model, threads=1)
    opening = 1e3 * (time.process_time() - start)
    told = {name: np.zeros(1, np.float32) for name in session.inputs}
    told["kernel"] = np.full((SIZE, SIZE), 1 / SIZE**2, np.float32)
    told["image"] = np.full((1, 3, height, width), 0.5, np.float32)
    pixels = np.full((height, width, 3), 128, np.uint8)

    def eight_bits() -> np.ndarray:
        planes = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], np.float32) / 255
        high = session.run(**{**told, "image": planes})[0].transpose(1, 2, 0)
        return (high.clip(0, 1) * 255).round().astype(np.uint8)

    planes = best(runs, lambda: session.run(**told))
    return np.array([opening, planes, best(runs, eight_bits)])


def by_engine(program: Path, model: Path, height: int, width: int, runs: int) -> np.ndarray:
    """Opening, float planes, 8 bits, in ms."""
    environment = {**os.environ, "KERNELGAN_FAST_ONNXRUNTIME": sdk.get_onnxruntime()}
    words = [str(program), str(model), *map(str, (height, width, runs, SIZE))]
    printed = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    return np.array(printed.stdout.split(), float)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="without the network of full size")
    options = parser.parse_args()
    print("| CPU ms, 1 thread | engine, float | Python, float | ratio | engine, 8 bits ", end="")
    print("| Python, 8 bits | engine opens |\n|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        program = built(folder)
        export_downscale(folder / "down.onnx", size=SIZE)
        tiny = write_weights(folder / "tiny.safetensors")
        export_sr(folder / "small.onnx", size=SIZE, weights_file=tiny)
        cases = [("downscale", "down", 1080, 1920, 5), ("sr, small", "small", 270, 480, 5)]
        if not options.quick:
            export_sr(folder / "full.onnx", size=SIZE)
            cases.append(("sr, as shipped", "full", 480, 854, 1))
        for label, model, height, width, runs in cases:
            path = folder / f"{model}.onnx"
            rounds = [
                (
                    by_engine(program, path, height, width, runs),
                    by_python(path, height, width, runs),
                )
                for _ in range(options.rounds)
            ]
            engine, python = (np.min(side, axis=0) for side in zip(*rounds, strict=True))
            print(
                f"| {label}, {width} × {height} | {engine[1]:.0f} | {python[1]:.0f} "
                f"| {engine[1] / python[1]:.3f} | {engine[2]:.0f} | {python[2]:.0f} "
                f"| {engine[0]:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
