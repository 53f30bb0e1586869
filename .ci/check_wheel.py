"""Checks wheels as they are to be published: check_wheel.py FILE.whl ...

A wheel must hold the Python files and headers of the checkout, what is built, and nothing else; its
name must promise more than one Linux; and it must stay small.
"""

from __future__ import annotations

import re
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LARGEST = 12_000_000  # bytes, beside the networks' weights
PACKAGE = "kernelgan_fast/"
CMAKE = f"{PACKAGE}share/cmake/kernelgan_fast/kernelgan_fast-config"
LICENCES = ("LICENSE", "third_party/onnxruntime/LICENSE")
BUILT = {
    f"{PACKAGE}_native.*.so",
    f"{PACKAGE}libkernelgan_fast.*",  # .so or .dylib
    f"{CMAKE}.cmake",
    f"{CMAKE}-release.cmake",
    f"{CMAKE}-version.cmake",
    *(f"*.dist-info/licenses/{name}" for name in LICENCES),
    *(f"*.dist-info/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt")),
}


def faults(wheel: Path) -> list[str]:
    """What is wrong with a wheel, in words."""
    command = ["git", "-C", str(ROOT), "ls-files", "python", "csrc/include"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    sources = {
        name.removeprefix("python/").replace("csrc/include/", f"{PACKAGE}include/")
        for name in listed.split()
    }
    found = []
    weights = 0
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
        found += [f"{name} is missing" for name in sorted(sources - names)]
        for pattern in sorted(BUILT):
            matching = {name for name in names if re.fullmatch(_regex(pattern), name)}
            names -= matching
            if len(matching) != 1:
                found.append(f"{pattern}: one file is wanted, got {len(matching)}")
            found += [
                f"{name} is not stripped" for name in matching if _has_symbols(archive.read(name))
            ]
        found += [f"{name} does not belong there" for name in sorted(names - sources)]
        for entry in archive.infolist():
            if entry.filename.endswith(".safetensors"):
                weights += entry.compress_size
    size = wheel.stat().st_size - weights
    if size > LARGEST:
        found.append(f"{size:,} bytes beside the weights, {LARGEST:,} are allowed")
    if "-linux_" in wheel.name:
        found.append("its name promises no Linux but this one; auditwheel repair it")
    print(f"{wheel.name}: {size:,} bytes and {weights:,} of weights")
    return found


def _has_symbols(content: bytes) -> bool:
    """Whether it is a 64-bit ELF file with a symbol table that `strip` would remove."""
    if content[:5] != b"\x7fELF\x02":
        return False
    (start,) = struct.unpack_from("<Q", content, 0x28)
    size, count = struct.unpack_from("<HH", content, 0x3A)
    kinds = (struct.unpack_from("<I", content, start + i * size + 4)[0] for i in range(count))
    return any(kind == 2 for kind in kinds)  # SHT_SYMTAB


def _regex(pattern: str) -> str:
    return re.escape(pattern).replace(r"\*", "[^/]*")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    wrong = [f"{name}: {fault}" for name in sys.argv[1:] for fault in faults(Path(name))]
    sys.exit("\n".join(wrong) or 0)
