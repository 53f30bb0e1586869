"""Where to train: names, refusals in words, and "auto" by measured seconds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from quick import QUICK

from kernelgan_fast.errors import ConfigError, DeviceUnavailable
from kernelgan_fast.estimation import devices
from kernelgan_fast.estimation.devices import check_devices, choose, missing_for_cuda
from kernelgan_fast.estimation.options import EstimateOptions, estimate_options
from kernelgan_fast.gan import timing, trainer
from kernelgan_fast.gan.timing import Pace
from kernelgan_fast.ops import native


def machine(
    monkeypatch: pytest.MonkeyPatch,
    gpus: int,
    *,
    torch_cuda: str | None = "13.0",
    ours: bool = True,
) -> None:
    """Let there be so many GPUs, and CUDA in torch and in the extension."""
    monkeypatch.setattr(torch.version, "cuda", torch_cuda)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda name: (9, 0))
    build = (
        {"cuda": "13.0", "cuda_architectures": ["80-real", "90-real"]} if ours else {"cuda": None}
    )
    monkeypatch.setattr(native, "info", lambda: build)


def test_names(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, 3)
    assert check_devices("auto") == ("auto",)
    assert check_devices("cpu") == ("cpu",)
    assert check_devices("cuda") == ("cuda:0",)
    assert check_devices("cuda:02") == ("cuda:2",)
    assert check_devices("auto", "cuda:0, cuda:2") == ("cuda:0", "cuda:2")
    assert check_devices("auto", ["cuda:1"]) == ("cuda:1",)
    assert check_devices("auto", "all") == ("cuda:0", "cuda:1", "cuda:2")


@pytest.mark.parametrize(
    ("device", "several", "words"),
    [
        ("gpu", None, "auto, cpu or cuda, got 'gpu'"),
        ("cuda:x", None, "got 'cuda:x'"),
        ("", None, "got ''"),
        ("cpu", "cuda:0", "got both"),
        ("auto", "cuda:0,cpu", "must be GPUs, got 'cpu'"),
        ("auto", "cuda:0,cuda", "different GPUs"),
        ("auto", [], "one or more"),
    ],
)
def test_what_is_no_device(
    device: str, several: Any, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(monkeypatch, 2)
    with pytest.raises(ConfigError, match=words):
        check_devices(device, several)


@pytest.mark.parametrize(
    ("there", "words"),
    [
        ({"gpus": 1, "torch_cuda": None}, "built without CUDA"),
        ({"gpus": 0}, "torch sees no GPU"),
        ({"gpus": 1, "ours": False}, "extension has no CUDA kernels"),
    ],
)
@pytest.mark.parametrize("asked", [("cuda:1", None), ("auto", "all")])
def test_a_gpu_that_cannot_be_used_is_refused_and_never_replaced(
    asked: tuple[str, str | None],
    there: dict[str, Any],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine(monkeypatch, **there)
    assert words in str(missing_for_cuda())
    with pytest.raises(DeviceUnavailable, match=rf"{words}.*--device cpu"):
        check_devices(*asked)


def test_a_gpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    for gpus, there in ((1, "cuda:0$"), (4, "cuda:0 to cuda:3")):
        machine(monkeypatch, gpus)
        with pytest.raises(DeviceUnavailable, match=f"got 'cuda:7': this machine has {there}"):
            check_devices("cuda:7")


def test_a_gpu_that_the_extension_was_not_built_for(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, 1)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda name: (7, 5))
    with pytest.raises(DeviceUnavailable, match=r"architecture 75.*80-real, 90-real.*--device cpu"):
        check_devices("cuda")
    watch = Stopwatch(cpu=Pace(0.0, 0.004))
    choice = choose(settings(), 1, 256, measure=watch)
    assert choice.devices == ("cpu",) and "CMAKE_CUDA_ARCHITECTURES=75" in choice.why
    assert watch.asked == [("cpu", 1)]


def test_what_auto_means(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, 1)
    assert "measured" in devices.what_auto_means()
    machine(monkeypatch, 0)
    assert devices.what_auto_means() == "cpu"


class Stopwatch:
    """Gives made-up paces, and notes what was timed."""

    def __init__(self, **paces: Pace | Exception) -> None:
        self.paces = paces
        self.asked: list[tuple[str, int]] = []

    def __call__(self, device: str, count: int) -> Pace:
        self.asked.append((device, count))
        found = self.paces[device.split(":")[0]]
        if isinstance(found, Exception):
            raise found
        return found


def settings(**options: Any) -> EstimateOptions:
    return estimate_options(profile=QUICK, iterations=1000, threads=4, **options)


def test_auto_takes_what_is_done_first(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, 1)
    watch = Stopwatch(cpu=Pace(0.0, 0.004), cuda=Pace(0.5, 0.002))
    # 10 problems: three rounds of four on the CPU, two of eight on the GPU.
    choice = choose(settings(), 10, 8, measure=watch)
    assert watch.asked == [("cpu", 4), ("cuda:0", 8)]
    assert choice.devices == ("cuda:0",) and choice.asked == "auto"
    assert choice.seconds == pytest.approx({"cpu": 12.0, "cuda:0": 5.0})
    assert replace(choice, notes=("a note",)).facts() == {
        "asked": "auto",
        "why": "measured to be faster",
        "seconds": {"cpu": 12.0, "cuda:0": 5.0},
        "notes": ["a note"],
    }


def test_auto_takes_the_cpu_where_it_is_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, 1)
    watch = Stopwatch(cpu=Pace(0.0, 0.004), cuda=Pace(0.5, 0.004))
    choice = choose(settings(), 1, 256, measure=watch)
    assert watch.asked == [("cpu", 1), ("cuda:0", 1)]
    assert choice.devices == ("cpu",) and len(choice.seconds) == 2


def test_auto_starts_no_gpu_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, 1)
    watch = Stopwatch(cpu=Pace(0.0, 0.0005))
    choice = choose(settings(), 1, 256, measure=watch)
    assert choice.devices == ("cpu",) and "started" in choice.why
    assert watch.asked == [("cpu", 1)]


@pytest.mark.parametrize(
    "error", [RuntimeError("CUDA error: busy\nmore"), DeviceUnavailable("busy")]
)
def test_auto_says_that_a_gpu_could_not_be_timed(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(monkeypatch, 1)
    watch = Stopwatch(cpu=Pace(0.0, 0.004), cuda=error)
    choice = choose(settings(), 1, 256, measure=watch)
    assert choice.devices == ("cpu",)
    assert choice.why.startswith("timing cuda:0 failed: ") and choice.why.endswith("busy")


def test_auto_without_cuda_measures_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, 0)
    choice = choose(settings(), 9, 9, measure=Stopwatch())
    assert (choice.devices, choice.seconds) == (("cpu",), {})
    assert "torch sees no GPU" in choice.why


def test_a_named_device_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, 2)
    choice = choose(settings(devices="all"), 9, 9, measure=Stopwatch())
    assert choice.devices == ("cuda:0", "cuda:1")
    assert (choice.asked, choice.why) == ("cuda:0,cuda:1", "asked for")


def test_a_pace_is_measured_once_and_does_not_depend_on_iterations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[int] = []

    def measure(config: Any, count: int, device: str, threads: int) -> Pace:
        calls.append(count)
        return Pace(0.0, 0.01)

    machine(monkeypatch, 1)
    monkeypatch.setattr(timing, "measure", measure)
    devices._pace.cache_clear()
    for iterations in (1000, 2000):
        asked = estimate_options(profile=QUICK, iterations=iterations, threads=2)
        seconds = choose(asked, 1, 256).seconds
        assert seconds["cpu"] == pytest.approx(iterations * 0.01)
    devices._pace.cache_clear()
    assert calls == [1, 1]  # of the CPU and of the GPU


def test_the_pace_is_the_line_through_two_trainings(monkeypatch: pytest.MonkeyPatch) -> None:
    now, trained = [0.0], []

    def train_each(problems: Any, config: Any, **options: Any) -> None:
        trained.append((len(problems), config.iterations, options["device"]))
        now[0] += 0.3 + 0.01 * config.iterations

    monkeypatch.setattr(timing, "train_each", train_each)
    found = timing.measure(QUICK, 3, "cuda:0", 2, clock=lambda: now[0])
    assert trained == [(3, 30, "cuda:0"), (3, 30, "cuda:0"), (3, 130, "cuda:0")]
    assert found == pytest.approx(Pace(0.3, 0.01))
    assert found.of(1000) == pytest.approx(10.3)


def test_the_pace_counts_what_a_start_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    starts = []
    monkeypatch.setattr(
        timing, "train_each", lambda problems, *_, **__: starts.append(problems[-1].start)
    )
    timing.measure(QUICK, 2, "cpu", 1)
    timing.measure(QUICK.replace(start="spectral"), 2, "cpu", 1)
    side = QUICK.kernel_size
    assert starts[:3] == [None] * 3
    assert [start.shape for start in starts[3:]] == [(side, side)] * 3


def test_a_pace_of_this_cpu() -> None:
    found = timing.measure(QUICK, 1, "cpu", 1)
    assert found.start >= 0 and found.iteration >= 0 and found.of(10) > 0
    assert trainer.train_each is timing.train_each
