"""zssr on a GPU: trained by a graph as by its kernels queued one by one, and beside the CPU."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest
import torch
from degraded import degraded
from torch import Tensor

from kernelgan_fast.estimation.devices import missing_for_cuda
from kernelgan_fast.sr import zssr
from kernelgan_fast.sr.upscaler import Options

_MISSING = missing_for_cuda()
pytestmark = pytest.mark.skipif(_MISSING is not None, reason=f"needs a GPU: {_MISSING}")

Step = Callable[[], None]


@pytest.fixture(autouse=True)
def the_same_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """cuDNN may otherwise sum in any order, and in TF32."""
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


@contextlib.contextmanager
def queued(device: torch.device) -> Iterator[Callable[[Step], Step]]:
    """Every step as Python queues it, without a graph."""
    yield lambda step: step


def enlarged(options: Options, device: str) -> Tensor:
    given = degraded(2)
    low = given.low.to(device)
    return zssr.ZeroShot(given.kernel, options, low)(low).cpu()


@pytest.mark.parametrize("noise", [None, 8.0])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_graph_gives_what_its_kernels_give(
    noise: float | None, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = Options(iterations=30, noise=noise, precision=precision)
    steps: list[None] = []
    step = zssr.Training._step

    def counted(training: zssr.Training) -> None:
        steps.append(None)
        step(training)

    monkeypatch.setattr(zssr.Training, "_step", counted)
    replayed = enlarged(options, "cuda")
    assert len(steps) == zssr._QUEUED + 1  # the last one was captured
    monkeypatch.setattr(zssr, "capturing", queued)
    torch.testing.assert_close(replayed, enlarged(options, "cuda"), rtol=0, atol=1e-4)
    assert len(steps) == zssr._QUEUED + 1 + 30


def test_a_stopped_training_leaves_the_gpu_usable() -> None:
    class Enough(Exception):
        pass

    def stop(part: float) -> None:
        if part > 0.5:
            raise Enough

    with pytest.raises(Enough):
        enlarged(Options(iterations=12, progress=stop), "cuda")
    assert enlarged(Options(iterations=2), "cuda").isfinite().all()


def test_a_gpu_beside_the_cpu() -> None:
    options = Options(iterations=30)
    on_gpu, on_cpu = (enlarged(options, device) for device in ("cuda", "cpu"))
    assert (on_gpu - on_cpu).abs().mean() < 0.5 / 255
