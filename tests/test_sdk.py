"""Where the C++ parts lie is found, or said to be missing."""

from __future__ import annotations

from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from kernelgan_fast import __main__ as program
from kernelgan_fast import sdk
from kernelgan_fast.errors import NativeUnavailable


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for an installed package, without anything in it."""
    monkeypatch.setattr(sdk, "__file__", str(tmp_path / "sdk.py"))
    monkeypatch.setattr(sdk, "find_spec", lambda name: None)
    return tmp_path


def specs(monkeypatch: pytest.MonkeyPatch, origin: Path) -> None:
    """Let every module be found at `origin`."""
    found = ModuleSpec("found", None, origin=str(origin))
    monkeypatch.setattr(sdk, "find_spec", lambda name: found)


def test_parts_beside_the_package(parts: Path) -> None:
    folder = parts / "share" / "cmake" / "kernelgan_fast"
    folder.mkdir(parents=True)
    (parts / "libkernelgan_fast.so").touch()
    assert sdk.get_cmake_dir() == str(folder)
    assert sdk.get_include() == str(parts / "include")
    assert sdk.get_library() == str(parts / "libkernelgan_fast.so")


def test_parts_of_an_editable_install(parts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = parts / "site" / "share" / "cmake" / "kernelgan_fast"
    folder.mkdir(parents=True)
    specs(monkeypatch, parts / "site" / "_native.so")
    assert sdk.get_cmake_dir() == str(folder)


@pytest.mark.parametrize("get", [sdk.get_cmake_dir, sdk.get_include, sdk.get_library])
def test_without_the_parts_it_says_so(parts: Path, get: object) -> None:
    assert callable(get)
    with pytest.raises(NativeUnavailable, match="KGF_BUILD_ENGINE=ON"):
        get()


def test_the_library_of_onnxruntime(parts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NativeUnavailable, match="pip install --upgrade onnxruntime"):
        sdk.get_onnxruntime()
    specs(monkeypatch, parts / "__init__.py")
    with pytest.raises(NativeUnavailable, match="pip install --upgrade onnxruntime"):
        sdk.get_onnxruntime()
    library = parts / "capi" / "libonnxruntime.so.1.32.0"
    library.parent.mkdir()
    library.touch()
    assert sdk.get_onnxruntime() == str(library)


def test_python_m_tells_the_places(parts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.locate(["--cmakedir"]) == 1
    assert "C++ library" in capsys.readouterr().err
    folder = parts / "share" / "cmake" / "kernelgan_fast"
    folder.mkdir(parents=True)
    assert program.locate(["--cmakedir", "--includedir"]) == 0
    assert capsys.readouterr().out.split() == [str(folder), str(parts / "include")]
