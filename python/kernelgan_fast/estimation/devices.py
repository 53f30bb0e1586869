"""Where to train: what was asked for, whether it is there, and what "auto" means here."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kernelgan_fast.errors import ConfigError, DeviceUnavailable, KernelGanError

if TYPE_CHECKING:
    from kernelgan_fast.estimation.options import EstimateOptions
    from kernelgan_fast.gan.config import TrainConfig
    from kernelgan_fast.gan.timing import Pace

    Measure = Callable[[str, int], Pace]

# Below this many seconds on the CPU a GPU is not even looked at: its driver takes as long to start.
WORTH_A_START = 1.0


@dataclass(frozen=True)
class Choice:
    """The devices of a run, and how they came to be chosen.

    Attributes:
        devices: ("cpu",) or one or more of "cuda:<index>".
        asked: what the user asked for.
        why: the reason, in words.
        seconds: what "auto" expects the whole training to take, by device.
        notes: what went otherwise than planned.
    """

    devices: tuple[str, ...]
    asked: str
    why: str
    seconds: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def facts(self) -> dict[str, object]:
        """For a record."""
        seconds = {device: round(value, 3) for device, value in self.seconds.items()}
        return {
            "asked": self.asked,
            "why": self.why,
            "seconds": seconds,
            "notes": list(self.notes),
        }


def check_devices(device: str, devices: str | Sequence[str] | None = None) -> tuple[str, ...]:
    """Resolve what was asked for, without loading torch unless it is a GPU.

    Args:
        device: "auto", "cpu", "cuda" or "cuda:<index>".
        devices: several GPUs, as a list of names or as words with commas, or "all".

    Returns:
        ("auto",), ("cpu",), or names "cuda:<index>".

    Raises:
        ConfigError: not such a name, or both arguments are given.
        DeviceUnavailable: a GPU that is not there or cannot be used.
    """
    if devices is None:
        names = [device]
    elif device != "auto":
        raise ConfigError(f"device or devices must be given, got both, {device!r} and {devices!r}")
    elif devices == "all":
        _refuse_without_cuda("all")
        names = [f"cuda:{index}" for index in range(_gpus())]
    else:
        words = devices.split(",") if isinstance(devices, str) else devices
        names = [word.strip() for word in words]
    if names in (["auto"], ["cpu"]):
        return tuple(names)
    return _gpu_names(names)


def _gpu_names(names: Sequence[str]) -> tuple[str, ...]:
    found: list[str] = []
    for name in names:
        match = re.fullmatch(r"cuda(?::(\d+))?", name)
        if match is None:
            one = "device must be auto, cpu or cuda" if len(names) == 1 else "devices must be GPUs"
            raise ConfigError(f"{one}, got {name!r}; name a GPU as cuda:0")
        found.append(f"cuda:{int(match[1] or 0)}")
    if not found or len(set(found)) < len(found):
        raise ConfigError(f"devices must be different GPUs, one or more, got {', '.join(names)!r}")
    for name in found:
        _refuse_without_cuda(name)
        index, there = int(name.split(":")[1]), _gpus()
        if index >= there:
            last = f" to cuda:{there - 1}" if there > 1 else ""
            raise DeviceUnavailable(
                f"device must be one that is there, got {name!r}: this machine has cuda:0{last}"
            )
        _refuse_unbuilt(name)
    return tuple(found)


def missing_for_cuda() -> str | None:
    """Why nothing can be trained on a GPU here, and what to do about it; None where it can."""
    import torch

    if torch.version.cuda is None:
        return f"torch {torch.__version__} is built without CUDA; install one that has it"
    if _gpus() == 0:
        return "torch sees no GPU; look at nvidia-smi and CUDA_VISIBLE_DEVICES"
    from kernelgan_fast.ops import native

    if native.info()["cuda"] is None:
        return (
            "the compiled extension has no CUDA kernels; install it again where nvcc is, "
            "with KGF_CUDA=ON"
        )
    return None


def what_auto_means() -> str:
    """For people: what `device="auto"` trains on."""
    return "cpu" if missing_for_cuda() else "cpu or cuda:0, whichever is measured to be faster"


def choose(
    settings: EstimateOptions, problems: int, together: int, *, measure: Measure | None = None
) -> Choice:
    """Decide where a run trains.

    "auto" times a few iterations on the CPU and, if the whole run is worth it, on the first GPU,
    and takes the device that will be done first.

    Args:
        settings: of the run.
        problems: how many there are, all photos and seeds.
        together: how many of them train together on a GPU, at most.
        measure: gives the pace of a device with so many problems; the real one if not given.

    Raises:
        NativeUnavailable: the compiled extension cannot be loaded.
    """
    asked = ",".join(settings.devices)
    if not settings.trains:  # GPUs are used for training only
        return Choice(("cpu",), asked, "nothing to train")
    if settings.devices != ("auto",):
        return Choice(settings.devices, asked, "asked for")
    missing = missing_for_cuda()
    if missing is not None:
        return Choice(("cpu",), "auto", missing)
    measure = measure or _measured(settings)
    iterations = settings.iterations

    def expected(device: str, batch: int) -> float:
        return -(-problems // batch) * measure(device, batch).of(iterations)

    seconds = {"cpu": expected("cpu", min(problems, settings.threads))}
    if seconds["cpu"] < WORTH_A_START:
        return Choice(("cpu",), "auto", "done before a GPU would have started", seconds)
    unbuilt = _unbuilt("cuda:0")
    if unbuilt is not None:
        return Choice(("cpu",), "auto", f"cuda:0 cannot be used: {unbuilt}", seconds)
    try:
        seconds["cuda:0"] = expected("cuda:0", min(problems, together))
    except (RuntimeError, KernelGanError) as error:
        reason = str(error).splitlines()[0]
        return Choice(("cpu",), "auto", f"timing cuda:0 failed: {reason}", seconds)
    faster = min(seconds, key=lambda device: seconds[device])
    return Choice((faster,), "auto", "measured to be faster", seconds)


def _measured(settings: EstimateOptions) -> Measure:
    config = settings.training.replace(iterations=1)
    return lambda device, count: _pace(config, count, device, settings.threads)


@functools.lru_cache(maxsize=64)
def _pace(config: TrainConfig, count: int, device: str, threads: int) -> Pace:
    from kernelgan_fast.gan.timing import measure

    return measure(config, count, device, threads)


def _refuse_without_cuda(asked: str) -> None:
    missing = missing_for_cuda()
    if missing is not None:
        raise DeviceUnavailable(
            f"device must be one that can train here, got {asked!r}: {missing}, or use --device cpu"
        )


def _refuse_unbuilt(name: str) -> None:
    unbuilt = _unbuilt(name)
    if unbuilt is not None:
        raise DeviceUnavailable(
            f"device must be one that can train here, got {name!r}: {unbuilt}, or use --device cpu"
        )


def _unbuilt(name: str) -> str | None:
    """Why the extension has no kernels for this GPU, and what to do about it; None where it has."""
    import torch

    from kernelgan_fast.ops import native

    capability = torch.cuda.get_device_capability(name)
    built = native.info()["cuda_architectures"]
    if native.runs_on(capability, built):
        return None
    number = "".join(map(str, capability))
    return (
        f"it is of architecture {number} and the extension was built for {', '.join(built)}; "
        f"install it again with CMAKE_CUDA_ARCHITECTURES={number}"
    )


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()
