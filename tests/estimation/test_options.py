"""Settings: threads, versions (the ranges are tested through `estimate`)."""

from __future__ import annotations

import os

import pytest
from quick import QUICK

from kernelgan_fast.estimation.options import (
    available_threads,
    make_settings,
    versions,
)


def test_defaults() -> None:
    settings = make_settings()
    assert settings.config.profile == "default"
    assert (settings.scale, settings.seeds, settings.real) == (2, (0,), False)
    assert (settings.devices, settings.threads) == (("auto",), available_threads())


def test_a_config_and_iterations() -> None:
    settings = make_settings(profile_or_config=QUICK, iterations=7, seed=5, seeds=2, threads=3)
    assert settings.config == QUICK.replace(iterations=7)
    assert settings.seeds == (5, 6)
    assert settings.threads == 3


def test_available_threads_without_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    assert available_threads() >= 1
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert available_threads() == 1


def test_versions_name_what_a_result_depends_on() -> None:
    found = versions()
    assert set(found) == {"kernelgan_fast", "python", "torch", "numpy", "scipy", "pillow"}
    assert "not installed" not in (found["torch"], found["numpy"])
