"""Training and ops on a GPU: one photo, batches, the literal yardstick on the same card, the floor.

    python benchmarks/bench_gpu.py [--only PART ...] [--rounds R] [--out FILE]
    python benchmarks/bench_gpu.py --show FILE

Seconds are wall time of `gan.trainer.train`, from photos in memory to kernels in memory, weights,
capture and all; the process has trained before, so that CUDA and torch have started.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from floor import floor, peak
from literal import time_literal
from measure import gpu, repeat_on_gpu, spread, write

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from cases import CASES, Case
from kernelgan_fast.gan.config import profile
from kernelgan_fast.gan.crops import plan_crops
from kernelgan_fast.gan.trainer import Problem, train
from kernelgan_fast.images import read_image
from kernelgan_fast.ops import native

DEVICE = "cuda"
PHOTO = Path(__file__).resolve().parents[1] / "tests" / "golden" / "coffee_192x256.png"
CONFIG = profile("paper")  # 3000 iterations, as the yardstick does
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
OPS_AT = (1, 64)
MATMULS = ("float32", "tf32")
FEW_AND_MANY = (50, 250)  # iterations, whose difference is the pace


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts: dict[str, Callable[[int], Any]] = {
        "ceilings": lambda rounds: ceilings(),
        "photo": photo,
        "batches": batches,
        "ops": lambda rounds: ops(),
    }
    parser.add_argument("--only", nargs="+", choices=parts, default=list(parts), metavar="PART")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="write the JSON here too")
    parser.add_argument("--show", type=Path, metavar="FILE", help="print such a file as a table")
    options = parser.parse_args()
    if options.show:
        print(table(json.loads(options.show.read_text(encoding="utf-8"))))
        return 0
    if not torch.cuda.is_available():
        print("error: torch sees no GPU, and this is about one", file=sys.stderr)
        return 3
    figures: dict[str, Any] = {"unit": "seconds unless named", "iterations": CONFIG.iterations}
    for part in options.only:
        figures[part] = parts[part](options.rounds)
        print(f"{part} done", file=sys.stderr)
    if "ceilings" in figures:
        measured = figures["ceilings"]
        figures["floor"] = floor(CONFIG, measured["flops"], measured["bandwidth"])
    write("gpu", figures, options.out, gpu())
    print(table(figures))
    return 0


def ceilings() -> dict[str, Any]:
    """What this card does: a large float32 product, a large copy, and its data sheet's rate."""
    size, length = 8192, 1 << 28
    torch.backends.cuda.matmul.allow_tf32 = False
    left, right = (torch.randn(size, size, device=DEVICE) for _ in range(2))
    product = repeat_on_gpu(lambda: left @ right, calls=3)["replayed"]["median"]
    source, target = (torch.rand(length, device=DEVICE) for _ in range(2))
    copy = repeat_on_gpu(lambda: target.copy_(source), calls=5)["replayed"]["median"]
    card = torch.cuda.get_device_properties(0)
    clock = str(gpu().get("clocks.max.sm", "")).split(" ")[0]  # "1980 MHz", on some cards "[N/A]"
    sheet = None
    if clock.isdecimal():
        sheet = peak(card.multi_processor_count, (card.major, card.minor), float(clock))
    return {
        "flops": 2 * size**3 / product,
        "bandwidth": 2 * 4 * length / copy,
        "flops_of_the_data_sheet": sheet,
    }


def problems(count: int) -> list[Problem]:
    plan = plan_crops(read_image(PHOTO).pixels, CONFIG)
    return [Problem(plan, seed) for seed in range(count)]


def seconds(count: int, iterations: int, matmul: str) -> float:
    config = CONFIG.replace(iterations=iterations, matmul=matmul)
    made = problems(count)
    torch.cuda.synchronize()
    began = time.perf_counter()
    train(made, config, device=DEVICE)
    return time.perf_counter() - began


def photo(rounds: int) -> dict[str, Any]:
    """One photo to the end, and the yardstick's iterations, in turn."""
    seconds(1, FEW_AND_MANY[1], "float32")
    time_literal(5, DEVICE)
    ours: dict[str, list[float]] = {matmul: [] for matmul in MATMULS}
    literal, ratios = [], []
    for _ in range(rounds):
        for matmul in MATMULS:
            ours[matmul].append(seconds(1, CONFIG.iterations, matmul))
        literal.append(time_literal(40, DEVICE)["wall_ms"] / 1000 * CONFIG.iterations)
        ratios.append(literal[-1] / ours["float32"][-1])
    return {
        **{matmul: spread(values) for matmul, values in ours.items()},
        "literal (40 iterations, scaled)": spread(literal),
        "literal / float32": spread(ratios),
    }


def batches(rounds: int) -> list[dict[str, Any]]:
    """Photos a second by batch: the pace of some iterations, and of 256 whole trainings."""
    rows = []
    for count in BATCHES:
        for matmul in MATMULS:
            row: dict[str, Any] = {"problems": count, "matmul": matmul}
            try:
                row.update(_pace(count, matmul, rounds))
            except torch.cuda.OutOfMemoryError as error:
                torch.cuda.empty_cache()
                row["error"] = str(error).splitlines()[0]
            rows.append(row)
    return rows


def _pace(count: int, matmul: str, rounds: int) -> dict[str, Any]:
    few, many = FEW_AND_MANY
    torch.cuda.reset_peak_memory_stats()
    seconds(count, few, matmul)
    paces = [
        (seconds(count, many, matmul) - seconds(count, few, matmul)) / (many - few)
        for _ in range(rounds)
    ]
    row: dict[str, Any] = {
        "iteration": spread(paces),
        "photos_a_second": count / (CONFIG.iterations * spread(paces)["median"]),
        "peak_memory_mib": torch.cuda.max_memory_reserved() / 2**20,
    }
    if count == 256:
        row["whole"] = seconds(count, CONFIG.iterations, matmul)
        row["photos_a_second_whole"] = count / row["whole"]
    return row


def ops() -> list[dict[str, Any]]:
    """Each op at the published sizes, forward and backward, alone and for many problems."""
    return [
        _time(op, case, count, matmul)
        for op, cases in CASES.items()
        for case in cases
        if case.published
        for count in (OPS_AT if op != "downscale" else OPS_AT[:1])
        for matmul in (MATMULS if op == "discriminate" else MATMULS[:1])
    ]


def _time(op: str, case: Case, count: int, matmul: str) -> dict[str, Any]:
    arguments = case.make(torch.Generator().manual_seed(0), torch.float32)
    arguments = {name: enlarged(name, value, count) for name, value in arguments.items()}
    row: dict[str, Any] = {"op": op, "case": case.id, "problems": count, "matmul": matmul}
    with native.cuda_matmul(matmul):
        row["forward"] = repeat_on_gpu(lambda: getattr(native, op)(**arguments))
        for name in case.differentiable:
            arguments[name].requires_grad_()
            row[f"forward_and_backward_{name}"] = repeat_on_gpu(lambda: _both(op, arguments))
            arguments[name].requires_grad_(False)
    return row


def enlarged(name: str, value: Any, count: int) -> Any:
    """An argument of one problem as that of many, on the GPU; masks and sizes are shared."""
    if isinstance(value, list):
        return [part.to(DEVICE) for part in value] * count
    if not isinstance(value, torch.Tensor):
        return value
    many = value if name == "mask" else value.repeat(count, *[1] * (value.dim() - 1))
    return many.to(DEVICE)


def _both(op: str, arguments: dict[str, Any]) -> None:
    result = getattr(native, op)(**arguments)
    out = result[0] if isinstance(result, tuple) else result
    wanted = [value for value in arguments.values() if getattr(value, "requires_grad", False)]
    torch.autograd.grad(out, wanted, torch.ones_like(out))


def table(figures: dict[str, Any]) -> str:
    """The figures that the targets are about, in a few lines."""
    rows = []
    if "photo" in figures:
        one = figures["photo"]
        for matmul in MATMULS:
            rows.append((f"one photo, {matmul}", f"{one[matmul]['median']:.3f} s"))
        rows.append(("literal / ours, same card", f"{one['literal / float32']['median']:.1f} x"))
    found = [row for row in figures.get("batches", []) if "error" not in row]
    for row in found:
        name = f"{row['problems']} problems, {row['matmul']}"
        whole = row.get("photos_a_second_whole")
        told = f" ({whole:.1f} of whole trainings)" if whole else ""
        rows.append((name, f"{row['photos_a_second']:.1f} photos/s{told}"))
    if "floor" in figures:
        least = figures["floor"]["photos_a_second"]
        rows.append(("floor, float32", f"{least:.1f} photos/s"))
        exact = [row["photos_a_second"] for row in found if row["matmul"] == "float32"]
        if exact:
            rows.append(("floor / best, float32", f"{least / max(exact):.2f} x"))
    for row in figures.get("ops", []):
        name = f"{row['op']}, {row['problems']} problems, {row['matmul']}"
        rows.append((name, f"{1e6 * row['forward']['replayed']['median']:.1f} us forward"))
    return "\n".join(f"{name:<44} {figure}" for name, figure in rows)


if __name__ == "__main__":
    sys.exit(main())
