"""Other people's networks; spandrel itself is optional, and mostly a stand-in here."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from small_sets import write_set
from torch import Tensor

from kernelgan_fast.errors import InputError
from kernelgan_fast.evaluation.sr_baselines import Baseline
from kernelgan_fast.evaluation.sr_bench import evaluate_sr
from kernelgan_fast.evaluation.sr_report import BICUBIC_WAY, MethodKernel
from kernelgan_fast.evaluation.sr_set import find_set


class Doubling:
    """A network that repeats pixels, in the form spandrel gives networks."""

    purpose, scale, input_channels, output_channels = "SR", 2, 3, 3

    def eval(self) -> Doubling:
        return self

    def __call__(self, low: Tensor) -> Tensor:
        return low.repeat_interleave(2, -1).repeat_interleave(2, -2)


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that a stand-in for spandrel reads."""

    class ModelLoader:
        def __init__(self, device: str) -> None:
            assert device == "cpu"

        def load_from_file(self, path: Path) -> Any:
            if path.read_bytes() == b"mask":
                return object()
            if path.read_bytes() != b"weights":
                raise KeyError
            return Doubling()

    stand_in = SimpleNamespace(ModelLoader=ModelLoader, ImageModelDescriptor=Doubling)
    monkeypatch.setitem(sys.modules, "spandrel", stand_in)
    file = tmp_path / "doubling.pth"
    file.write_bytes(b"weights")
    return file


def test_a_baseline_goes_one_way(weights: Path, tmp_path: Path) -> None:
    method = f"spandrel:{weights}"
    report = evaluate_sr(find_set(write_set(tmp_path / "set"), 2), [method], [])
    assert report.failures == () and report.ways == (BICUBIC_WAY, MethodKernel(method, ""))
    gain = report.rows[0].gain(MethodKernel(method, ""))
    assert gain is not None and -4 < gain < 0  # repeated pixels are worse than bicubic


def test_what_is_no_baseline(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"none\.pth: no such file"):
        Baseline("spandrel:none.pth", 2)
    with pytest.raises(InputError, match=r"channels \('SR', 4, 3, 3\), got \('SR', 2, 3, 3\)"):
        Baseline(f"spandrel:{weights}", 4)
    weights.write_bytes(b"mask")
    with pytest.raises(InputError, match="must take a photo alone"):
        Baseline(f"spandrel:{weights}", 2)
    weights.write_bytes(b"other")
    with pytest.raises(InputError, match=r"not weights that spandrel knows \(KeyError\)"):
        Baseline(f"spandrel:{weights}", 2)
    monkeypatch.setitem(sys.modules, "spandrel", None)
    with pytest.raises(InputError, match=r"pip install .kernelgan-fast\[baselines\]"):
        Baseline(f"spandrel:{weights}", 2)


def test_spandrel_itself(tmp_path: Path) -> None:
    pytest.importorskip("spandrel")
    from spandrel.architectures.RCAN import RCAN

    network = RCAN(
        scale=2, n_resgroups=1, n_resblocks=1, n_feats=16, reduction=4, rgb_range=1, norm=False
    )
    torch.save(network.state_dict(), tmp_path / "rcan.pth")
    baseline = Baseline(f"spandrel:{tmp_path / 'rcan.pth'}", 2)
    low = torch.rand(1, 3, 33, 20)
    before = low.clone()
    with torch.no_grad():
        high = baseline(low)
        assert torch.equal(low, before)
        assert torch.allclose(high, network(low.clone()).clamp(0, 1), atol=1e-6)
