"""What a run needs to know besides its photos, checked once, before anything heavy is loaded."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib import metadata

import kernelgan_fast
from kernelgan_fast.config import TrainConfig, profile
from kernelgan_fast.errors import ConfigError, DeviceUnavailable

MAX_SEEDS = 100
_LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True)
class Settings:
    """The settings of a run.

    Attributes:
        config: training profile, overrides included.
        scale: 2 or 4.
        seeds: one seed for each run of a photo.
        real: keep the edges (real photos; synthetic ones lose `config.shave` px a side).
        device: "cpu"; where training runs.
        threads: CPU threads, at least 1.
    """

    config: TrainConfig
    scale: int
    seeds: tuple[int, ...]
    real: bool
    device: str
    threads: int


def make_settings(
    *,
    scale: int = 2,
    profile_or_config: str | TrainConfig = "default",
    iterations: int | None = None,
    seed: int = 0,
    seeds: int = 1,
    real: bool = False,
    device: str = "auto",
    threads: int | None = None,
) -> Settings:
    """Check the arguments of `estimate` and resolve them to settings.

    Raises:
        ConfigError: an argument is out of range, or the profile does not exist.
        DeviceUnavailable: the device cannot be used.
    """
    if scale not in (2, 4):
        raise ConfigError(f"scale must be 2 or 4, got {scale!r}")
    if not 1 <= seeds <= MAX_SEEDS:
        raise ConfigError(f"seeds must be 1 to {MAX_SEEDS}, got {seeds}")
    if not 0 <= seed <= _LARGEST_SEED - seeds:
        raise ConfigError(f"seed must be 0 to {_LARGEST_SEED - seeds}, got {seed}")
    if threads is not None and threads < 1:
        raise ConfigError(f"the number of threads (jobs) must be at least 1, got {threads}")
    config = profile(profile_or_config) if isinstance(profile_or_config, str) else profile_or_config
    if iterations is not None:
        config = config.replace(iterations=iterations)
    return Settings(
        config=config,
        scale=scale,
        seeds=tuple(range(seed, seed + seeds)),
        real=real,
        device=resolve_device(device),
        threads=threads or available_threads(),
    )


def available_threads() -> int:
    """The CPUs this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def resolve_device(device: str) -> str:
    """The device that a request means.

    Args:
        device: "auto", "cpu" or "cuda".

    Raises:
        ConfigError: not one of the three.
        DeviceUnavailable: "cuda"; this version trains on the CPU only.
    """
    if device in ("auto", "cpu"):
        return "cpu"
    if device == "cuda" or device.startswith("cuda:"):
        raise DeviceUnavailable(
            f"device must be one this version can train on, got {device!r}: its CUDA kernels are "
            "not part of this version yet; use --device cpu (or auto)"
        )
    raise ConfigError(f"device must be auto, cpu or cuda, got {device!r}")


def versions() -> dict[str, str]:
    """Versions of what a result depends on, by name; a missing package reads "not installed"."""
    found = {"kernelgan_fast": kernelgan_fast.__version__, "python": platform.python_version()}
    for name in ("torch", "numpy", "scipy", "pillow"):
        found[name] = _version(name)
    return found


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"
