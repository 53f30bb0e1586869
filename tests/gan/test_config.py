"""Configs refuse what cannot be trained and say what may be; profiles are the ones documented."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from kernelgan_fast.errors import ConfigError
from kernelgan_fast.gan.config import PROFILES, TrainConfig, profile


def test_published_sizes() -> None:
    config = profile("paper")
    assert config.kernel_size == 13
    assert config.discriminator_crop == 26
    assert (config.iterations, config.ideal_target) == (3000, "summed")


def test_profiles_differ_only_where_documented() -> None:
    corrected = profile("corrected")
    published = {"profile": "paper", "ideal_target": "summed", "similar_below": 0.4}
    assert profile("paper") == corrected.replace(**published)
    assert all(config.profile == name for name, config in PROFILES.items())


def test_configs_and_profiles_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        profile("paper").iterations = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        PROFILES["mine"] = TrainConfig()  # type: ignore[index]


def test_unknown_profile_suggests_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"got 'papr'; did you mean 'paper'\?"):
        profile("papr")
    with pytest.raises(ConfigError, match="take one of these"):
        profile("zzz")


def test_replace_keeps_the_original_and_checks() -> None:
    config = profile("corrected")
    assert config.replace(iterations=7).iterations == 7
    assert config.iterations == 3000
    with pytest.raises(ConfigError, match=r"did you mean 'iterations'\?"):
        config.replace(iteration=7)
    with pytest.raises(ConfigError, match="iterations must be"):
        config.replace(iterations=0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("profile", ""),
        ("iterations", 0),
        ("iterations", 1.5),
        ("iterations", True),
        ("generator_sizes", ()),
        ("start", "bicubic"),
        ("generator_sizes", [7, 5]),
        ("generator_sizes", (7, 0)),
        ("generator_sizes", (1, 1)),
        ("features", 0),
        ("discriminator_size", 0),
        ("discriminator_blocks", 0),
        ("crop", 63),
        ("crop", 24),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("beta1", 1.0),
        ("beta2", -0.1),
        ("decay_every", 0),
        ("decay_factor", 0.5),
        ("weight_centre", -1.0),
        ("weight_ideal", float("inf")),
        ("sparse_power", 0.0),
        ("ideal_target", "sum"),
        ("matmul", "bfloat16"),
        ("similar_in_a_row", 0),
        ("ideal_decay", 0.1),
        ("ideal_every", 0),
        ("noise_real", 2.0),
        ("noise_fake", "a lot"),
        ("shave", -1),
        ("kept_values", 0),
        ("cut_fraction", 1.5),
    ],
)
def test_out_of_range(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=name):
        TrainConfig(**{name: value})


def test_least_crop_is_accepted() -> None:
    assert TrainConfig(crop=26).discriminator_crop == 7


def test_a_single_layer_is_a_generator() -> None:
    assert profile("paper").replace(generator_sizes=(13,)).kernel_size == 13
