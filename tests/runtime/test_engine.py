"""A model in the place of a method."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from models import blur, write_weights
from quick import pixels

from kernelgan_fast import upscale
from kernelgan_fast.errors import InputError
from kernelgan_fast.export.onnx import export_downscale, export_sr
from kernelgan_fast.jobs.upscale import upscale_settings
from kernelgan_fast.kernels import BlurKernel
from kernelgan_fast.runtime.engine import Engine, framed
from kernelgan_fast.runtime.model_metadata import read_metadata
from kernelgan_fast.sr.conditioning import Conditioning
from kernelgan_fast.sr.tiling import as_tensor
from kernelgan_fast.sr.unfold import Unfold
from kernelgan_fast.sr.upscaler import Options

pytest.importorskip("onnxruntime")
PHOTO = pixels(90, 101)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder: weights, a model with a kernel and one that takes kernels, and a downscaler."""
    folder = tmp_path_factory.mktemp("models")
    weights = write_weights(folder / "tiny.safetensors")
    export_sr(folder / "baked.onnx", kernel=blur(2), noise=3.0, weights_file=weights)
    export_sr(folder / "takes.onnx", size=blur(2).size + 4, weights_file=weights)
    export_downscale(folder / "down.onnx", size=13)
    return folder


@pytest.mark.parametrize("tile", [0, 32])
def test_it_does_what_the_method_does(models: Path, tile: int) -> None:
    expected = upscale(
        PHOTO,
        kernel=blur(2),
        method="unfold",
        noise=3.0,
        weights=models / "tiny.safetensors",
        precision="float32",  # as the models; some CPUs would compute in bfloat16
    )
    baked = upscale(PHOTO, engine=models / "baked.onnx", tile=tile)
    takes = upscale(
        PHOTO, engine=models / "takes.onnx", kernel=blur(2), noise=3.0, tile=tile, threads=1
    )
    assert baked.method == takes.method == "unfold"
    assert np.allclose(baked.kernel.array, blur(2).array) and baked.kernel.scale == 2
    for result in (baked, takes):
        difference = np.abs(result.pixels.astype(int) - expected.pixels)
        assert result.pixels.shape == (180, 202, 3) and difference.max() <= 1


def test_a_model_that_takes_the_compression(tmp_path: Path) -> None:
    weights = write_weights(tmp_path / "tiny.safetensors")
    export_sr(tmp_path / "m.onnx", size=13, weights_file=weights)
    low = as_tensor(pixels(30, 33))
    engine = Engine(tmp_path / "m.onnx")
    plain = engine.upscaler(blur(2), Conditioning(3.0, 0.1))(low)
    compressed = engine.upscaler(blur(2), Conditioning(3.0, 0.1, compression=0.5))(low)
    expected = Unfold(
        blur(2), Options(noise=3.0, kernel_error=0.1, compression=0.5, weights=weights)
    )(low)
    assert torch.allclose(compressed, expected, atol=1e-5)
    assert not torch.allclose(compressed, plain, atol=1e-3)


def test_what_does_not_fit_the_model(models: Path) -> None:
    baked, takes = models / "baked.onnx", models / "takes.onnx"
    for text, wrong in {
        "an engine is a finished model, got method and weights too": {
            "engine": baked, "method": "unfold", "weights": "w.safetensors",
        },
        "got precision too": {"engine": baked, "precision": "float16"},
        "enlarges 2 times, got scale 4": {"engine": takes, "scale": 4},
        "has its kernel and its noise built in": {"engine": baked, "kernel": blur(2)},
        "built in; leave both out": {"engine": baked, "noise": 2.0},
        "its noise built in; leave both": {"engine": baked, "noise": "auto"},
        "down.onnx: the model is one to downscale": {"engine": models / "down.onnx"},
        "the kernel is for scale 4, got scale 2": {"engine": takes, "kernel": blur(4)},
    }.items():  # fmt: skip
        with pytest.raises(InputError, match=text):
            upscale(PHOTO, **wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="the model is for scale 2, the kernel for 4"):
        Engine(takes).upscaler(blur(4), Conditioning())


def test_only_models_without_their_own_noise_measure_it(models: Path) -> None:
    assert upscale_settings(engine=models / "takes.onnx").noise == "auto"
    assert upscale_settings(engine=models / "baked.onnx").noise is None


def test_kernels_are_framed() -> None:
    small = framed(blur(2), blur(2).size + 4)
    assert small.dtype == np.float32 and small.sum() == pytest.approx(1, abs=1e-6)
    assert np.array_equal(small[2:-2, 2:-2], blur(2).array.astype(np.float32))
    wide = BlurKernel(np.full((15, 15), 1 / 225), 2)
    with pytest.raises(InputError, match=r"up to 13 x 13, got 15 x 15; export one with --size 15"):
        framed(wide, 13)


def test_cards_that_cannot_be_read() -> None:
    with pytest.raises(InputError, match="m: the model does not say its scale"):
        read_metadata({"author": "somebody"}, "m")
    damaged = {"kernelgan_fast.task": "upscale", "kernelgan_fast.kernel_input": "yes"}
    with pytest.raises(
        InputError, match=r"m: the model's properties are damaged \('scale' is missing\)"
    ):
        read_metadata(damaged, "m")
