"""Every op once on a GPU, forward and backward, at the small sizes: for compute-sanitizer to watch.

compute-sanitizer --tool racecheck python tests/small_cases.py [cpu]
"""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch import Tensor

from cases import ALL
from kernelgan_fast.ops import native


def main(device: str) -> int:
    """Run all cases but those of the published sizes; returns how many."""
    done = 0
    for op, case in ALL:
        if case.published:
            continue
        arguments = case.make(torch.Generator().manual_seed(0), torch.float32)
        moved = {name: _moved(value, device) for name, value in arguments.items()}
        for name in case.differentiable:
            moved[name].requires_grad_()
        result = getattr(native, op)(**moved)
        outputs = list(result) if isinstance(result, tuple) else [result]
        if case.differentiable:
            roots = [output for output in outputs if output.requires_grad]
            torch.autograd.backward(roots, [torch.ones_like(root) for root in roots])
            outputs += [moved[name].grad for name in case.differentiable]
        # Read on the host: a result that nothing wrote shows there too.
        print(op, case.id, sum(float(output.detach().double().cpu().sum()) for output in outputs))
        done += 1
    return done


def _moved(value: Any, device: str) -> Any:
    if isinstance(value, list):
        return [_moved(one, device) for one in value]
    return value.to(device) if isinstance(value, Tensor) else value


if __name__ == "__main__":
    print(main(sys.argv[1] if len(sys.argv) > 1 else "cuda"), "cases")
