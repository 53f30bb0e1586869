"""The unfolding network: neutral colours, conditions, number formats, weights on disk."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from degraded import Degraded
from models import blur, write_weights
from safetensors.torch import load_file, save_file
from torch import Tensor

from kernelgan_fast.degradation import shapes
from kernelgan_fast.errors import InputError
from kernelgan_fast.kernels import BlurKernel
from kernelgan_fast.sr import weights
from kernelgan_fast.sr.forward_model import ForwardModel
from kernelgan_fast.sr.precision import chosen_precision, precision_of
from kernelgan_fast.sr.unfold import Unfold
from kernelgan_fast.sr.unfolding_network import (
    MAX_TAU,
    MIN_TAU,
    Architecture,
    Conditions,
    UnfoldingNetwork,
)
from kernelgan_fast.sr.upscaler import Options

TINY = Architecture(stages=2, width=8, coarse_width=6)  # of `models.write_weights`


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    return write_weights(tmp_path / "tiny.safetensors")


def kernel_of(scale: int) -> BlurKernel:
    if scale in (2, 4):
        return blur(scale)
    covariance = shapes.covariance_matrix(0.9 * scale, 0.6 * scale, 30)
    return BlurKernel(shapes.gaussian(covariance, 15, scale), scale)


def noise(height: int, width: int, channels: int = 3) -> Tensor:
    return torch.rand(1, channels, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_every_scale_and_size(stored: Path, scale: int) -> None:
    upscaler = Unfold(kernel_of(scale), Options(weights=stored))
    for height, width in ((23, 17), (24, 18), (1, 3)):
        result = upscaler(noise(height, width))
        assert result.shape == (1, 3, height * scale, width * scale)
        assert bool(torch.isfinite(result).all())


def test_automatic_precision_is_resolved_by_method_and_device() -> None:
    cpu = torch.device("cpu")
    assert chosen_precision("bfloat16", "srmd", cpu) == "bfloat16"
    assert chosen_precision("auto", "tv", cpu) == chosen_precision("auto", "zssr", cpu) == "float32"
    assert chosen_precision("auto", "unfold", torch.device("cuda")) == "float16"
    assert getattr(torch, chosen_precision("auto", "unfold", cpu)) == precision_of("auto", cpu)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "auto"])
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_a_neutral_photo_stays_neutral(stored: Path, scale: int, precision: str) -> None:
    options = Options(weights=stored, precision=precision, noise=3.0)
    grey = noise(20, 26, 1).expand(-1, 3, -1, -1)
    red, green, blue = Unfold(kernel_of(scale), options)(grey)[0]
    assert torch.equal(red, green) and torch.equal(blue, green)


def test_colour_is_changed_only_near_colour(stored: Path) -> None:
    low = noise(40, 60, 1).repeat(1, 3, 1, 1)
    low[:, 0, :, :10] = 0.9
    red, green, _ = Unfold(blur(2), Options(weights=stored))(low)[0]
    assert float((red - green)[:, :20].abs().max()) > 0.1
    assert float((red - green)[:, 110:].abs().max()) < 0.05


def test_it_fits_the_photo(degraded: Degraded) -> None:
    """Untrained, the stages are little more than data steps."""
    scale = degraded.kernel.scale
    torch.manual_seed(0)
    network = UnfoldingNetwork(Architecture(stages=3, width=8, coarse_width=6))
    for convolution in network.write.values():
        torch.nn.init.zeros_(convolution.weight)
    model = ForwardModel.of(degraded.kernel)
    given = Conditions(*(torch.zeros(1) for _ in range(3)))
    taus, biases = network.conditions(given, scale)
    low = degraded.low[..., :24, :40]
    planes = low.reshape(3, 1, 24, 40)

    def data_step(estimate: Tensor, stage: int) -> Tensor:
        high = torch.nn.functional.pixel_shuffle(estimate, scale)[0][:, None]
        step = model.data_step(high, planes, model.inverse_filter(taus[0, stage])) - high
        return torch.nn.functional.pixel_unshuffle(step[:, 0][None], scale)

    with torch.no_grad():
        results = network(low, scale, data_step, biases)
    missing = [
        (model.down(result[0][:, None]) - planes)[..., 4:-4, 4:-4].abs().mean()
        for result in results
    ]
    assert missing[2] < missing[1] < missing[0] < 0.02


def test_conditions_of_several_photos() -> None:
    network = UnfoldingNetwork(Architecture()).requires_grad_(False)
    torch.nn.init.normal_(network.conditioning[-1].weight, std=1.0)
    given = Conditions(torch.tensor([0.0, 0.1]), torch.tensor([0.0, 0.6]), torch.tensor([0.0, 1.0]))
    for scale in (1, 2, 3, 4):
        taus, biases = network.conditions(given, scale)
        assert taus.shape == (2, 4) and biases.shape == (2, 4, 64)
        assert float(taus.min()) >= MIN_TAU and float(taus.max()) <= MAX_TAU
        assert not torch.equal(taus[0], taus[1])
        alone = network.conditions(Conditions(*(each[1:] for each in given)), scale)
        assert torch.allclose(alone[0], taus[1:])
        assert torch.allclose(alone[1], biases[1:], atol=1e-5)  # sums of 64 terms near 1


@pytest.mark.parametrize("fact", ["noise", "kernel_error", "compression"])
def test_every_condition_has_an_effect(stored: Path, fact: str) -> None:
    low = noise(16, 16)
    plain = Unfold(blur(2), Options(weights=stored))(low)
    value = 10.0 if fact == "noise" else 0.5
    changed = Unfold(blur(2), Options(weights=stored, **{fact: value}))(low)
    assert float((plain - changed).abs().max()) > 1e-3


def test_bfloat16_is_near_float32(degraded: Degraded, stored: Path) -> None:
    exact, rough = (
        Unfold(degraded.kernel, Options(weights=stored, precision=precision))(degraded.low)
        for precision in ("float32", "bfloat16")
    )
    assert 0 < (exact - rough).abs().max() < 0.02


def test_a_folder_of_tiles_is_the_photo(stored: Path) -> None:
    """Far from a border, a part of the photo gives what the whole gives."""
    upscaler = Unfold(blur(2), Options(weights=stored))
    low = noise(140, 24)
    whole, part = upscaler(low), upscaler(low[:, :, 20:])
    first = 2 * (20 + upscaler.context)
    assert torch.allclose(whole[:, :, first:], part[:, :, 2 * upscaler.context :], atol=1e-4)


def test_weights_come_back_as_they_were(stored: Path, tmp_path: Path) -> None:
    network, about = weights.load(stored)
    assert isinstance(network, UnfoldingNetwork) and about == {}
    assert network.architecture == TINY
    again = tmp_path / "again.safetensors"
    weights.save(network, again, about)
    assert again.read_bytes() == stored.read_bytes()


def test_the_default_network_is_small_enough(tmp_path: Path) -> None:
    network = UnfoldingNetwork(Architecture())
    assert sum(weight.numel() for weight in network.parameters()) <= 1_000_000
    weights.save(network, tmp_path / "w.safetensors", {})
    assert (tmp_path / "w.safetensors").stat().st_size <= 4_000_000


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stages": 0}, "1 to 64, got 0"),
        ({"width": 10**6}, "1 to 1024, got 1000000"),
        ({"coarse_width": -1}, "0 to 1024, got -1"),
        ({"stages": 3}, "the weights do not fit their shape"),
        ({"coarse_width": 0}, "the weights do not fit their shape"),
        ({"other": 1}, "it must have stages, width, blocks, coarse_width, coarse_blocks"),
    ],
)
def test_the_architecture_is_compared_with_the_tensors(
    stored: Path, changes: dict[str, int], message: str
) -> None:
    architecture = TINY.as_dict() | changes
    text = json.dumps({"format": weights.FORMAT, "architecture": architecture})
    save_file(load_file(stored), stored, {"kernelgan-fast": text})
    with pytest.raises(InputError, match=rf"tiny\.safetensors: .*{message}"):
        weights.load(stored)


def test_weights_that_cannot_be_used(tmp_path: Path, stored: Path) -> None:
    with pytest.raises(InputError, match="no such file; train weights"):
        weights.load(tmp_path / "none.safetensors")
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(stored.read_bytes()[:100])
    with pytest.raises(InputError, match="not a readable safetensors file"):
        weights.load(broken)
    foreign = tmp_path / "foreign.safetensors"
    save_file({"a": torch.zeros(1)}, foreign)
    with pytest.raises(InputError, match="the format must be 'kernelgan-fast unfold 2', got None"):
        weights.load(foreign)


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        (None, "the shape of its network is damaged"),
        ("text", "the shape of its network is damaged"),
        ({"stages": 2, "width": 8}, "it must have stages, width, blocks"),
        ({**TINY.as_dict(), "stages": True}, "got True"),
        ({**TINY.as_dict(), "stages": 2.0}, "got 2.0"),
        ({**TINY.as_dict(), "blocks": 10**8}, "1 to 64, got 100000000"),
    ],
)
def test_a_damaged_architecture(stored: Path, architecture: object, message: str) -> None:
    text = json.dumps({"format": weights.FORMAT, "architecture": architecture})
    save_file(load_file(stored), stored, {"kernelgan-fast": text})
    with pytest.raises(InputError, match=rf"tiny\.safetensors: .*{message}"):
        weights.load(stored)


@pytest.mark.parametrize("about", [None, "text", []])
def test_only_the_architecture_is_needed_of_the_metadata(stored: Path, about: object) -> None:
    metadata = {"format": weights.FORMAT, "architecture": TINY.as_dict(), "about": about}
    save_file(load_file(stored), stored, {"kernelgan-fast": json.dumps(metadata)})
    network, found = weights.load(stored)
    assert network.architecture == TINY and found == {}


@pytest.mark.parametrize("text", ["{not json", "[]", "7", "[" * 100_000, "null"])
def test_metadata_that_are_no_object(stored: Path, text: str) -> None:
    save_file(load_file(stored), stored, {"kernelgan-fast": text})
    with pytest.raises(InputError, match="the format must be"):
        weights.load(stored)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_must_be_finite(stored: Path, value: float) -> None:
    tensors = load_file(stored)
    tensors["read.2.weight"][0, 0, 0, 0] = value
    text = json.dumps({"format": weights.FORMAT, "architecture": TINY.as_dict()})
    save_file(tensors, stored, {"kernelgan-fast": text})
    with pytest.raises(InputError, match="must be finite"):
        weights.load(stored)


def test_names_of_precisions() -> None:
    cpu = torch.device("cpu")
    assert precision_of("bfloat16", cpu) is torch.bfloat16
    assert precision_of("auto", torch.device("cuda")) is torch.float16
    assert precision_of("auto", cpu) in (torch.float32, torch.bfloat16)
    with pytest.raises(InputError, match=r"must be one of auto, float32, .*, got 'int8'"):
        precision_of("int8", cpu)
