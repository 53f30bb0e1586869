"""The version is stated in pyproject.toml and agrees everywhere else."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

import kernelgan_fast

ROOT = Path(__file__).resolve().parents[2]


def stated_version() -> str:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    found = re.findall(r'^version = "([^"]+)"$', text, re.MULTILINE)
    assert len(found) == 1, "pyproject.toml must hold one version line: CMake reads it too"
    return str(found[0])


def test_changelog_begins_with_the_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    top = re.search(r"^## \[([^\]]+)\]", text, re.MULTILINE)
    assert top is not None and top[1] == stated_version()


def test_installed_package_has_the_version() -> None:
    assert version("kernelgan-fast") == stated_version()
    assert kernelgan_fast.__version__ == stated_version()


def test_compiled_module_has_the_version() -> None:
    from kernelgan_fast import _native

    assert _native.version == stated_version()
