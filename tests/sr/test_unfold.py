"""The unfolding network: its shapes, its weights on disk, and tiles of it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from degraded import Degraded

from kernelgan_fast.errors import InputError
from kernelgan_fast.sr import weights
from kernelgan_fast.sr.forward_model import ForwardModel
from kernelgan_fast.sr.unfold import Unfold
from kernelgan_fast.sr.unfold_net import Shape, UnfoldNet
from kernelgan_fast.sr.upscaler import Options

TINY = Shape(stages=2, widths=(4, 6), blocks=1)


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """Weights of a tiny network that was not trained, but whose prior does something."""
    torch.manual_seed(0)
    network = UnfoldNet(TINY)
    torch.nn.init.normal_(network.prior.last.weight, std=0.01)
    path = tmp_path / "tiny.safetensors"
    weights.save(network, path, {"steps": 3})
    return path


def test_untrained_it_is_a_row_of_data_steps(degraded: Degraded) -> None:
    network = UnfoldNet(TINY)
    kernel = torch.tensor(degraded.kernel.array, dtype=torch.float32)
    model = ForwardModel(kernel, degraded.kernel.scale)
    inverses, levels = network.filters(model, 0.001, 0.0)
    stages = network(degraded.low[..., :24, :40], model, inverses, levels)
    assert len(stages) == 2
    scale = degraded.kernel.scale
    assert all(stage.shape == (1, 3, 24 * scale, 40 * scale) for stage in stages)
    missing = [
        (model.down(stage[:, :1]) - degraded.low[:, :1, :24, :40])[..., 4:-4, 4:-4].abs().mean()
        for stage in stages
    ]
    assert missing[1] < missing[0] < 0.01


def test_told_of_noise_it_trusts_the_photo_less_once_trained_to() -> None:
    network = UnfoldNet(TINY)
    torch.nn.init.constant_(network.control[-1].weight, 0.5)
    quiet, noisy = (network.controls(noise, 0.0, 2)[0].detach() for noise in (0.0, 0.04))
    assert not torch.equal(quiet, noisy)
    assert float(quiet.min()) >= 1e-3 and float(noisy.max()) <= 1e-1


def test_sizes_that_fit_no_level(degraded: Degraded, stored: Path) -> None:
    upscaler = Unfold(degraded.kernel, Options(weights=stored))
    low = degraded.low[..., :23, :17]
    result = upscaler(low)
    assert result.shape == (1, 3, 23 * upscaler.scale, 17 * upscaler.scale)
    # A row more does not move what is far from it.
    wider = upscaler(degraded.low[..., :24, :17])
    assert torch.allclose(result[..., :8, :], wider[..., :8, :], atol=0.02)


def test_weights_come_back_as_they_were(stored: Path, tmp_path: Path) -> None:
    network, about = weights.load(stored)
    assert network.shape == TINY and about == {"steps": 3}
    again = tmp_path / "again.safetensors"
    weights.save(network, again, about)
    assert again.read_bytes() == stored.read_bytes()


def test_bfloat16_is_near_float32(degraded: Degraded, stored: Path) -> None:
    exact, rough = (
        Unfold(degraded.kernel, Options(weights=stored, precision=precision))(degraded.low)
        for precision in ("float32", "bfloat16")
    )
    assert 0 < (exact - rough).abs().max() < 0.02


def test_weights_that_cannot_be_used(tmp_path: Path, stored: Path) -> None:
    with pytest.raises(InputError, match="no such file; train weights"):
        weights.load(tmp_path / "none.safetensors")
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(stored.read_bytes()[:100])
    with pytest.raises(InputError, match="not a readable safetensors file"):
        weights.load(broken)
    from safetensors.torch import save_file

    foreign = tmp_path / "foreign.safetensors"
    save_file({"a": torch.zeros(1)}, foreign)
    with pytest.raises(InputError, match="the format must be 'kernelgan-fast unfold 2', got None"):
        weights.load(foreign)


def rewritten(stored: Path, **changes: object) -> Path:
    """The same tensors with other metadata; a change to None removes an entry."""
    from safetensors.torch import load_file, save_file

    about = {"format": weights.FIRST_FORMAT, "shape": TINY.as_dict(), "about": {}} | changes
    text = json.dumps({key: value for key, value in about.items() if value is not None})
    path = stored.with_name("other.safetensors")
    save_file(load_file(stored), path, {"kernelgan-fast": text})
    return path


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (None, "the shape of its network is damaged"),
        ("text", "the shape of its network is damaged"),
        ({"stages": 2, "widths": [4, 6]}, "must have stages, widths, blocks"),
        ({"stages": 2, "widths": [4, 6], "blocks": 10**8}, "1 to 64, got 100000000"),
        ({"stages": 0, "widths": [4, 6], "blocks": 1}, "1 to 64, got 0"),
        ({"stages": True, "widths": [4, 6], "blocks": 1}, "got True"),
        ({"stages": 2.0, "widths": [4, 6], "blocks": 1}, "got 2.0"),
        ({"stages": 2, "widths": 4, "blocks": 1}, "a list of 1 to 8, got 4"),
        ({"stages": 2, "widths": [], "blocks": 1}, r"a list of 1 to 8, got \[\]"),
        ({"stages": 2, "widths": [4, 10**6], "blocks": 1}, "1 to 1024, got 1000000"),
        ({"stages": 2, "widths": [4, 6], "blocks": 64}, "the weights do not fit their shape"),
        ({"stages": 2, "widths": [1024] * 8, "blocks": 1}, "the weights do not fit their shape"),
        ({"stages": 3, "widths": [4, 6], "blocks": 1}, "the weights do not fit their shape"),
    ],
)
def test_the_shape_is_compared_with_the_tensors(stored: Path, shape: object, message: str) -> None:
    with pytest.raises(InputError, match=rf"other\.safetensors: .*{message}"):
        weights.load(rewritten(stored, shape=shape))


def test_only_the_shape_is_needed_of_the_metadata(stored: Path) -> None:
    for about in (None, "text", []):
        network, told = weights.load(rewritten(stored, about=about))
        assert network.shape == TINY and told == {}


@pytest.mark.parametrize("text", ["{not json", "[]", "7", "[" * 100_000, "null"])
def test_metadata_that_are_no_object(stored: Path, text: str) -> None:
    from safetensors.torch import load_file, save_file

    save_file(load_file(stored), stored, {"kernelgan-fast": text})
    with pytest.raises(InputError, match="the format must be"):
        weights.load(stored)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_must_be_finite(stored: Path, value: float) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(stored)
    tensors["prior.first.weight"][0, 0, 0, 0] = value
    text = json.dumps({"format": weights.FIRST_FORMAT, "shape": TINY.as_dict(), "about": {}})
    save_file(tensors, stored, {"kernelgan-fast": text})
    with pytest.raises(InputError, match="must be finite"):
        weights.load(stored)
