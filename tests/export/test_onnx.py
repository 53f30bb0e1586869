"""Exported models: what they compute, what they say of themselves, and what is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from models import blur, inputs, write_weights

import kernelgan_fast
from kernelgan_fast.errors import InputError, OutputError
from kernelgan_fast.export import onnx as export
from kernelgan_fast.export import parity
from kernelgan_fast.kernels import BlurKernel
from kernelgan_fast.ops import reference
from kernelgan_fast.runtime.session import Session
from kernelgan_fast.sr.unfold import Unfold
from kernelgan_fast.sr.upscaler import Options

onnx = pytest.importorskip("onnx")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return write_weights(tmp_path / "tiny.safetensors")


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_downscale(tmp_path: Path, scale: int, precision: str) -> None:
    kernel = blur(scale)
    taps = torch.from_numpy(kernel.array.astype(np.float32))[None]
    files = [tmp_path / "baked.onnx", tmp_path / "input.onnx"]
    export.export_downscale(files[0], kernel=kernel, precision=precision)
    done = export.export_downscale(files[1], size=kernel.size, scale=scale, precision=precision)
    assert done.path == files[1] and done.size == files[1].stat().st_size
    assert 0 <= done.difference < parity.TOLERANCES[precision]
    # Two at once, odd sides, and one side as small as it may be.
    least = kernel.size // 2
    for height, width in ((least, 45), (51, 37)):
        images = np.random.default_rng(0).random((2, 3, height, width), np.float32)
        expected = reference.downscale(torch.from_numpy(images), taps, scale).numpy()
        for file, told in zip(files, ({}, {"kernel": taps[0].numpy()}), strict=True):
            got = Session(file).run(image=images, **told)
            assert got.shape == expected.shape == (2, 3, -(-height // scale), -(-width // scale))
            assert np.abs(got - expected).max() < parity.TOLERANCES[precision]


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_unfold(tmp_path: Path, weights: Path, scale: int, precision: str) -> None:
    kernel = blur(scale)
    common: dict[str, Any] = {"weights_file": weights, "precision": precision}
    files = [tmp_path / "baked.onnx", tmp_path / "input.onnx"]
    export.export_sr(files[0], kernel=kernel, noise=2.0, kernel_error=0.1, **common)
    export.export_sr(files[1], size=kernel.size, scale=scale, **common)
    upscaler = Unfold(kernel, Options(noise=2.0, kernel_error=0.1, weights=weights))
    images = np.stack(
        [np.full((3, 19, 30), 0.5, np.float32), np.mgrid[:3, :19, :30][2] / np.float32(30)]
    ).astype(np.float32)
    expected = np.concatenate([upscaler(torch.from_numpy(image[None])) for image in images])
    for file, told in zip(files, ({}, inputs(kernel, 2.0, 0.1)), strict=True):
        got = Session(file).run(image=images, **told)
        assert got.shape == expected.shape == (2, 3, 19 * scale, 30 * scale)
        assert np.abs(got - expected).max() < parity.TOLERANCES[precision]


def test_less_noise_than_rounding_leaves_is_rounding(tmp_path: Path, weights: Path) -> None:
    kernel = blur(2)
    export.export_sr(tmp_path / "m.onnx", size=kernel.size, weights_file=weights)
    session = Session(tmp_path / "m.onnx")
    image = np.random.default_rng(0).random((1, 3, 24, 24), np.float32)
    none, rounding, much = (
        session.run(image=image, **inputs(kernel, noise, 0.0)) for noise in (0.0, 12**-0.5, 20.0)
    )
    assert np.array_equal(none, rounding) and not np.allclose(none, much, atol=1e-3)


def test_one_file_that_says_what_it_is(tmp_path: Path, weights: Path) -> None:
    kernel = blur(2)
    export.export_sr(tmp_path / "m.onnx", kernel=kernel, weights_file=weights)
    model = onnx.load(str(tmp_path / "m.onnx"), load_external_data=False)
    assert all(not tensor.external_data for tensor in model.graph.initializer)
    assert [entry.version for entry in model.opset_import] == [18]
    shape = model.graph.output[0].type.tensor_type.shape
    sides = [side.dim_param or side.dim_value for side in shape.dim]
    assert sides == ["n", 3, "2*h", "2*w"]
    said = {entry.key: entry.value for entry in model.metadata_props}
    assert np.array_equal(json.loads(said.pop("kernelgan_fast.kernel")), kernel.array)
    assert said.pop("kernelgan_fast.weights").startswith("sha256 ")
    assert said.pop("kernelgan_fast.kernel_convention").startswith("correlation, centre of mass")
    assert said == {
        "kernelgan_fast.task": "upscale",
        "kernelgan_fast.method": "unfold",
        "kernelgan_fast.scale": "2",
        "kernelgan_fast.range": "[0, 1]",
        "kernelgan_fast.layout": "NCHW RGB",
        "kernelgan_fast.kernel_input": "no",
        "kernelgan_fast.kernel_size": str(kernel.size),
        "kernelgan_fast.noise": "0.0",
        "kernelgan_fast.kernel_error": "0.0",
        "kernelgan_fast.compression": "0.0",
        "kernelgan_fast.context": "48",
        "kernelgan_fast.multiple": "2",
        "kernelgan_fast.least_side": "9",
        "kernelgan_fast.precision": "float32",
        "kernelgan_fast.version": kernelgan_fast.__version__,
        "kernelgan_fast.licence": "that of the weights, which are their owner's",
    }
    assert str(tmp_path).encode() not in (tmp_path / "m.onnx").read_bytes()


def test_float16_is_of_the_network_alone(tmp_path: Path, weights: Path) -> None:
    """CPUs run it as float32, so that results alone would not show it."""
    export.export_sr(tmp_path / "m.onnx", kernel=blur(2), weights_file=weights, precision="float16")
    model = onnx.load(str(tmp_path / "m.onnx"))
    half, full = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT
    kinds = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    biased = [kinds[node.input[1]] for node in convolutions if len(node.input) == 3]
    data_steps = [kinds[node.input[1]] for node in convolutions if len(node.input) == 2]
    assert set(biased) == {half} and set(data_steps) == {full} and len(data_steps) == 7
    ends = [*model.graph.input, *model.graph.output]
    assert {end.type.tensor_type.elem_type for end in ends} == {full}


def test_the_same_twice(tmp_path: Path, weights: Path) -> None:
    for name in "ab":
        export.export_sr(tmp_path / name, size=13, weights_file=weights)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_model_that_differs_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "m.onnx"
    file.write_bytes(b"old")
    monkeypatch.setitem(parity.TOLERANCES, "float32", -1.0)
    with pytest.raises(OutputError, match=r"differs from PyTorch by .*nothing was written"):
        export.export_downscale(file, kernel=blur(2))
    monkeypatch.setattr(reference, "downscale", lambda images, kernel, scale: images)
    with pytest.raises(OutputError, match=r"the model makes .*nothing was written"):
        export.export_downscale(file, kernel=blur(2))
    assert file.read_bytes() == b"old" and list(tmp_path.iterdir()) == [file]


def test_what_is_refused(tmp_path: Path, weights: Path) -> None:
    file, kernel = tmp_path / "m.onnx", blur(2)
    for text, wrong in {
        "precision must be one of": {"kernel": kernel, "precision": "int8"},
        "got both; give --kernel, or --size": {"kernel": kernel, "size": 13},
        "got neither; give --kernel, or --size": {},
        "scale must be 2 or 4, got 3": {"size": 13, "scale": 3},
        "size must be odd, 3 to 63, got 12": {"size": 12},
        "size must be odd, 3 to 63, got 65": {"size": 65},
    }.items():
        with pytest.raises(InputError, match=text):
            export.export_downscale(file, **wrong)  # type: ignore[arg-type]
    for text, wrong in {
        "can be exported are unfold, zssr, srmd, got 'tv'": {
            "size": 13,
            "method": "tv",
        },
        "noise must be 0 to 255": {"kernel": kernel, "noise": -1.0},
        "noise is an input": {"size": 13, "noise": 2.0},
    }.items():
        with pytest.raises(InputError, match=text):
            export.export_sr(file, weights_file=weights, **wrong)  # type: ignore[arg-type]
    assert not file.exists()


def test_a_missing_package_names_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InputError, match=r"pip install 'kernelgan-fast\[onnx\]'"):
        export.export_downscale(tmp_path / "m.onnx", kernel=BlurKernel(np.full((3, 3), 1 / 9), 2))
