"""Each op at the published sizes, forward and backward, on every SIMD level.

    python benchmarks/bench_ops.py [--only OP] [--out FILE]

The cases are those of tests/cases.py marked as published; a case is checked against its twin before
it is timed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import torch
from measure import repeat, write

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from cases import CASES, Case
from kernelgan_fast.ops import native, reference


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=CASES, help="time this op alone")
    parser.add_argument("--out", type=Path, help="write the JSON here too")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for op, cases in CASES.items():
        if options.only not in (None, op):
            continue
        for case in cases:
            if case.published:
                rows += [_time(op, case, level) for level in native.info()["simd_levels"]]
    write("ops", {"unit": "seconds a call", "rows": rows}, options.out)


def _time(op: str, case: Case, level: str) -> dict[str, Any]:
    arguments = case.make(torch.Generator().manual_seed(0), torch.float32)
    with native.simd(level):
        _check(op, arguments)
        row: dict[str, Any] = {"op": op, "case": case.id, "simd": level}
        row["forward"] = repeat(lambda: getattr(native, op)(**arguments), calls=50)
        for name in case.differentiable:
            arguments[name].requires_grad_()
            row[f"forward_and_backward_{name}"] = repeat(lambda: _both(op, arguments), calls=50)
            arguments[name].requires_grad_(False)
    return row


def _first(result: Any) -> torch.Tensor:
    return result[0] if isinstance(result, tuple) else result


def _check(op: str, arguments: dict[str, Any]) -> None:
    torch.testing.assert_close(
        _first(getattr(native, op)(**arguments)),
        _first(getattr(reference, op)(**arguments)),
        rtol=1e-3,
        atol=1e-4,
    )


def _both(op: str, arguments: dict[str, Any]) -> None:
    out = _first(getattr(native, op)(**arguments))
    out.backward(torch.ones_like(out))
    for value in arguments.values():
        if isinstance(value, torch.Tensor):
            value.grad = None


if __name__ == "__main__":
    main()
