"""Files and functions stay small enough to be read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("python", "csrc", "cmake", "examples", "tests", "benchmarks", "scripts", ".ci")
MAX_LINES = {
    ".py": 600,
    ".pyi": 600,
    ".cpp": 400,
    ".h": 400,
    ".hpp": 400,
    ".cu": 400,
    ".cmake": 120,
}
MAX_LINES_BY_NAME = {"CMakeLists.txt": 120, "CONTRIBUTING.md": 160}
MAX_FUNCTION_LINES = 60  # the docstring not counted


def project_files() -> Iterator[Path]:
    yield from (file for file in ROOT.iterdir() if file.is_file())
    for folder in FOLDERS:
        yield from (file for file in (ROOT / folder).rglob("*") if file.is_file())


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert function.end_lineno is not None
    lines = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function) is not None:
        docstring = function.body[0]
        assert docstring.end_lineno is not None
        lines -= docstring.end_lineno - docstring.lineno + 1
    return lines


def test_files_are_short() -> None:
    long = []
    for file in project_files():
        limit = MAX_LINES_BY_NAME.get(file.name, MAX_LINES.get(file.suffix))
        if limit is not None:
            lines = len(file.read_text("utf-8").splitlines())
            if lines > limit:
                long.append(f"{file.relative_to(ROOT)}: {lines} lines, at most {limit}")
    assert not long, "\n".join(long)


def test_functions_fit_a_screen() -> None:
    long = []
    for file in project_files():
        if file.suffix != ".py":
            continue
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = body_lines(node)
                if lines > MAX_FUNCTION_LINES:
                    place = f"{file.relative_to(ROOT)}:{node.lineno}"
                    long.append(f"{place} {node.name}: {lines} lines, at most {MAX_FUNCTION_LINES}")
    assert not long, "\n".join(long)
