"""The stub of the compiled module, kept by hand, says what the module has."""

from __future__ import annotations

import ast
from pathlib import Path
from types import ModuleType

import pytest

import kernelgan_fast

STUB = Path(kernelgan_fast.__file__).with_name("_native.pyi")


@pytest.fixture(scope="module")
def native() -> ModuleType:
    from kernelgan_fast import _native

    return _native


def argument_names(function: ast.FunctionDef) -> list[str]:
    arguments = function.args
    names = [argument.arg for argument in arguments.posonlyargs + arguments.args]
    if arguments.vararg is not None:
        names.append(f"*{arguments.vararg.arg}")
    return names + [argument.arg for argument in arguments.kwonlyargs]


def compiled_functions(native: ModuleType) -> dict[str, list[str]]:
    """Argument names by function, read from the signature that pybind11 writes in the docstring."""
    functions = {}
    for name, value in vars(native).items():
        if callable(value) and not isinstance(value, type) and not name.startswith("_"):
            signature = (value.__doc__ or "").splitlines()[0]
            assert signature.startswith(f"{name}(") and "*args" not in signature, (
                f"{name} is overloaded; give each function a name and one signature"
            )
            function = ast.parse(f"def {signature}: ...").body[0]
            assert isinstance(function, ast.FunctionDef)
            functions[name] = argument_names(function)
    return functions


def stubbed() -> ast.Module:
    return ast.parse(STUB.read_text("utf-8"))


def test_functions_and_arguments(native: ModuleType) -> None:
    functions = [node for node in stubbed().body if isinstance(node, ast.FunctionDef)]
    stub = {function.name: argument_names(function) for function in functions}
    assert stub == compiled_functions(native)


def test_classes_and_values(native: ModuleType) -> None:
    stub = {node.name for node in stubbed().body if isinstance(node, ast.ClassDef)}
    for node in stubbed().body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            stub.add(node.target.id)
    compiled = {
        name
        for name, value in vars(native).items()
        if (isinstance(value, type) or not callable(value)) and not name.startswith("_")
    }
    assert stub == compiled
