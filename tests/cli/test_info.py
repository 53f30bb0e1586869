"""`info`: what would run, and why nothing would."""

from __future__ import annotations

import json
import sys
from importlib import metadata
from types import SimpleNamespace

import pytest
import torch

from kernelgan_fast.cli.main import main


def test_info(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info"]) == 0
    out = capsys.readouterr().out
    # torch.__version__ may have more in it, such as +cu130.
    torch_version = metadata.version("torch")
    for word in ("kernelgan-fast", "python", torch_version, "vector unit", "--device auto"):
        assert word in out
    assert "cpu, " in out and "threads" in out


def test_info_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["auto"] == "cpu" and facts["missing"] is None
    assert facts["extension"]["simd"] in facts["extension"]["simd_levels"]
    assert facts["cpus"] >= 1
    assert "not part of this version" in facts["cuda"]


def test_a_missing_extension_is_explained(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("kernelgan_fast.ops.library")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "kernelgan_fast._native", None)
    assert main(["info"]) == 3
    printed = capsys.readouterr()
    assert "nothing can run" in printed.out
    assert printed.err.startswith("error: ") and "kernelgan_fast._native" in printed.err


@pytest.mark.parametrize(
    ("cuda", "available", "words"),
    [
        (None, False, "built without CUDA"),
        ("12.8", False, "sees no GPU"),
        ("12.8", True, "torch sees Card"),
    ],
)
def test_cuda_is_described(
    cuda: str | None, available: bool, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kernelgan_fast.cli import info

    monkeypatch.setattr(torch.version, "cuda", cuda)
    card = SimpleNamespace(is_available=lambda: available, get_device_name=lambda: "Card")
    monkeypatch.setattr(torch, "cuda", card)
    assert words in info._cuda()


def test_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    from kernelgan_fast.cli import info

    monkeypatch.setitem(sys.modules, "torch", None)
    assert info._cuda() == "torch is not installed"
