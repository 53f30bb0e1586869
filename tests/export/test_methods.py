"""zssr and srmd as models: what they compute, what they say of themselves, and what is refused."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from models import blur, narrow_blur, write_srmd_weights, write_weights
from quick import pixels

from kernelgan_fast import upscale
from kernelgan_fast.errors import ImageError, InputError
from kernelgan_fast.export import onnx as export
from kernelgan_fast.export import parity
from kernelgan_fast.runtime.session import Session
from kernelgan_fast.sr import prepare
from kernelgan_fast.sr.srmd import Srmd
from kernelgan_fast.sr.tiling import as_tensor
from kernelgan_fast.sr.upscaler import Options

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
PHOTO = pixels(34, 41)


@pytest.fixture(autouse=True)
def little_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Crops and photos of a fraction of the work; other sizes are compared below."""
    monkeypatch.setattr("kernelgan_fast.sr.zssr._CROP", 16)
    monkeypatch.setattr(parity, "SIZES", ((17, 23),))


def images(height: int, width: int) -> Any:
    """Two, with detail up to the border."""
    return np.random.default_rng(0).random((2, 3, height, width), np.float32)


def properties(path: Path) -> dict[str, str]:
    said = {entry.key: entry.value for entry in onnx.load(str(path)).metadata_props}
    return {key.removeprefix("kernelgan_fast."): value for key, value in said.items()}


def assert_agrees(path: Path, upscaler: Any, scale: int, precision: str) -> None:
    for height, width in ((16, 31), (23, 18), (1, 5)):
        photos = images(height, width)
        expected = np.concatenate([upscaler(torch.from_numpy(photo[None])) for photo in photos])
        got = Session(path).run(image=photos)
        assert got.shape == expected.shape == (2, 3, height * scale, width * scale)
        assert np.abs(got - expected).max() < parity.TOLERANCES[precision]


@pytest.mark.parametrize(
    ("scale", "precision", "noise"),
    [(2, "float32", None), (4, "float32", None), (2, "float16", None), (4, "float32", 5.0)],
)
def test_zssr(tmp_path: Path, scale: int, precision: str, noise: float | None) -> None:
    path, kernel = tmp_path / "m.onnx", blur(scale)
    told: list[float] = []
    options = Options(iterations=3, seed=5, noise=noise)
    done = export.export_sr(
        path, method="zssr", kernel=kernel, photo=PHOTO, iterations=3, seed=5, noise=noise,
        precision=precision, progress=told.append,
    )  # fmt: skip
    assert 0 < done.difference < parity.TOLERANCES[precision] and len(told) == 3
    upscaler = prepare("zssr", kernel, options, as_tensor(PHOTO))
    assert_agrees(path, upscaler, scale, precision)
    said = properties(path)
    assert np.array_equal(json.loads(said.pop("kernel")), kernel.array)
    assert said["photo"] == f"sha256 {hashlib.sha256(PHOTO.tobytes()).hexdigest()}"
    assert (said["iterations"], said["seed"], said["noise"]) == ("3", "5", str(noise or 0.0))
    assert (said["task"], said["method"], said["scale"]) == ("upscale", "zssr", str(scale))
    assert (said["context"], said["multiple"], said["least_side"]) == ("16", "1", "1")
    assert said["kernel_input"] == "no" and said["licence"].startswith("that of the weights")
    if precision == "float16":
        kinds = [tensor.data_type for tensor in onnx.load(str(path)).graph.initializer]
        assert kinds.count(onnx.TensorProto.FLOAT16) == 8


@pytest.mark.parametrize(
    ("scale", "precision", "takes_noise"),
    [(2, "float32", True), (4, "float32", False), (2, "float16", True)],
)
def test_srmd(tmp_path: Path, scale: int, precision: str, takes_noise: bool) -> None:
    path, kernel = tmp_path / "m.onnx", narrow_blur(scale)
    weights = write_srmd_weights(tmp_path / "srmd.pth", scale, takes_noise=takes_noise)
    noise = 2.0 if takes_noise else None
    export.export_sr(
        path, method="srmd", kernel=kernel, weights_file=weights, noise=noise, precision=precision
    )
    upscaler = Srmd(kernel, Options(weights=weights, noise=noise))
    assert_agrees(path, upscaler, scale, precision)
    said = properties(path)
    assert said["weights"] == f"sha256 {hashlib.sha256(weights.read_bytes()).hexdigest()}"
    assert (said["method"], said["context"], said["noise"]) == ("srmd", "3", str(noise or 0.0))
    assert said["licence"].startswith("that of the weights")


def test_they_enlarge_photos_in_tiles(tmp_path: Path) -> None:
    photo = pixels(90, 101)
    weights = write_srmd_weights(tmp_path / "srmd.pth", 2)
    for method, more in (
        ("zssr", {"photo": photo, "iterations": 2}),
        ("srmd", {"weights_file": weights}),
    ):
        path = tmp_path / f"{method}.onnx"
        export.export_sr(path, method=method, kernel=narrow_blur(2), **more)
        whole, tiled = (upscale(photo, engine=path, tile=tile, threads=1) for tile in (0, 32))
        assert whole.method == method and whole.pixels.shape == (180, 202, 3)
        assert np.abs(whole.pixels.astype(int) - tiled.pixels).max() <= 1


def test_weights_of_ours_are_under_our_licence(tmp_path: Path) -> None:
    weights = write_weights(tmp_path / "tiny.safetensors")
    for file, licence in ((None, "Apache-2.0"), (weights, "that of the weights")):
        export.export_sr(tmp_path / "m.onnx", kernel=blur(2), weights_file=file)
        assert properties(tmp_path / "m.onnx")["licence"].startswith(licence)


def test_a_missing_package_is_told_before_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kernelgan_fast.export.methods.ZeroShot", None)
    for package in ("onnx", "onnxruntime"):
        with monkeypatch.context() as without:
            without.setitem(sys.modules, package, None)
            with pytest.raises(InputError, match=r"pip install 'kernelgan-fast\[onnx\]'"):
                export.export_sr(tmp_path / "m.onnx", method="zssr", kernel=blur(2), photo=PHOTO)


def test_what_is_refused(tmp_path: Path) -> None:
    file, kernel = tmp_path / "m.onnx", blur(2)
    weights = write_srmd_weights(tmp_path / "srmd.pth", 4)
    zssr: dict[str, Any] = {"method": "zssr", "photo": PHOTO}
    wrongs: dict[str, dict[str, Any]] = {
        "zssr learns from a photo, got none": {"method": "zssr", "kernel": kernel},
        "which cannot be an input, got a size": {**zssr, "size": 13},
        "zssr makes weights of its own, got w.pth": {
            **zssr, "kernel": kernel, "weights_file": "w.pth",
        },
        "iterations must be at least 1, got 0": {**zssr, "kernel": kernel, "iterations": 0},
        "only zssr learns from a photo, got a photo or iterations for srmd": {
            "method": "srmd", "kernel": kernel, "photo": PHOTO,
        },
        "iterations for unfold; leave them out": {"kernel": kernel, "iterations": 3},
        "fitted to the kernel, which no graph can": {"method": "srmd", "size": 13},
        "srmd needs weights from a file that you have": {"method": "srmd", "kernel": kernel},
        "these weights enlarge 4 times, the kernel is for 2": {
            "method": "srmd", "kernel": kernel, "weights_file": weights,
        },
    }  # fmt: skip
    for text, wrong in wrongs.items():
        with pytest.raises(InputError, match=text):
            export.export_sr(file, **wrong)
    with pytest.raises(ImageError, match="at least 16x16 px, got 41x15"):
        export.export_sr(file, method="zssr", kernel=kernel, photo=PHOTO[:15])
    assert not file.exists()
