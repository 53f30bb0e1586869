"""Find the kernel that made a photo small, from that photo alone, and put it to work.

Every name is loaded when it is first used, so that importing the package does not import torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kernelgan_fast import errors
    from kernelgan_fast.api import Estimate, Upscaled, downscale, estimate, upscale
    from kernelgan_fast.gan.config import TrainConfig, profile
    from kernelgan_fast.kernels.blur_kernel import BlurKernel
    from kernelgan_fast.sdk import get_cmake_dir, get_include

    __version__: str

__all__ = [
    "BlurKernel",
    "Estimate",
    "TrainConfig",
    "Upscaled",
    "__version__",
    "downscale",
    "errors",
    "estimate",
    "get_cmake_dir",
    "get_include",
    "profile",
    "upscale",
]

_REGISTRY = {
    "BlurKernel": "kernels.blur_kernel",
    "Estimate": "api",
    "TrainConfig": "gan.config",
    "Upscaled": "api",
    "downscale": "api",
    "estimate": "api",
    "get_cmake_dir": "sdk",
    "get_include": "sdk",
    "profile": "gan.config",
    "upscale": "api",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        return _version()
    if name == "errors":
        return import_module(f"{__name__}.errors")
    if name in _REGISTRY:
        return getattr(import_module(f"{__name__}.{_REGISTRY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("kernelgan-fast")
    except PackageNotFoundError:  # run from a checkout by PYTHONPATH, nothing installed
        return "0+not.installed"
