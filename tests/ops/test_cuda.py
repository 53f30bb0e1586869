"""The ops on a GPU: same draws, same bits whatever the batch, graphs, streams, refusals."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from cases import ALL, CASES, Case
from kernelgan_fast import _native
from kernelgan_fast.errors import DeviceUnavailable, InputError
from kernelgan_fast.ops import native
from kernelgan_fast.ops.library.settings import runs_on

# Forward and backward together.
NATIVE_CALLS = {
    "extract_kernel": 2,
    "kernel_regularizers": 1,
    "downscale_crops": 2,
    "discriminate": 2,
    "downscale": 3,
    "sample_crops": 1,
    "gaussian_noise": 1,
}
# torch warns of a graph without kernels.
SOMETHING_TO_DO = [(op, case) for op, case in ALL if not case.id.startswith("n0-")]
PROBLEM_OPS = ("extract_kernel", "kernel_regularizers", "downscale_crops", "discriminate")


class FakeCudaTensor:
    """A tensor of a GPU as far as the bindings look; nobody may read its memory."""

    dtype = torch.float32
    device = torch.device("cuda", 0)

    def __init__(self, *shape: int) -> None:
        self.shape = shape

    def data_ptr(self) -> int:
        return 4096

    def is_contiguous(self) -> bool:
        return True


def on(gpu: torch.device, arguments: dict[str, Any]) -> dict[str, Any]:
    def move(value: Any) -> Any:
        if isinstance(value, list):
            return [move(one) for one in value]
        return value.to(gpu) if isinstance(value, Tensor) else value

    return {name: move(value) for name, value in arguments.items()}


def arguments_of(case: Case, gpu: torch.device) -> dict[str, Any]:
    arguments = on(gpu, case.make(torch.Generator().manual_seed(0), torch.float32))
    for name in case.differentiable:
        arguments[name] = arguments[name].detach().requires_grad_()
    return arguments


def results(op: str, case: Case, arguments: dict[str, Any]) -> list[Tensor]:
    """Outputs and gradients of their sum."""
    found = getattr(native, op)(**arguments)
    outputs: list[Tensor] = list(found) if isinstance(found, tuple) else [found]
    names = case.differentiable
    total = [output.square().sum() for output in outputs if output.requires_grad]
    grads = torch.autograd.grad(sum(total), [arguments[name] for name in names]) if names else ()
    return [output.detach() for output in outputs] + list(grads)


class Pretender(Tensor):
    """A tensor of the CPU that says it is on a GPU: the Python side makes a GPU's call of it."""

    is_cuda = True


@pytest.mark.parametrize("op", CASES)
def test_a_call_on_a_gpu_has_its_workspace_and_stream(
    op: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = CASES[op][2]
    arguments = arguments_of(case, torch.device("cpu"))
    wanted = results(op, case, arguments)
    asked = []

    def current_stream(device: torch.device) -> SimpleNamespace:
        asked.append(device)
        return SimpleNamespace(cuda_stream=0)

    def pretend(value: Any) -> Any:
        if isinstance(value, list):
            return [pretend(one) for one in value]
        return value.as_subclass(Pretender) if isinstance(value, Tensor) else value

    monkeypatch.setattr(torch.cuda, "current_stream", current_stream)
    got = results(op, case, {name: pretend(value) for name, value in arguments.items()})
    assert len(asked) == NATIVE_CALLS[op]
    assert all(torch.equal(a, b) for a, b in zip(got, wanted, strict=True))


def test_without_a_gpu_cuda_tensors_are_refused_in_words() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    crops, kernel, out = (
        FakeCudaTensor(*shape) for shape in ((1, 3, 9, 9), (1, 3, 3), (1, 3, 4, 4))
    )
    words = "failed on the GPU" if native.info()["cuda"] else "has no CUDA kernels; build it with"
    with pytest.raises(DeviceUnavailable, match=words):
        _native.downscale_crops_forward(crops, kernel, out)


def test_tensors_of_two_devices_are_refused_by_name() -> None:
    crops, out = torch.zeros(1, 3, 9, 9), torch.zeros(1, 3, 4, 4)
    with pytest.raises(InputError, match="kernel must be in host memory like crops, got one on"):
        _native.downscale_crops_forward(crops, FakeCudaTensor(1, 3, 3), out)
    seeds, corners = torch.zeros(1, dtype=torch.int64), torch.zeros(1, 1, 2, dtype=torch.int64)
    cdf = torch.ones(1, 1, dtype=torch.float64)
    with pytest.raises(InputError, match="images must be in host memory like the other arrays"):
        _native.sample_crops(
            [FakeCudaTensor(3, 9, 9)], [cdf], seeds, 0, 0, 0.0, torch.zeros(1, 1, 3, 9, 9), corners
        )


@pytest.mark.parametrize(
    ("capability", "architectures", "wanted"),
    [
        ((9, 0), ["80-real", "90-real"], True),
        ((8, 6), ["80-real"], True),
        ((8, 0), ["86-real"], False),
        ((10, 0), ["90-real"], False),
        ((10, 3), ["90-virtual"], True),
        ((12, 0), ["90"], True),
        ((9, 0), ["90a-real"], True),
        ((7, 5), ["80-real", "120-virtual"], False),
        ((9, 0), [], False),
    ],
)
def test_which_gpus_a_build_runs_on(
    capability: tuple[int, int], architectures: Sequence[str], wanted: bool
) -> None:
    assert runs_on(capability, architectures) is wanted


def test_matmul_precision_is_restored() -> None:
    before = _native.cuda_matmul()
    with pytest.raises(RuntimeError, match="inside"), native.cuda_matmul("tf32"):
        assert _native.cuda_matmul() == "tf32"
        raise RuntimeError("inside")
    assert _native.cuda_matmul() == before == "float32"
    with pytest.raises(InputError):
        native.cuda_matmul("float8").__enter__()


@pytest.mark.parametrize("case", CASES["sample_crops"], ids=lambda case: case.id)
def test_a_gpu_draws_the_corners_of_the_cpu(case: Case, gpu: torch.device) -> None:
    arguments = case.make(torch.Generator().manual_seed(0), torch.float32)
    crops, corners = native.sample_crops(**arguments)
    my_crops, my_corners = native.sample_crops(**on(gpu, arguments))
    assert torch.equal(my_corners.cpu(), corners)
    assert torch.allclose(my_crops.cpu(), crops, atol=1e-6)


def test_more_photos_than_a_launch_takes(gpu: torch.device) -> None:
    count = 150
    images = [torch.full((3, 8 + index % 5, 9), index, dtype=torch.uint8) for index in range(count)]
    cdfs = [torch.ones((image.shape[1] - 8) // 2 + 1, 1, dtype=torch.float64) for image in images]
    arguments = on(gpu, {"images": images, "cdfs": cdfs, "seeds": torch.arange(count)})
    crops, _ = native.sample_crops(**arguments, stream=0, first=0, steps=2, size=8, noise=0.0)
    wanted = torch.arange(count) / 127.5 - 1
    assert torch.allclose(crops.cpu().mean(dim=(0, 2, 3, 4)), wanted, atol=1e-5)


@pytest.mark.parametrize("op", PROBLEM_OPS)
def test_a_problem_gets_the_same_bits_in_any_batch(op: str, gpu: torch.device) -> None:
    case = CASES[op][2]
    arguments = arguments_of(case, gpu)
    count = len(arguments[case.differentiable[0]])
    together = results(op, case, arguments)
    for index in range(count):
        alone = {
            name: value[index : index + 1].detach().requires_grad_(value.requires_grad)
            if isinstance(value, Tensor) and name != "mask"
            else value
            for name, value in arguments.items()
        }
        for mine, theirs in zip(results(op, case, alone), together, strict=True):
            assert torch.equal(mine[0], theirs[index])


@pytest.mark.parametrize(
    ("op", "case"), SOMETHING_TO_DO, ids=[f"{op}-{case.id}" for op, case in SOMETHING_TO_DO]
)
def test_a_graph_replays_what_was_captured(op: str, case: Case, gpu: torch.device) -> None:
    arguments = arguments_of(case, gpu)
    wanted = results(op, case, arguments)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = results(op, case, arguments)
    for tensor in captured:
        tensor.zero_()
    graph.replay()
    torch.cuda.synchronize()
    assert all(torch.equal(a, b) for a, b in zip(captured, wanted, strict=True))


@pytest.mark.parametrize("op", CASES)
def test_work_is_queued_on_the_current_stream(op: str, gpu: torch.device) -> None:
    case = next(case for case in CASES[op] if case.published)
    arguments = arguments_of(case, gpu)
    wanted = results(op, case, arguments)
    stream = torch.cuda.Stream()
    late = {
        name: torch.full_like(value, torch.nan).requires_grad_(value.requires_grad)
        if isinstance(value, Tensor) and value.is_floating_point()
        else value
        for name, value in arguments.items()
    }
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        # What the op reads is written, on this stream, after a while.
        torch.cuda._sleep(20_000_000)
        with torch.no_grad():
            for name, value in late.items():
                if isinstance(value, Tensor) and value.is_floating_point():
                    value.copy_(arguments[name])
        got = results(op, case, late)
    stream.synchronize()
    assert all(torch.equal(a, b) for a, b in zip(got, wanted, strict=True))
