"""What a run needs to know besides its photos, checked once, before anything heavy is loaded."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import TypeAlias

import kernelgan_fast
from kernelgan_fast.errors import ConfigError
from kernelgan_fast.estimation.devices import check_devices
from kernelgan_fast.gan.config import TrainConfig, profile

Tiles: TypeAlias = "tuple[int, int] | str | None"

MAX_SEEDS = 100
MAX_TILES = 64
METHODS = ("kernelgan", "spectral", "recurrence")
LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True)
class Settings:
    """The settings of a run.

    Attributes:
        config: training profile, overrides included.
        scale: 2 or 4.
        seeds: one seed for each run of a photo.
        real: keep the edges in trainings and searches (real photos; synthetic ones lose
            `config.shave` px a side). Kernels in closed form use the whole photo.
        devices: ("auto",), ("cpu",), or the GPUs to train on, as "cuda:<index>".
        threads: CPU threads, at least 1.
        tiles: (rows, columns) of regions to give a kernel each besides the photo's, "auto" for as
            many as the photo has room for, or None.
    """

    config: TrainConfig
    scale: int
    seeds: tuple[int, ...]
    real: bool
    devices: tuple[str, ...]
    threads: int
    tiles: Tiles = None


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
    tiles: Tiles = None,
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
    if not 0 <= seed <= LARGEST_SEED - seeds:
        raise ConfigError(f"seed must be 0 to {LARGEST_SEED - seeds}, got {seed}")
    if threads is not None and threads < 1:
        raise ConfigError(f"the number of threads (jobs) must be at least 1, got {threads}")
    config = profile(profile_or_config) if isinstance(profile_or_config, str) else profile_or_config
    if method not in METHODS:
        raise ConfigError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    config = _with_method(config, method, iterations)
    searches = config.start == "recurrence"
    if searches and (device, devices) not in (("auto", None), ("cpu", None)):
        raise ConfigError(
            f"recurring patches are looked for on the CPU, got {devices or device!r}; leave it out"
        )
    return Settings(
        config=config,
        scale=scale,
        seeds=tuple(range(seed, seed + seeds)),
        real=real,
        devices=("cpu",) if searches else check_devices(device, devices),
        threads=threads or available_threads(),
        tiles=_checked_tiles(tiles, config),
    )


def _with_method(config: TrainConfig, method: str, iterations: int | None) -> TrainConfig:
    if method == "spectral":
        if iterations:
            raise ConfigError(
                f"the method spectral trains nothing, got {iterations} iterations; leave them out"
            )
        return config.replace(start="spectral", iterations=0)
    if method == "recurrence":
        from kernelgan_fast.estimation.recurrence import ITERATIONS

        rounds = ITERATIONS if iterations is None else iterations
        return config.replace(profile="recurrence", start="recurrence", iterations=rounds)
    return config if iterations is None else config.replace(iterations=iterations)


def _checked_tiles(tiles: Tiles, config: TrainConfig) -> Tiles:
    if tiles is None:
        return None
    if config.start != "spectral":
        raise ConfigError(
            "tiles have kernels in closed form, which the method spectral and the profiles default "
            f"and fast give, got {config.profile}; leave tiles out"
        )
    if tiles == "auto":
        return tiles
    pair = isinstance(tiles, tuple) and len(tiles) == 2
    if not pair or not all(isinstance(n, int) and 1 <= n <= MAX_TILES for n in tiles):
        raise ConfigError(
            f"tiles must be auto, or rows and columns of 1 to {MAX_TILES}, got {tiles!r}"
        )
    return tiles


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
