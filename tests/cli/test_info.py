"""`info`: what would run, and why nothing would."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata
from types import SimpleNamespace

import pytest
import torch
from patience import PATIENCE
from quick import environment

from kernelgan_fast.cli import info
from kernelgan_fast.cli.main import main
from kernelgan_fast.estimation.devices import what_auto_means
from kernelgan_fast.ops import native


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
    assert facts["auto"] == what_auto_means() and facts["missing"] is None
    assert facts["extension"]["simd"] in facts["extension"]["simd_levels"]
    assert facts["cpus"] >= 1
    assert "kernels" in facts["cuda"] and "torch" in facts["cuda"]
    assert isinstance(facts["gpus"], list)


def native_with(simd: str) -> subprocess.CompletedProcess[str]:
    """The level that the extension begins with where KERNELGAN_FAST_SIMD is set."""
    code = "from kernelgan_fast import _native; print(_native.simd_level(), *_native.simd_levels())"
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**environment(), "KERNELGAN_FAST_SIMD": simd},
        timeout=PATIENCE,
    )


def test_the_environment_chooses_the_vector_unit() -> None:
    best, *levels = native_with("").stdout.split()
    assert best == levels[-1]
    for level in levels:
        assert native_with(level).stdout.split() == [level, *levels]


def test_a_vector_unit_that_is_not_there_is_refused() -> None:
    done = native_with("mmx")
    assert done.returncode != 0 and done.stdout == ""
    words = "InputError: KERNELGAN_FAST_SIMD must be a level that this build and this CPU have"
    assert words in done.stderr and done.stderr.endswith("got 'mmx'\n")


def test_info_says_who_chose_the_vector_unit(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for value, words in (("", "avx512)"), ("baseline", "avx512; set by KERNELGAN_FAST_SIMD)")):
        monkeypatch.setenv("KERNELGAN_FAST_SIMD", value)
        facts = {**native.info(), "simd_levels": ["baseline", "avx2", "avx512"]}
        monkeypatch.setattr(info, "_extension", lambda facts=facts: (facts, None))
        assert main(["info"]) == 0
        assert f"(of baseline, avx2, {words}\n" in capsys.readouterr().out


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
        (None, False, "this torch is built without CUDA"),
        ("12.8", False, "torch sees no GPU"),
        ("12.8", True, "torch 12.8 sees 2 GPUs"),
    ],
)
def test_cuda_is_described(
    cuda: str | None, available: bool, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.version, "cuda", cuda)
    cards = SimpleNamespace(is_available=lambda: available, device_count=lambda: 2)
    monkeypatch.setattr(torch, "cuda", cards)
    assert words in info._cuda(None)
    assert (
        info._cuda({"cuda": None}) == f"no kernels in this build, KGF_CUDA=ON makes them; {words}"
    )
    assert info._cuda({"cuda": "13.0.88"}) == f"kernels made by CUDA 13.0.88; {words}"


def test_gpus_are_listed_with_whether_kernels_run_on_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    built = {**native.info(), "cuda": "13.0.88", "cuda_architectures": ["80-real", "90-real"]}
    monkeypatch.setattr(info, "_extension", lambda: (built, None))
    cards = [
        SimpleNamespace(name="New", major=9, minor=0, total_memory=80 << 30),
        SimpleNamespace(name="Old", major=7, minor=5, total_memory=16 << 30),
    ]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: cards[index])
    monkeypatch.setattr("kernelgan_fast.estimation.devices.what_auto_means", lambda: "cpu")
    assert main(["info"]) == 0
    out = capsys.readouterr().out
    assert "cuda:0          New, compute capability 9.0, 80.0 GiB\n" in out
    assert "cuda:1          Old, compute capability 7.5, 16.0 GiB; no kernels for it here" in out


def test_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert info._cuda(None) == "torch is not installed"
