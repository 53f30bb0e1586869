"""Imports and includes run one way, from higher to lower packages, without cycles."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "python" / "kernelgan_fast"
CSRC = ROOT / "csrc"

# Packages and modules from the lowest to the highest: each may import those before it, and no
# other of its own line. The value BlurKernel is a module of its own, and
# "package" is `import kernelgan_fast` itself, for its version.
ORDER: tuple[tuple[str, ...], ...] = (
    ("errors", "escaping", "_native"),
    ("files", "sdk"),
    ("kernels.blur_kernel", "urls"),
    ("images", "ops"),
    ("analysis", "kernels"),
    ("degradation",),
    ("gan", "sr"),
    ("package",),
    ("estimation", "runtime"),
    ("export",),
    ("jobs",),
    ("api",),
    ("__init__",),
    ("evaluation", "report"),
    ("training",),
    ("cli",),
    ("__main__",),
)
MAY_IMPORT = {
    name: {lower for line in ORDER[:rank] for lower in line}
    for rank, names in enumerate(ORDER)
    for name in names
}

# What each part of csrc may include of the others.
MAY_INCLUDE = {
    "bindings": {"ops", "core", "include"},
    "engine": {"ops", "core", "include"},
    "ops": {"core", "include"},
    "core": {"include"},
    "include": set(),
}
RUNTIME_FILE = PurePosixPath("engine/onnxruntime.cpp")
TENSORRT_FILE = PurePosixPath("engine/tensorrt.cpp")
FRAMEWORKS = re.compile(r"^(torch|ATen|c10|pybind11|numpy|Python\.h)")


def package_of(module: str) -> str:
    """The package that a module (named without the leading kernelgan_fast) belongs to."""
    return module if module == "kernels.blur_kernel" else module.split(".")[0]


def imports(source: str) -> Iterator[str]:
    """The modules of ours that a source imports, wherever in the file."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports of ours are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if name == "kernelgan_fast" or name.startswith("kernelgan_fast."):
                yield name.removeprefix("kernelgan_fast").removeprefix(".")


def imported_package(name: str) -> str:
    """The package that `from kernelgan_fast import x` or `import kernelgan_fast.x` reaches."""
    first = name.split(".")[0]
    if name.startswith("kernels.blur_kernel"):
        return "kernels.blur_kernel"
    is_package = first in MAY_IMPORT or first == "_native" or (PACKAGE / f"{first}.py").exists()
    return first if is_package else "package"


def wrong_imports(path: PurePosixPath, source: str) -> list[str]:
    """Every import of the file at `path` (inside the package) that its package may not make."""
    module = ".".join(path.with_suffix("").parts)
    here = package_of(module)
    if here not in MAY_IMPORT:
        return [f"{path}: {here} is not in ORDER: say there which packages are lower"]
    allowed = MAY_IMPORT[here] | {here}
    return [
        f"{path} imports kernelgan_fast.{name}, but {here} may only import {sorted(allowed)}"
        for name in imports(source)
        if imported_package(name) not in allowed
    ]


def wrong_includes(path: PurePosixPath, source: str) -> list[str]:
    """Every #include of the file at `path` (inside csrc) that its part may not make."""
    part = path.parts[0]
    if part not in MAY_INCLUDE:
        return [f"{path}: {part} is not in MAY_INCLUDE: say there what it may include"]
    wrong = []
    for included in re.findall(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', source, re.MULTILINE):
        target = PurePosixPath(included)
        if FRAMEWORKS.match(included):
            if part != "bindings" or not included.startswith("pybind11/"):
                wrong.append(f"{path} includes {included}: only bindings/ may, and pybind11 alone")
        elif included.startswith("onnxruntime") and path != RUNTIME_FILE:
            wrong.append(f"{path} includes {included}: only {RUNTIME_FILE} may")
        elif included.startswith(("NvInfer", "cuda_runtime")) and part == "engine":
            if path != TENSORRT_FILE:
                wrong.append(f"{path} includes {included}: only {TENSORRT_FILE} may")
        elif ".." in target.parts:
            wrong.append(f"{path} includes {included}: name it from csrc/, without ..")
        elif target.parts[0] in MAY_INCLUDE and target.parts[0] not in MAY_INCLUDE[part] | {part}:
            wrong.append(f"{path} includes {included}: {part} may not include {target.parts[0]}")
        elif part == target.parts[0] == "ops" and target.parts[1] != path.parts[1]:
            wrong.append(f"{path} includes {included}: no op includes another op")
    return wrong


def test_python_imports() -> None:
    wrong: list[str] = []
    for file in sorted(PACKAGE.rglob("*.py")):
        wrong += wrong_imports(PurePosixPath(file.relative_to(PACKAGE)), file.read_text("utf-8"))
    assert not wrong, "\n".join(wrong)


def file_imports() -> dict[str, set[str]]:
    """The files of ours that each file of the package imports when it is itself imported."""
    modules = {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
        for path in PACKAGE.rglob("*.py")
    }
    found: dict[str, set[str]] = {}
    for module, path in modules.items():
        tree = ast.parse(path.read_text("utf-8"))
        at_import = "\n".join(
            ast.unparse(node)
            for node in tree.body
            if isinstance(node, (ast.Import, ast.ImportFrom))
        )
        names = [name for name in imports(at_import) if name]
        targets = {name if name in modules else name.rpartition(".")[0] for name in names}
        found[module] = {target for target in targets if target in modules and target != module}
    return found


def test_no_file_imports_itself_through_others() -> None:
    left = file_imports()
    while free := {name for name, targets in left.items() if not targets & left.keys()}:
        left = {name: targets for name, targets in left.items() if name not in free}
    assert not left, f"import cycle among {sorted(left)}"


def test_includes() -> None:
    files = [file for file in sorted(CSRC.rglob("*")) if file.suffix in {".h", ".cpp", ".cu"}]
    assert files
    wrong: list[str] = []
    for file in files:
        wrong += wrong_includes(PurePosixPath(file.relative_to(CSRC)), file.read_text("utf-8"))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("gan/trainer.py", "def f():\n    from kernelgan_fast import sr"),
        ("gan/trainer.py", "import kernelgan_fast.jobs.estimate"),
        ("analysis/noise.py", "from kernelgan_fast.estimation.spectral import estimate_spectral"),
        ("kernels/store.py", "from kernelgan_fast.gan.trainer import train"),
        ("kernels/blur_kernel.py", "from kernelgan_fast.kernels import geometry"),
        ("gan/config.py", "from kernelgan_fast import estimate"),
        ("attic.py", ""),
    ],
)
def test_a_wrong_import_is_named(path: str, source: str) -> None:
    assert len(wrong_imports(PurePosixPath(path), source)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("core/array.cpp", '#include "ops/downscale/downscale.h"'),
        ("ops/downscale/downscale.cpp", '#include "ops/discriminate/discriminate.h"'),
        ("ops/downscale/downscale.cpp", '#include "../../core/array.h"'),
        ("ops/downscale/downscale.cpp", "#include <pybind11/pybind11.h>"),
        ("bindings/module.cpp", "#include <torch/extension.h>"),
        ("bindings/module.cpp", '#include "engine/session.h"'),
        ("engine/model.h", "#include <onnxruntime_c_api.h>"),
        ("engine/model.h", "#include <NvInferRuntime.h>"),
        ("attic/old.cpp", ""),
    ],
)
def test_a_wrong_include_is_named(path: str, source: str) -> None:
    assert len(wrong_includes(PurePosixPath(path), source)) == 1
