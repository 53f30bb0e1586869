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


def test_bound_is_unbound() -> None:
    """The same code binds the memory of a GPU."""
    random = np.random.default_rng(0)
    session = Session(MODEL, threads=1)
    kernels = random.random((2, 13, 13), np.float32)
    bound = session.bind(kernel=kernels[0])
    expected_of, results = kernels[0].copy(), []
    kernels[0] = 0  # it has been copied
    images = [random.random((n, 3, h, 37), np.float32) for n, h in ((1, 33), (1, 33), (2, 40))]
    images += [images[0][..., ::-1], images[2][:1]]
    for image in images:
        before = image.copy()
        results.append(bound.run(image=image))
        assert np.array_equal(image, before)
    for image, result in zip(images, results, strict=True):
        assert np.array_equal(result, session.run(image=image, kernel=expected_of))
    other = session.bind(kernel=kernels[1])
    assert not np.array_equal(other.run(image=images[0]), results[0])


def test_all_inputs_may_change_or_none_be_fixed() -> None:
    session = Session(downscale_model(blur(2), blur(2).size, 2))
    image = np.random.default_rng(0).random((1, 3, 40, 37), np.float32)
    assert np.array_equal(session.bind().run(image=image), session.run(image=image))


def test_wrong_inputs_of_bound_sessions_are_refused() -> None:
    bound = Session(MODEL).bind(kernel=np.zeros((13, 13), np.float32))
    with pytest.raises(InputError, match="the model takes image, kernel, got kernel"):
        bound.run()
    with pytest.raises(InputError, match=r"image must be of shape \(n, 3, h, w\), got \(1, 1, 32"):
        bound.run(image=np.zeros((1, 1, 32, 32), np.float32))


@pytest.mark.parametrize(
    ("device", "place"), [("cuda:1", ("cuda", 1)), ("tensorrt", ("cuda", 0)), ("cpu", ("cpu", 0))]
)
def test_where_memory_is_bound(
    device: str, place: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(MODEL)
    session.device, session._number = device, place[1]
    asked = []

    def binding(session: object, place: tuple[str, int], fixed: object, output: str) -> None:
        asked.append((place, output))

    monkeypatch.setattr("kernelgan_fast.runtime.session.Binding", binding)
    session.bind()
    assert asked == [(place, "result")]


def test_memory_that_ran_out_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(MODEL)
    inputs = {"image": np.zeros((1, 3, 32, 32), np.float32), "kernel": np.zeros((13, 13), "f")}

    class Failing:
        words = "Failed to allocate memory for requested buffer of size 1"

        def run(self, *arguments: object) -> None:
            raise Exception(self.words)

    monkeypatch.setattr(session, "_session", Failing())
    with pytest.raises(MemoryError, match="buffer of size 1"):
        session.run(**inputs)
    Failing.words = "no kernel image"
    with pytest.raises(Exception, match="no kernel image"):
        session.run(**inputs)


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


def test_nothing_falls_back_in_silence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
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
    monkeypatch.setattr(ort, "preload_dlls", lambda: print("Failed to load libcudart"))
    with pytest.raises(DeviceUnavailable, match="install onnxruntime-gpu in place of"):
        Session(MODEL, device="tensorrt")
    assert capsys.readouterr().out == ""
    monkeypatch.delattr(ort, "preload_dlls")  # as of old

    def fails(*arguments: object, **more: object) -> None:
        raise RuntimeError("no libnvinfer")

    monkeypatch.setattr(ort, "InferenceSession", fails)
    with pytest.raises(DeviceUnavailable, match="no libnvinfer"):
        Session(MODEL, device="tensorrt")


def test_a_missing_package_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match=r"pip install 'kernelgan-fast\[onnx\]'"):
        Session(MODEL)
