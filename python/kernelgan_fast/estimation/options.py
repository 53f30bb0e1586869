"""Options of `estimate`, checked once, before anything heavy is imported."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any, TypeAlias

import kernelgan_fast
from kernelgan_fast.errors import ConfigError
from kernelgan_fast.estimation.devices import check_devices
from kernelgan_fast.gan.config import DEFAULT_PROFILE, TrainConfig
from kernelgan_fast.gan.config import profile as find_profile

Tiles: TypeAlias = "tuple[int, int] | str | None"

MAX_SEEDS = 100
MAX_TILES = 64
METHODS = ("spectral", "kernelgan", "recurrence")
SCALES = (1, 2, 3, 4)
LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True)
class EstimateOptions:
    """Options of an estimation, checked; made by `estimate_options`.

    Attributes:
        method: One of `METHODS`.
        config: Of the training of "kernelgan", overrides included; None for other methods.
        iterations: Of the training, or rounds of the search at most; 0 for "spectral".
        scale: 1 to 4; 2 or 4 for methods other than "spectral".
        seeds: One per run of a photo.
        real: Whether trainings and searches use the edges (real photos; synthetic ones lose 10 px
            per side). Spectral estimates always use the whole photo.
        devices: ("auto",), ("cpu",), or the GPUs to train on, as "cuda:<index>".
        threads: CPU threads, at least 1.
        tiles: (rows, columns) of regions that get kernels of their own, "auto" for as many as the
            photo has room for, or None.
    """

    method: str
    config: TrainConfig | None
    iterations: int
    scale: int
    seeds: tuple[int, ...]
    real: bool
    devices: tuple[str, ...]
    threads: int
    tiles: Tiles = None

    @property
    def trains(self) -> bool:
        """Whether something is trained, so that a GPU may help."""
        return self.config is not None

    @property
    def training(self) -> TrainConfig:
        """The config of a method that trains."""
        assert self.config is not None
        return self.config

    def describe(self) -> str:
        """Describe the method in a few words, such as "KernelGAN, profile paper"."""
        if self.config is not None:
            return f"KernelGAN, profile {self.config.profile}, {self.iterations} iterations"
        if self.method == "recurrence":
            return f"recurring patches, at most {self.iterations} iterations"
        return "spectral estimate"


def estimate_options(
    *,
    scale: int = 2,
    method: str | None = None,
    profile: str | TrainConfig | None = None,
    iterations: int | None = None,
    seed: int = 0,
    seeds: int = 1,
    real: bool = False,
    device: str = "auto",
    devices: str | Sequence[str] | None = None,
    threads: int | None = None,
    tiles: Tiles = None,
) -> EstimateOptions:
    """Check the arguments of `estimate`.

    Raises:
        ConfigError: An argument is out of range, or the profile does not exist.
        DeviceUnavailable: The device cannot be used.
    """
    if scale not in SCALES:
        raise ConfigError(f"scale must be 1, 2, 3 or 4, got {scale!r}")
    if not 1 <= seeds <= MAX_SEEDS:
        raise ConfigError(f"seeds must be 1 to {MAX_SEEDS}, got {seeds}")
    if not 0 <= seed <= LARGEST_SEED - seeds:
        raise ConfigError(f"seed must be 0 to {LARGEST_SEED - seeds}, got {seed}")
    if iterations is not None and iterations < 0:
        raise ConfigError(f"iterations must be at least 1, got {iterations}")
    if threads is not None and threads < 1:
        raise ConfigError(f"the number of threads (jobs) must be at least 1, got {threads}")
    if method is None:
        method = METHODS[0] if profile is None else "kernelgan"
    if method not in METHODS:
        raise ConfigError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    if method != "spectral" and scale not in (2, 4):
        raise ConfigError(
            f"the method {method} estimates kernels of scale 2 and 4, got {scale}; use spectral"
        )
    config = _training(method, profile, iterations)
    if method == "recurrence" and (device, devices) not in (("auto", None), ("cpu", None)):
        raise ConfigError(
            f"the method recurrence runs on the CPU, got {devices or device!r}; leave the device "
            "out"
        )
    return EstimateOptions(
        method=method,
        config=config,
        iterations=_iterations(method, config, iterations),
        scale=scale,
        seeds=tuple(range(seed, seed + seeds)),
        real=real,
        devices=("cpu",) if method == "recurrence" else check_devices(device, devices),
        threads=threads or available_threads(),
        tiles=_checked_tiles(tiles, method),
    )


def method_or_profile(name: str) -> dict[str, Any]:
    """Convert the name of a method, or of a profile of "kernelgan", to arguments of `estimate`."""
    return {"method": name} if name in METHODS else {"profile": name}


def _training(
    method: str, profile: str | TrainConfig | None, iterations: int | None
) -> TrainConfig | None:
    if method != "kernelgan":
        if profile is not None:
            name = profile if isinstance(profile, str) else profile.profile
            raise ConfigError(
                f"profiles belong to the method kernelgan, got {name} with {method}; leave one out"
            )
        return None
    if profile is None:
        profile = DEFAULT_PROFILE
    config = find_profile(profile) if isinstance(profile, str) else profile
    return config if iterations is None else config.replace(iterations=iterations)


def _iterations(method: str, config: TrainConfig | None, iterations: int | None) -> int:
    if config is not None:
        return config.iterations
    if method == "spectral":
        if iterations:
            raise ConfigError(
                f"the method spectral trains nothing, got {iterations} iterations; leave them out, "
                "or choose the method kernelgan"
            )
        return 0
    from kernelgan_fast.estimation.recurrence import ITERATIONS

    rounds = ITERATIONS if iterations is None else iterations
    if rounds < 1:
        raise ConfigError(f"iterations must be at least 1, got {rounds}")
    return rounds


def _checked_tiles(tiles: Tiles, method: str) -> Tiles:
    if tiles is None:
        return None
    if method != "spectral":
        raise ConfigError(
            f"tiles are estimated by the method spectral, got {method}; leave one out"
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
