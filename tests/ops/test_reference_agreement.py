"""Every native op against its reference implementation, on every SIMD level and on a GPU."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from cases import ALL, Case
from kernelgan_fast.ops import native, reference

TOLERANCE = {torch.float32: 2e-4, torch.float64: 1e-10}


def run(ops: Any, op: str, arguments: dict[str, Any], names: tuple[str, ...]) -> list[Tensor]:
    """Outputs, then the gradients of a fixed random combination of the differentiable outputs."""
    arguments = dict(arguments)
    for name in names:
        arguments[name] = arguments[name].detach().clone().requires_grad_()
    result = getattr(ops, op)(**arguments)
    outputs = list(result) if isinstance(result, tuple) else [result]
    if not names:
        return outputs
    random = torch.Generator().manual_seed(1)
    total = sum(
        (output * torch.randn(output.shape, generator=random, dtype=torch.float64).to(output)).sum()
        for output in outputs
        if output.requires_grad
    )
    grads = torch.autograd.grad(total, [arguments[name] for name in names])
    return [output.detach() for output in outputs] + list(grads)


def assert_close(got: Tensor, wanted: Tensor, dtype: torch.dtype, where: str) -> None:
    assert got.shape == wanted.shape, (
        f"{where}: shape {tuple(got.shape)}, not {tuple(wanted.shape)}"
    )
    assert torch.isfinite(got).all(), f"{where}: not finite"
    if got.numel() == 0:
        return
    error = (got.double() - wanted.double()).abs().max().item()
    size = wanted.double().abs().max().item()
    assert error <= TOLERANCE[dtype] * max(size, 1e-3), f"{where}: off by {error} of {size}"


def moved(arguments: dict[str, Any], device: torch.device) -> dict[str, Any]:
    """The arguments with their tensors on a device, strided as they were."""

    def move(value: Any) -> Any:
        if isinstance(value, list):
            return [move(one) for one in value]
        if not isinstance(value, Tensor) or value.device.type == device.type:
            return value
        there = torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device=device)
        return there.copy_(value)

    return {name: move(value) for name, value in arguments.items()}


def compare(op: str, case: Case, dtype: torch.dtype, device: torch.device) -> None:
    arguments = case.make(torch.Generator().manual_seed(0), dtype)
    # The reference always computes in float64, so what is measured is the native op's error alone.
    exact = {
        name: value.double() if isinstance(value, Tensor) and value.dtype == dtype else value
        for name, value in arguments.items()
    }
    wanted = run(reference, op, exact, case.differentiable)
    got = run(native, op, moved(arguments, device), case.differentiable)
    assert len(got) == len(wanted)
    for index, (mine, theirs) in enumerate(zip(got, wanted, strict=True)):
        assert mine.device.type == device.type
        assert_close(mine.cpu(), theirs, dtype, f"{op}[{case.id}] result {index}")


@pytest.mark.parametrize(("op", "case"), ALL, ids=[f"{op}-{case.id}" for op, case in ALL])
def test_float32_matches_the_reference(op: str, case: Case, device: torch.device) -> None:
    compare(op, case, torch.float32, device)


@pytest.mark.parametrize(("op", "case"), ALL, ids=[f"{op}-{case.id}" for op, case in ALL])
def test_float64_matches_the_reference(op: str, case: Case, device: torch.device) -> None:
    assert native.supports(torch.float64), "tests need a build with KGF_FLOAT64=ON"
    if not case.differentiable:
        pytest.skip("draws exist in float32 alone")
    compare(op, case, torch.float64, device)


@pytest.mark.parametrize(("op", "case"), ALL, ids=[f"{op}-{case.id}" for op, case in ALL])
def test_thread_count_changes_no_bit(op: str, case: Case) -> None:
    arguments = case.make(torch.Generator().manual_seed(0), torch.float32)
    alone = run(native, op, arguments, case.differentiable)
    with native.threads(3):
        together = run(native, op, arguments, case.differentiable)
    assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))


@pytest.mark.parametrize(("op", "case"), ALL, ids=[f"{op}-{case.id}" for op, case in ALL])
def test_arguments_are_left_alone(op: str, case: Case) -> None:
    arguments = case.make(torch.Generator().manual_seed(0), torch.float32)
    before = case.make(torch.Generator().manual_seed(0), torch.float32)
    run(native, op, arguments, ())
    for name, value in arguments.items():
        if isinstance(value, Tensor):
            assert torch.equal(value, before[name]), name
