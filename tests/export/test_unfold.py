"""The unfolding network as a model: what it computes, and what it says of itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from models import blur, write_weights
from numpy.typing import NDArray

from kernelgan_fast.degradation import shapes
from kernelgan_fast.export import onnx as export
from kernelgan_fast.export import parity
from kernelgan_fast.export.unfold import unfold_model
from kernelgan_fast.kernels import BlurKernel
from kernelgan_fast.runtime.session import Session
from kernelgan_fast.sr import weights
from kernelgan_fast.sr.unfold import Unfold
from kernelgan_fast.sr.unfolding_network import UnfoldingNetwork
from kernelgan_fast.sr.upscaler import Options

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

NOISE, ERROR, COMPRESSION = 3.0, 0.2, 0.4


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_weights(tmp_path / "tiny.safetensors")


def model(file: Path, kernel: BlurKernel, *, baked: bool, precision: str = "float32") -> bytes:
    network, _ = weights.load(file)
    assert isinstance(network, UnfoldingNetwork)
    options = Options(noise=NOISE, kernel_error=ERROR, compression=COMPRESSION)
    return unfold_model(
        network, kernel if baked else None, kernel.size, kernel.scale, options=options,
        precision=precision,
    )  # fmt: skip


def given(kernel: BlurKernel) -> dict[str, NDArray[np.float32]]:
    numbers = {"noise": NOISE, "kernel_error": ERROR, "compression": COMPRESSION}
    return {"kernel": kernel.array.astype(np.float32)} | {
        name: np.array([value], np.float32) for name, value in numbers.items()
    }


def kernel_of(scale: int) -> BlurKernel:
    if scale in (2, 4):
        return blur(scale)
    covariance = shapes.covariance_matrix(0.9 * scale, 0.6 * scale, 30)
    return BlurKernel(shapes.gaussian(covariance, 15, scale), scale)


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_it_does_what_pytorch_does(file: Path, scale: int, precision: str) -> None:
    kernel = kernel_of(scale)
    upscaler = Unfold(
        kernel, Options(noise=NOISE, kernel_error=ERROR, compression=COMPRESSION, weights=file)
    )
    images = np.random.default_rng(0).random((2, 3, 19, 30), np.float32)
    expected = np.concatenate([upscaler(torch.from_numpy(image[None])) for image in images])
    for baked in (True, False):
        session = Session(model(file, kernel, baked=baked, precision=precision))
        got = session.run(image=images, **({} if baked else given(kernel)))
        assert got.shape == expected.shape == (2, 3, 19 * scale, 30 * scale)
        assert np.abs(got - expected).max() < parity.TOLERANCES[precision]


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_a_neutral_photo_stays_neutral(file: Path, scale: int) -> None:
    grey = np.random.default_rng(0).random((1, 1, 20, 26), np.float32).repeat(3, axis=1)
    red, green, blue = Session(model(file, kernel_of(scale), baked=True)).run(image=grey)[0]
    assert np.array_equal(red, green) and np.array_equal(blue, green)


def test_every_input_has_an_effect(file: Path) -> None:
    kernel = blur(2)
    session = Session(model(file, kernel, baked=False))
    image = np.random.default_rng(0).random((1, 3, 24, 24), np.float32)
    plain = session.run(image=image, **given(kernel))
    for name, value in (("noise", 15.0), ("kernel_error", 0.6), ("compression", 0.0)):
        changed = {**given(kernel), name: np.array([value], np.float32)}
        assert not np.allclose(session.run(image=image, **changed), plain, atol=1e-3)


def test_the_command_writes_it(tmp_path: Path, file: Path) -> None:
    path = tmp_path / "m.onnx"
    done = export.export_sr(path, kernel=blur(2), noise=2.0, weights_file=file)
    assert 0 < done.difference < parity.TOLERANCES["float32"]
    said = {entry.key: entry.value for entry in onnx.load(str(path)).metadata_props}
    assert said["kernelgan_fast.method"] == "unfold" and said["kernelgan_fast.noise"] == "2.0"
    assert said["kernelgan_fast.compression"] == "0.0"
    assert said["kernelgan_fast.multiple"] == "2" and said["kernelgan_fast.context"] == "48"
    sizes = export.export_sr(path, size=13, scale=4, weights_file=file)
    assert 0 < sizes.difference < parity.TOLERANCES["float32"]
