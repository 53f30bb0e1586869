"""Sessions run where they were asked to, or say why not."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from models import blur

from kernelgan_fast.errors import DeviceUnavailable, InputError
from kernelgan_fast.export.downscale import downscale_model
from kernelgan_fast.runtime.session import Session

ort = pytest.importorskip("onnxruntime")
MODEL = downscale_model(None, 13, 2)


def test_inputs_and_outputs_are_named() -> None:
    session = Session(MODEL, threads=1)
    assert session.device == "cpu" and session.properties["kernelgan_fast.task"] == "downscale"
    assert session.inputs == {"image": ("n", 3, "h", "w"), "kernel": (13, 13)}
    assert session.outputs == {"result": ("n", 3, "ceil(h/2)", "ceil(w/2)")}


def test_wrong_inputs_are_refused() -> None:
    session = Session(MODEL)
    image, kernel = np.zeros((1, 3, 32, 32), np.float32), np.zeros((13, 13), np.float32)
    with pytest.raises(InputError, match="the model takes image, kernel, got image"):
        session.run(image=image)
    with pytest.raises(InputError, match=r"image must be of shape \(n, 3, h, w\), got \(1, 1, 32"):
        session.run(image=image[:, :1], kernel=kernel)
    with pytest.raises(InputError, match=r"kernel must be of shape \(13, 13\), got \(11, 13\)"):
        session.run(image=image, kernel=kernel[:11])
    with pytest.raises(InputError, match=r"sides of image must be 6 px or more, got \(1, 3, 32, 0"):
        session.run(image=image[..., :0], kernel=kernel)


def test_files_that_are_no_models(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.onnx: no such file; kernelgan-fast export"):
        Session(tmp_path / "none.onnx")
    (tmp_path / "half.onnx").write_bytes(downscale_model(blur(2), blur(2).size, 2)[:5000])
    with pytest.raises(InputError, match=r"half\.onnx: not a model that ONNX Runtime can read"):
        Session(tmp_path / "half.onnx")


@pytest.mark.parametrize("device", ["gpu", "cpu:1", "cuda:x", ""])
def test_devices_that_there_are_not(device: str) -> None:
    with pytest.raises(InputError, match="a model runs on cpu, cuda, tensorrt"):
        Session(MODEL, device=device)


def test_nothing_falls_back_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime built for GPUs lists its providers where none can start, and takes the CPU."""
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(DeviceUnavailable, match="cuda:1: ONNX Runtime does not run the model"):
        Session(MODEL, device="cuda:1")

    class OnTheCpu:
        def __init__(self, *arguments: object, **more: object) -> None:
            assert more["providers"] == [("TensorrtExecutionProvider", {"device_id": "0"})]

        def get_providers(self) -> list[str]:
            return ["CPUExecutionProvider"]

    listed = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(ort, "get_available_providers", lambda: listed)
    monkeypatch.setattr(ort, "InferenceSession", OnTheCpu)
    with pytest.raises(DeviceUnavailable, match="install onnxruntime-gpu in place of"):
        Session(MODEL, device="tensorrt")

    def fails(*arguments: object, **more: object) -> None:
        raise RuntimeError("no libnvinfer")

    monkeypatch.setattr(ort, "InferenceSession", fails)
    with pytest.raises(DeviceUnavailable, match="no libnvinfer"):
        Session(MODEL, device="tensorrt")


def test_a_missing_package_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match=r"pip install 'kernelgan-fast\[onnx\]'"):
        Session(MODEL)
