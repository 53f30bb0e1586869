"""`python -m kernelgan_fast` is the command `kernelgan-fast`, or says where its C++ parts lie."""

from __future__ import annotations

import sys

from kernelgan_fast import sdk
from kernelgan_fast.cli.main import main
from kernelgan_fast.errors import KernelGanError

_PLACES = {
    "--cmakedir": sdk.get_cmake_dir,
    "--includedir": sdk.get_include,
    "--library": sdk.get_library,
    "--onnxruntime": sdk.get_onnxruntime,
}


def locate(words: list[str]) -> int:
    """Print the places that words such as --cmakedir ask for; 0, or 1 where one is not there."""
    try:
        for word in words:
            print(_PLACES[word]())
    except KernelGanError as error:
        print(f"kernelgan-fast: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    words = sys.argv[1:]
    sys.exit(locate(words) if words and set(words) <= set(_PLACES) else main())
