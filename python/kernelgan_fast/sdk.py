"""Where the parts for C and C++ programs lie: library, headers, CMake package."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from kernelgan_fast.errors import NativeUnavailable

_PACKAGE = Path("share") / "cmake" / "kernelgan_fast"


def get_cmake_dir() -> str:
    """The folder to set kernelgan_fast_DIR to, for find_package(kernelgan_fast).

    Raises:
        NativeUnavailable: the package was installed without its C++ library.
    """
    return str(_root() / _PACKAGE)


def get_include() -> str:
    """The folder that holds kernelgan_fast/engine.h, for builds without CMake.

    Raises:
        NativeUnavailable: as in `get_cmake_dir`.
    """
    return str(_root() / "include")


def get_library() -> str:
    """The C++ library itself, such as …/kernelgan_fast/libkernelgan_fast.so.

    Raises:
        NativeUnavailable: as in `get_cmake_dir`.
    """
    names = ("libkernelgan_fast.so", "libkernelgan_fast.dylib", "kernelgan_fast.dll")
    return str(next(path for name in names if (path := _root() / name).is_file()))


def get_onnxruntime() -> str:
    """The library of the Python package onnxruntime, for KERNELGAN_FAST_ONNXRUNTIME.

    Raises:
        NativeUnavailable: it is not installed, or has no such library, as releases of old.
    """
    spec = find_spec("onnxruntime")
    if spec is not None and spec.origin is not None:
        folder = Path(spec.origin).parent / "capi"
        names = ("libonnxruntime.so*", "libonnxruntime*.dylib", "onnxruntime.dll")
        found = sorted(path for name in names for path in folder.glob(name))
        if found:
            return str(found[0])
    raise NativeUnavailable(
        "the Python package onnxruntime must be installed, in a release that carries its library; "
        "pip install --upgrade onnxruntime"
    )


def _root() -> Path:
    """The folder of the package that the compiled parts were installed into."""
    # An editable install keeps them apart from the Python files.
    spec = find_spec("kernelgan_fast._native")
    origins = [__file__] + ([spec.origin] if spec is not None and spec.origin else [])
    for origin in origins:
        if (Path(origin).parent / _PACKAGE).is_dir():
            return Path(origin).parent
    raise NativeUnavailable(
        "kernelgan_fast must be installed with its C++ library, and no CMake package lies beside "
        f"{' or '.join(origins)}; install the wheel, or build with KGF_BUILD_ENGINE=ON"
    )
