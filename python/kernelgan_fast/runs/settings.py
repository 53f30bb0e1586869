"""What a run needs to know besides its photos, checked once, before anything heavy is loaded."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata

import kernelgan_fast
from kernelgan_fast.config import TrainConfig, profile
from kernelgan_fast.errors import ConfigError
from kernelgan_fast.runs.devices import check_devices

MAX_SEEDS = 100
METHODS = ("kernelgan", "spectral")
_LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True)
class Settings:
    """The settings of a run.

    Attributes:
        config: training profile, overrides included.
        scale: 2 or 4.
        seeds: one seed for each run of a photo.
        real: keep the edges (real photos; synthetic ones lose `config.shave` px a side).
        devices: ("auto",), ("cpu",), or the GPUs to train on, as "cuda:<index>".
        threads: CPU threads, at least 1.
    """

    config: TrainConfig
    scale: int
    seeds: tuple[int, ...]
    real: bool
    devices: tuple[str, ...]
    threads: int


def make_settings(
    *,
    scale: int = 2,
    profile_or_config: str | TrainConfig = "default",
    method: str = "kernelgan",
    iterations: int | None = None,
    seed: int = 0,
    seeds: int = 1,
    real: bool = False,
    device: str = "auto",
    devices: str | Sequence[str] | None = None,
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
    if method not in METHODS:
        raise ConfigError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    if iterations is not None:
        config = config.replace(iterations=iterations)
    if method == "spectral":
        if iterations:
            raise ConfigError(
                f"the method spectral trains nothing, got {iterations} iterations; leave them out"
            )
        config = config.replace(start="spectral", iterations=0)
    return Settings(
        config=config,
        scale=scale,
        seeds=tuple(range(seed, seed + seeds)),
        real=real,
        devices=check_devices(device, devices),
        threads=threads or available_threads(),
    )


def available_threads() -> int:
    """The CPUs this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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
