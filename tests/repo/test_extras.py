"""Extras: errors name the one that brings what is missing, and every one that is named exists."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kernelgan_fast.errors import DeviceUnavailable, InputError
from kernelgan_fast.export.onnx import export_downscale
from kernelgan_fast.export.tensorrt import build_engine
from kernelgan_fast.runtime.session import Session

ROOT = Path(__file__).resolve().parents[2]


def extras() -> dict[str, str]:
    """What each extra asks for, as pyproject.toml has it."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    table = re.search(r"^\[project\.optional-dependencies\]\n(.*?)\n\n\[", text, re.M | re.S)
    assert table is not None
    return dict(re.findall(r"^([\w-]+) = \[([^]]*)\]", table[1].replace("[cuda,cudnn]", ""), re.M))


def test_extras_that_are_named_exist() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    named = {
        name
        for file in [*pages, *(ROOT / "python").rglob("*.py")]
        for names in re.findall(r"kernelgan-fast\[([\w, -]+)\]", file.read_text("utf-8"))
        for name in names.replace(" ", "").split(",")
    }
    assert "onnx" in named and named <= set(extras())


@pytest.mark.parametrize(
    ("module", "extra", "use"),
    [
        ("onnx", "onnx", lambda file: export_downscale(file, size=13)),
        ("onnxruntime", "onnx", lambda file: Session(file)),
        ("tensorrt", "tensorrt", lambda file: build_engine(file, "tensorrt")),
        ("tensorrt_rtx", "tensorrt-rtx", lambda file: build_engine(file, "tensorrt-rtx")),
    ],
)
def test_what_is_missing_names_its_extra(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    extra: str,
    use: Callable[[Path], object],
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    words = rf"^{module} must be installed .*; pip install 'kernelgan-fast\[{extra}\]'$"
    with pytest.raises(InputError, match=words):
        use(tmp_path / "m.onnx")
    assert module.replace("_", "-") in extras()[extra]


def test_a_missing_gpu_provider_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = pytest.importorskip("onnxruntime")
    monkeypatch.setattr(runtime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(DeviceUnavailable, match=r"onnxruntime-gpu .* \(the extra gpu\)"):
        Session(b"", device="cuda")


def test_the_tensorrt_of_onnxruntime() -> None:
    """The provider of onnxruntime-gpu 1.31 was built with 10.14.1 and opens libnvinfer.so.10."""
    assert "onnxruntime-gpu>=1.31,<1.32" in extras()["gpu"]
    assert "tensorrt>=10.14.1,<10.17" in extras()["tensorrt"]
