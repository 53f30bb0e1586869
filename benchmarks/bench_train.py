"""Training time an iteration: ours against the literal yardstick, problems and threads varied.

    python benchmarks/bench_train.py PHOTO [--iterations N] [--rounds R] [--out FILE]

Rounds go through all configurations in turn, so that a machine whose speed drifts biases no ratio;
ratios are taken round by round and their median is what counts.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from literal import time_literal
from measure import spread, write

from kernelgan_fast.gan.config import profile
from kernelgan_fast.gan.crops import plan_crops
from kernelgan_fast.gan.trainer import Problem, train
from kernelgan_fast.images import read_image

CONFIGURATIONS = ((1, 1), (1, 2), (2, 1), (2, 2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo", type=Path)
    parser.add_argument("--iterations", type=int, default=600, help="of ours, a round (600)")
    parser.add_argument("--literal-iterations", type=int, default=10, help="a round (10)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="write the JSON here too")
    options = parser.parse_args()
    torch.set_num_threads(1)
    config = profile("corrected").replace(iterations=options.iterations)
    plan = plan_crops(read_image(options.photo).pixels, config)

    def ours(count: int, threads: int) -> tuple[float, float]:
        problems = [Problem(plan=plan, seed=seed) for seed in range(count)]
        before = time.process_time(), time.perf_counter()
        train(problems, config, threads=threads)
        cpu, wall = time.process_time() - before[0], time.perf_counter() - before[1]
        return 1e3 * cpu / options.iterations, 1e3 * wall / options.iterations

    for count, threads in CONFIGURATIONS:
        ours(count, threads)
    cpu: dict[str, list[float]] = {}
    wall: dict[str, list[float]] = {}
    for _ in range(options.rounds):
        literal = time_literal(options.literal_iterations)
        cpu.setdefault("literal", []).append(literal["cpu_ms"])
        wall.setdefault("literal", []).append(literal["wall_ms"])
        for count, threads in CONFIGURATIONS:
            spent = ours(count, threads)
            key = f"problems={count} threads={threads}"
            cpu.setdefault(key, []).append(spent[0])
            wall.setdefault(key, []).append(spent[1])

    def ratios(above: list[float], below: list[float], factor: float = 1) -> dict[str, float]:
        return spread([factor * a / b for a, b in zip(above, below, strict=True)])

    one, one_two, two = (f"problems={n} threads={t}" for n, t in ((1, 1), (1, 2), (2, 2)))
    figures = {
        "unit": "milliseconds an iteration of the whole batch",
        "iterations": options.iterations,
        "rounds": options.rounds,
        "cpu_ms": {key: spread(values) for key, values in cpu.items()},
        "wall_ms": {key: spread(values) for key, values in wall.items()},
        "ratios": {
            "literal / ours, CPU, one problem, one thread": ratios(cpu["literal"], cpu[one]),
            "throughput, two problems on two threads": ratios(wall[one], wall[two], 2),
            "speed-up, one problem on two threads": ratios(wall[one], wall[one_two]),
        },
    }
    write("train", figures, options.out)


if __name__ == "__main__":
    main()
