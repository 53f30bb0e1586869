"""Every op has all its parts, under one name."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from cases import CASES

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "python" / "kernelgan_fast"
OPS = sorted(folder.name for folder in (ROOT / "csrc" / "ops").iterdir() if folder.is_dir())


def bound_names() -> set[str]:
    """The ops that the bindings define; one with a gradient is bound as <op>_forward."""
    sources = [file.read_text("utf-8") for file in (ROOT / "csrc" / "bindings").glob("*.cpp")]
    names = {name for source in sources for name in re.findall(r'\bdef\(\s*"(\w+)"', source)}
    return {name.removesuffix("_forward") for name in names}


def stubbed_names() -> set[str]:
    """The ops that the stub declares, likewise."""
    stub = ast.parse((PACKAGE / "_native.pyi").read_text("utf-8"))
    functions = [node for node in stub.body if isinstance(node, ast.FunctionDef)]
    return {function.name.removesuffix("_forward") for function in functions}


def python_names(file: str) -> set[str]:
    """The functions that a file of ops/ defines or brings in."""
    names: set[str] = set()
    for node in ast.parse((PACKAGE / "ops" / file).read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
    return names


def test_cases_and_folders_name_the_same_ops() -> None:
    assert sorted(CASES) == OPS


@pytest.mark.parametrize("op", OPS)
def test_op_is_complete(op: str) -> None:
    folder = ROOT / "csrc" / "ops" / op
    parts = {
        f"csrc/ops/{op}/{op}.h": (folder / f"{op}.h").exists(),
        f"csrc/ops/{op}/{op}.cpp": (folder / f"{op}.cpp").exists(),
        f"csrc/ops/{op}/{op}_cpu.cpp": (folder / f"{op}_cpu.cpp").exists(),
        f"csrc/ops/{op}/{op}_cuda.cu": (folder / f"{op}_cuda.cu").exists(),
        f"csrc/ops/{op}/{op}_team.h": (folder / f"{op}_team.h").exists(),
        "a line in csrc/bindings": op in bound_names(),
        "an entry in _native.pyi": op in stubbed_names(),
        "a reference implementation in ops/reference.py": op in python_names("reference.py"),
        "a function of ops/library": op in python_names("library/__init__.py"),
        "a row in tests/cases.py": bool(CASES.get(op)),
    }
    assert all(parts.values()), f"{op} lacks " + ", ".join(
        part for part, there in parts.items() if not there
    )
