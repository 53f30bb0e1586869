"""torch, ONNX Runtime in Python and the C++ engine agree on ten photos of odd sizes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from engine_abi import Engine
from models import blur, write_weights
from numpy.typing import NDArray
from PIL import Image

from kernelgan_fast import sdk
from kernelgan_fast.errors import NativeUnavailable
from kernelgan_fast.export.onnx import export_downscale, export_sr
from kernelgan_fast.kernels import BlurKernel
from kernelgan_fast.ops import reference
from kernelgan_fast.runtime.session import Session
from kernelgan_fast.sr.unfold import Unfold
from kernelgan_fast.sr.upscaler import Options

DATA = Path(__file__).resolve().parents[1] / "data"
HEIGHTS = (27, 33, 37, 31, 45, 29, 51, 35, 41, 43)
WIDTHS = (41, 35, 29, 53, 27, 29, 33, 47, 39, 25)
TOLERANCE = {"float32": 1e-5, "float16": 2e-3}
NOISE, ERROR, LEVEL = 2.0, 0.15, 0.25

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def photos() -> list[NDArray[np.float32]]:
    """Ten crops of the test photos, as (3, h, w) in [0, 1]."""
    crops = []
    for index, (height, width) in enumerate(zip(HEIGHTS, WIDTHS, strict=True)):
        pixels = np.asarray(Image.open(sorted(DATA.glob("*.png"))[index % 2]).convert("RGB"))
        crop = pixels[index * 5 :, index * 3 :][:height, :width]
        assert crop.shape == (height, width, 3)
        crops.append(np.ascontiguousarray(crop.transpose(2, 0, 1), np.float32) / 255)
    return crops


def largest_difference(
    path: Path,
    kernel: BlurKernel,
    truth: list[NDArray[np.float32]],
    images: list[NDArray[np.float32]],
) -> float:
    """Between any two of torch's results, ONNX Runtime's and the C++ engine's."""
    session, engine = Session(path, threads=1), Engine(path)
    told: dict[str, NDArray[np.float32]] = {}
    taps = kernel.array.astype(np.float32)
    for name in session.inputs:
        if name == "kernel":
            told[name] = taps
            engine.set_kernel(taps)
        elif name != "image":
            told[name] = np.array(
                [{"noise": NOISE, "kernel_error": ERROR, "compression": LEVEL}[name]], np.float32
            )
            engine.set_number(name, float(told[name][0]))
    differences = []
    for image, wanted in zip(images, truth, strict=True):
        by_python = session.run(image=image[None], **told)[0]
        by_engine = engine.run(image)
        differences += [np.abs(wanted - by_python).max(), np.abs(wanted - by_engine).max()]
        differences += [np.abs(by_python - by_engine).max()]
    engine.close()
    return float(max(differences))


def by_torch(
    kernel: BlurKernel, weights: Path | None, images: list[NDArray[np.float32]]
) -> list[NDArray[np.float32]]:
    """What the network makes in torch."""
    network = Unfold(
        kernel, Options(noise=NOISE, kernel_error=ERROR, compression=LEVEL, weights=weights)
    )
    with torch.no_grad():
        return [network(torch.from_numpy(image)[None])[0].numpy() for image in images]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        sdk.get_library()
    except NativeUnavailable as error:
        pytest.skip(str(error))
    return write_weights(tmp_path_factory.mktemp("weights") / "tiny.safetensors")


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("scale", [2, 4])
def test_networks_agree(tmp_path: Path, weights: Path, scale: int, precision: str) -> None:
    kernel, images, path = blur(scale), photos(), tmp_path / "model.onnx"
    truth = by_torch(kernel, weights, images)
    common = {"weights_file": weights, "precision": precision}
    export_sr(path, kernel=kernel, noise=NOISE, kernel_error=ERROR, compression=LEVEL, **common)
    assert largest_difference(path, kernel, truth, images) <= TOLERANCE[precision]
    export_sr(path, size=kernel.size, scale=scale, **common)
    assert largest_difference(path, kernel, truth, images) <= TOLERANCE[precision]


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_downscalers_agree(tmp_path: Path, weights: Path, precision: str) -> None:
    kernel, images, path = blur(2), photos(), tmp_path / "model.onnx"
    taps = torch.from_numpy(kernel.array.astype(np.float32))[None]
    truth = [reference.downscale(torch.from_numpy(one)[None], taps, 2)[0].numpy() for one in images]
    for given in ({"kernel": kernel}, {"size": kernel.size, "scale": 2}):
        export_downscale(path, precision=precision, **given)
        assert largest_difference(path, kernel, truth, images) <= TOLERANCE[precision]
