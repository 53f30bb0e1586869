"""Tensors and sizes that the ops cannot work on: an InputError that names them, never a crash."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from patience import PATIENCE
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from cases import CASES
from kernelgan_fast import _native
from kernelgan_fast.errors import InputError
from kernelgan_fast.ops import native

SMALL = {op: cases[2 if len(cases) > 2 else 1] for op, cases in CASES.items()}
LARGEST = 2**63 - 1


def fake(tensor: Tensor) -> Tensor:
    """The tensor as tracers see it, outside of their mode."""
    mode = FakeTensorMode()
    traced: Tensor = mode.from_tensor(tensor)
    return traced


def emptied(tensor: Tensor) -> Tensor:
    """A tensor whose storage was given back."""
    tensor = tensor.clone()
    tensor.untyped_storage().resize_(0)
    return tensor


def nested(tensor: Tensor) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.nested.nested_tensor([tensor.flatten()[:1], tensor.flatten()[:2]])


def quantized(tensor: Tensor) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.quantize_per_tensor(tensor, 1.0, 0, torch.quint8)


WITHOUT_MEMORY: list[Callable[[Tensor], Any]] = [
    lambda tensor: tensor.to("meta"),
    fake,
    emptied,
    Tensor.to_sparse,
    Tensor.to_mkldnn,
    nested,
    quantized,
    Tensor.numpy,
    lambda _: None,
]
KINDS = ["meta", "fake", "emptied", "sparse", "mkldnn", "nested", "quantized", "array", "none"]


@pytest.mark.parametrize("change", WITHOUT_MEMORY, ids=KINDS)
@pytest.mark.parametrize("place", [0, 1, 3], ids=["images", "kernel", "out"])
def test_the_extension_refuses_what_has_no_memory(place: int, change: Any) -> None:
    arguments: list[Any] = [torch.zeros(1, 3, 6, 8), torch.zeros(1, 3, 3), 2]
    arguments.append(torch.zeros(1, 3, 3, 4))
    arguments[place] = change(arguments[place])
    with pytest.raises(InputError, match=f"^{('images', 'kernel', '', 'out')[place]} must "):
        _native.downscale_forward(*arguments)


# What is no tensor is refused by torch, as a TypeError or an AttributeError.
@pytest.mark.parametrize("change", WITHOUT_MEMORY[:7], ids=KINDS[:7])
@pytest.mark.parametrize("op", CASES)
def test_the_ops_refuse_what_has_no_memory(op: str, change: Any) -> None:
    arguments = SMALL[op].make(torch.Generator().manual_seed(0), torch.float32)
    for name, value in arguments.items():
        if not (isinstance(value, Tensor) and value.dtype == torch.float32):
            continue
        with pytest.raises(InputError, match=r"must .*got"):
            getattr(native, op)(**{**arguments, name: change(value.detach())})


def test_an_empty_tensor_needs_no_memory() -> None:
    kernel = torch.ones(1, 3, 3)
    assert native.downscale(torch.zeros(0, 3, 6, 8), kernel, 2).shape == (0, 3, 3, 4)
    out = torch.zeros(0, 3, 3, 4)
    _native.downscale_forward(emptied(torch.zeros(0, 3, 6, 8)), kernel, 2, out)


@pytest.mark.parametrize(("first", "steps"), [(LARGEST, 1), (LARGEST - 3, 4), (2**32, 1), (-1, 2)])
def test_steps_near_the_largest_integer_are_refused(first: int, steps: int) -> None:
    seeds = torch.zeros(1, dtype=torch.int64)
    words = rf"steps must lie in 0\.\.2\^32, got {steps} from {first} on"
    with pytest.raises(InputError, match=words):
        _native.gaussian_noise(seeds, 0, first, torch.zeros(steps, 1, 5))
    crops, corners = torch.zeros(steps, 1, 3, 8, 8), torch.zeros(steps, 1, 2, dtype=torch.int64)
    photo, cdf = torch.zeros(3, 9, 9), torch.ones(1, 1, dtype=torch.float64)
    with pytest.raises(InputError, match=words):
        _native.sample_crops([photo], [cdf], seeds, 0, first, 0.0, crops, corners)
    with pytest.raises(InputError, match=words):
        native.gaussian_noise(seeds, 0, first, steps, (5,))
    with pytest.raises(InputError, match=words):
        native.sample_crops([photo], [cdf], seeds, 0, first, steps, 8, 0.0)


def test_the_last_step_is_drawn() -> None:
    seeds = torch.arange(2)
    last = native.gaussian_noise(seeds, 0, 2**32 - 1, 1, (5,))
    assert torch.equal(last, native.gaussian_noise(seeds, 0, 2**32 - 3, 3, (5,))[2:])


@pytest.mark.parametrize(
    ("op", "change", "words"),
    [
        ("gaussian_noise", {"steps": -1}, "steps must lie in"),
        ("gaussian_noise", {"shape": (-4,)}, "sizes must be >= 0"),
        ("gaussian_noise", {"steps": LARGEST}, "steps must lie in"),
        ("gaussian_noise", {"seeds": torch.zeros((), dtype=torch.int64)}, "seeds must be (N)"),
        ("sample_crops", {"size": -8}, "sizes must be >= 0"),
        ("sample_crops", {"noise": float("nan")}, "noise must be >= 0 and finite, got nan"),
        ("sample_crops", {"noise": float("inf")}, "noise must be >= 0 and finite, got inf"),
        ("sample_crops", {"noise": 1e300}, "noise must be >= 0 and finite"),
        ("extract_kernel", {"sizes": (-5,)}, "sizes must be in 1..31, got -5"),
        ("extract_kernel", {"sizes": (31, 31, 31), "features": 4096}, "fewer than 2^31 values"),
        ("kernel_regularizers", {"sparse_power": float("nan")}, "sparse_power must be in"),
        ("kernel_regularizers", {"kernel": torch.zeros(3)}, "kernel must be (N, K, K)"),
        ("downscale", {"images": torch.zeros(3, 6, 8)}, "images must be (N, C, H, W)"),
        ("downscale", {"kernel": torch.zeros(())}, "kernel must be (1 or N, K, K)"),
        ("downscale", {"scale": -(2**31)}, "scale must be in 1..64"),
        (
            "downscale",
            {"images": torch.zeros(0, 3, 2**30, 2**30), "kernel": torch.zeros(1, 5, 5)},
            "sides in 1..2^24",
        ),
        ("downscale_crops", {"crops": torch.zeros(3, 9, 9)}, "crops must be (N, C, S, S)"),
        ("downscale_crops", {"kernel": torch.zeros(())}, "kernel must be (N, K, K)"),
        (
            "downscale_crops",
            {"crops": torch.zeros(0, 3, 2**30, 2**30), "kernel": torch.zeros(0, 5, 5)},
            "a crop must have fewer than 2^31 values",
        ),
        ("discriminate", {"crops": torch.zeros(3, 26, 26)}, "crops must be (N, B, C, S, S)"),
        ("discriminate", {"size": -(2**31)}, "size must be in 1..S"),
        ("discriminate", {"blocks": 2**31 - 1}, "blocks must be in 1..64"),
        ("discriminate", {"crops": torch.zeros(0, 1, 2**20, 64, 64)}, "crops must be small"),
    ],
)  # fmt: skip
def test_sizes_beyond_reason_are_refused(op: str, change: dict[str, Any], words: str) -> None:
    arguments = SMALL[op].make(torch.Generator().manual_seed(0), torch.float32)
    with pytest.raises(InputError) as caught:
        getattr(native, op)(**{**arguments, **change})
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ((1 << 30, 1 << 30, 64, 7, 5, 2), "crops must be small"),
        ((3, 1 << 14, 64, 7, 5, 2), "crops must be small"),
        ((3, 32, 4096, 32, 64, 2**31 - 1), "crops must be small"),
        ((-3, 32, 64, 7, 5, 2), "at least one pass and channel"),
        ((3, 32, 64, 7, 5, 0), "at least one pass and channel"),
    ],
)
def test_lengths_that_an_int_cannot_hold_are_refused(sizes: tuple[int, ...], words: str) -> None:
    with pytest.raises(InputError, match=words):
        _native.discriminate_saved(*sizes)
    with pytest.raises(InputError, match=words):
        _native.discriminate_workspace(*sizes, True, True, False, 0)


@pytest.mark.parametrize(
    "sizes", [(2**62, 4, 9), (1, 1, LARGEST), (-1, 3, 9), (LARGEST, LARGEST, 1)]
)
def test_bands_of_impossible_images_are_refused(sizes: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="with H below 2"):
        _native.downscale_bands(*sizes, 2, 1)


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's limit on address space")
def test_an_op_ends_where_threads_cannot_be_started() -> None:
    code = (
        "import resource, torch\n"
        "from kernelgan_fast.ops import native\n"
        "torch.set_num_threads(1)\n"
        "photo, kernel = torch.rand(1, 3, 400, 400), torch.rand(1, 5, 5)\n"
        "wanted = native.downscale(photo, kernel, 2)\n"
        "now = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (now + (1 << 29), resource.RLIM_INFINITY))\n"
        "with native.threads(1024):\n"
        "    assert torch.equal(native.downscale(photo, kernel, 2), wanted)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], timeout=PATIENCE, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
