"""Options of an estimation: threads, versions (the ranges are tested through `estimate`)."""

from __future__ import annotations

import os

import pytest
from quick import QUICK

from kernelgan_fast.errors import ConfigError
from kernelgan_fast.estimation.options import (
    available_threads,
    estimate_options,
    versions,
)


def test_defaults() -> None:
    settings = estimate_options()
    assert (settings.method, settings.config, settings.iterations) == ("spectral", None, 0)
    assert (settings.scale, settings.seeds, settings.real) == (2, (0,), False)
    assert (settings.devices, settings.threads) == (("auto",), available_threads())


def test_a_config_and_iterations() -> None:
    settings = estimate_options(profile=QUICK, iterations=7, seed=5, seeds=2, threads=3)
    assert settings.config == QUICK.replace(iterations=7)
    assert (settings.method, settings.iterations) == ("kernelgan", 7)
    assert settings.seeds == (5, 6)
    assert settings.threads == 3


def test_each_method_has_its_own_options() -> None:
    assert estimate_options(method="kernelgan").training.profile == "corrected"
    assert estimate_options(method="recurrence").iterations == 12
    assert estimate_options(method="recurrence").devices == ("cpu",)
    for method in ("spectral", "recurrence"):
        with pytest.raises(ConfigError, match="profiles belong to the method kernelgan"):
            estimate_options(method=method, profile="paper")
    with pytest.raises(ConfigError, match="the method spectral trains nothing, got 20"):
        estimate_options(iterations=20)
    with pytest.raises(ConfigError, match="iterations must be at least 1"):
        estimate_options(method="recurrence", iterations=0)


def test_available_threads_without_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    assert available_threads() >= 1
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert available_threads() == 1


def test_versions_name_what_a_result_depends_on() -> None:
    found = versions()
    assert set(found) == {"kernelgan_fast", "python", "torch", "numpy", "scipy", "pillow"}
    assert "not installed" not in (found["torch"], found["numpy"])
