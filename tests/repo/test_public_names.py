"""The package exports what it says, and importing it costs next to nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import kernelgan_fast

INIT = Path(kernelgan_fast.__file__)


def test_every_public_name_can_be_had() -> None:
    for name in kernelgan_fast.__all__:
        assert getattr(kernelgan_fast, name) is not None
        assert name in dir(kernelgan_fast)


def test_type_checkers_see_the_same_names() -> None:
    module = ast.parse(INIT.read_text("utf-8"))
    guarded = next(node for node in module.body if isinstance(node, ast.If))
    seen = set()
    for node in guarded.body:
        if isinstance(node, ast.ImportFrom):
            seen |= {alias.name for alias in node.names}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            seen.add(node.target.id)
    assert seen == set(kernelgan_fast.__all__)


def test_names_are_sorted_and_unique() -> None:
    assert kernelgan_fast.__all__ == sorted(set(kernelgan_fast.__all__))


def test_unknown_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'estimat'"):
        _ = kernelgan_fast.estimat


def test_import_is_light() -> None:
    heavy = "torch", "scipy", "PIL", "numpy"
    code = f"import sys, kernelgan_fast; print([m for m in {heavy} if m in sys.modules])"
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout
    assert output.strip() == b"[]"
