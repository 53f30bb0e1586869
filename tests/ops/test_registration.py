"""What torch asks of a registered op, and what the ops refuse."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
from patience import PATIENCE
from torch import Tensor

from cases import CASES
from kernelgan_fast import _native
from kernelgan_fast.errors import InputError
from kernelgan_fast.ops import native

SMALL = {op: cases[2 if len(cases) > 2 else 1] for op, cases in CASES.items()}


def arguments_of(op: str) -> dict[str, Any]:
    return SMALL[op].make(torch.Generator().manual_seed(0), torch.float32)


@pytest.mark.parametrize("op", CASES)
def test_opcheck(op: str) -> None:
    arguments = arguments_of(op)
    for name in SMALL[op].differentiable:
        arguments[name] = arguments[name].detach().clone().requires_grad_()
    torch.library.opcheck(
        getattr(torch.ops.kernelgan_fast, op).default,
        tuple(arguments.values()),
        test_utils=("test_schema", "test_faketensor", "test_aot_dispatch_dynamic"),
    )


@pytest.mark.parametrize(
    ("op", "argument", "change", "words"),
    [
        ("extract_kernel", "weights", lambda t: t[:, 1:], "weights must be float32 (5, "),
        ("extract_kernel", "weights", lambda t: t.half(), "weights must be uint8, int64, float32"),
        ("extract_kernel", "features", lambda _: 0, "features must be in 1..4096, got 0"),
        ("extract_kernel", "sizes", lambda _: (99,), "sizes must be in 1..31, got 99"),
        ("extract_kernel", "sizes", lambda _: (), "sizes must name 1..16 layers, got 0"),
        ("kernel_regularizers", "mask", lambda t: t[:2], "mask must be float32 (7, 7)"),
        ("kernel_regularizers", "kernel", lambda t: t[0], "kernel must be (N, K, K)"),
        ("kernel_regularizers", "sparse_power", lambda _: 0.0, "sparse_power must be in (0, 2]"),
        ("downscale_crops", "kernel", lambda t: t[:2], "kernel must be float32 (5, 7, 7)"),
        ("downscale_crops", "crops", lambda t: t[..., 1:], "crops must be (N, C, S, S)"),
        ("downscale_crops", "kernel", lambda _: torch.zeros(5, 32, 32), "must not be larger than"),
        ("discriminate", "u", lambda t: t[:, 1:], "u must be float32 (1, 385)"),
        ("discriminate", "size", lambda _: 27, "size must be in 1..S = 26, got 27"),
        ("discriminate", "blocks", lambda _: 0, "blocks must be in 1..64, got 0"),
        ("downscale", "kernel", lambda _: torch.zeros(1, 4, 4), "(1 or N, K, K) with odd K"),
        ("downscale", "kernel", lambda _: torch.zeros(3, 5, 5), "one kernel or one an image"),
        ("downscale", "scale", lambda _: 0, "scale must be in 1..64, got 0"),
        ("sample_crops", "cdfs", lambda c: [c[0][1:], *c[1:]], "cdfs must be float64 (4, 11)"),
        ("sample_crops", "cdfs", lambda c: c[:1], "cdfs must be as many as images, got 1 and 3"),
        ("sample_crops", "noise", lambda _: -1.0, "noise must be >= 0 and finite, got -1"),
        ("sample_crops", "stream", lambda _: -1, "stream must be >= 0, got -1"),
        ("sample_crops", "first", lambda _: -1, "steps must lie in 0..2^32"),
        ("sample_crops", "size", lambda _: 18, "images must be at least size = 18 a side"),
        ("gaussian_noise", "seeds", lambda t: t.int(), "seeds must be uint8, int64"),
        ("gaussian_noise", "first", lambda _: 2**32, "steps must lie in 0..2^32"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_named(op: str, argument: str, change: Any, words: str) -> None:
    arguments = arguments_of(op)
    arguments[argument] = change(arguments[argument])
    with pytest.raises(InputError) as caught:
        getattr(native, op)(**arguments)
    assert words in str(caught.value)


def test_threads_and_levels_are_restored() -> None:
    before = native.info()
    with pytest.raises(RuntimeError, match="inside"), native.threads(3), native.simd("baseline"):
        assert native.info()["threads"] == 3
        assert native.info()["simd"] == "baseline"
        raise RuntimeError("inside")
    assert native.info() == before


def test_unknown_level_is_refused() -> None:
    with pytest.raises(InputError, match=r"SIMD level must be .*baseline.*, got 'mmx'"):
        native.simd("mmx").__enter__()


def test_a_forked_child_has_threads_of_its_own() -> None:
    code = (
        "import os, torch; torch.set_num_threads(1)\n"
        "from kernelgan_fast.ops import native\n"
        "draw = lambda: native.gaussian_noise(torch.arange(4), 0, 0, 4, (100,))\n"
        "with native.threads(2):\n"
        "    wanted = draw(); child = os.fork()\n"
        "    if child == 0: os._exit(0 if torch.equal(draw(), wanted) else 1)\n"
        "    raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=PATIENCE).returncode == 0


def test_strided_tensors_cost_a_copy_not_an_error() -> None:
    crops: Tensor = torch.randn(2, 3, 20, 40)[..., ::2]
    kernel = torch.randn(2, 5, 5).transpose(1, 2)
    out = native.downscale_crops(crops, kernel)
    assert torch.equal(out, native.downscale_crops(crops.contiguous(), kernel.contiguous()))


class AttributesOnly:
    """A tensor of a torch that is too old for DLPack's exchange table."""

    def __init__(self, tensor: Tensor) -> None:
        self._tensor = tensor

    def __getattr__(self, name: str) -> Any:
        if name in ("data_ptr", "shape", "dtype", "is_contiguous", "device"):
            return getattr(self._tensor, name)
        raise AttributeError(name)


def test_tensors_of_an_older_torch_are_read_by_their_attributes() -> None:
    crops, kernel = torch.randn(2, 3, 9, 9), torch.randn(2, 3, 3)
    out = torch.empty(2, 3, 4, 4)
    _native.downscale_crops_forward(*map(AttributesOnly, (crops, kernel, out)))
    assert torch.equal(out, native.downscale_crops(crops, kernel))
    strided = AttributesOnly(torch.randn(2, 3, 3).transpose(1, 2))
    with pytest.raises(InputError, match="kernel must be contiguous"):
        _native.downscale_crops_forward(crops, strided, out)
