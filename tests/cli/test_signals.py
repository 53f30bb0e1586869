"""SIGTERM and SIGHUP, in every command."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from kernelgan_fast.cli import (
    analyse,
    completion,
    degrade,
    downscale,
    estimate,
    evaluate,
    export,
    info,
    report,
    upscale,
)
from kernelgan_fast.cli.main import main

COMMANDS: dict[Any, list[str]] = {
    analyse: ["analyse", "a.png"],
    completion: ["completion", "bash"],
    degrade: ["degrade", "a.png"],
    downscale: ["downscale", "a.png", "--kernel", "bicubic"],
    estimate: ["estimate", "a.png"],
    evaluate: ["evaluate", "kernels", "a", "--truth", "b"],
    export: ["export", "sr", "--size", "13"],
    info: ["info"],
    report: ["report", "a"],
    upscale: ["upscale", "a.png"],
}


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """The default handlers, also under nohup; every test must leave them as they were."""
    numbers = (signal.SIGHUP, signal.SIGTERM)
    before = [signal.signal(number, signal.SIG_DFL) for number in numbers]
    yield
    left = [signal.signal(*each) for each in zip(numbers, before, strict=True)]
    assert left == [signal.SIG_DFL, signal.SIG_DFL]


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGHUP, 129, "hung up"), (signal.SIGTERM, 143, "terminated")],
)
@pytest.mark.parametrize("command", COMMANDS, ids=lambda module: module.__name__.split(".")[-1])
def test_a_signal_ends_the_command_after_its_clean_up(
    command: Any,
    number: signal.Signals,
    code: int,
    word: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cleaned = []

    def run(args: Any) -> int:
        try:
            signal.raise_signal(number)
        finally:
            # A terminal that is closed sends several; the clean-up goes on.
            signal.raise_signal(signal.SIGHUP)
            signal.raise_signal(signal.SIGTERM)
            cleaned.append(True)
        return 0

    monkeypatch.setattr(command, "run", run)
    assert main(COMMANDS[command]) == code
    assert capsys.readouterr().err == f"{word}\n" and cleaned == [True]


def test_a_signal_that_is_ignored_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    # As under nohup.
    def run(args: Any) -> int:
        signal.raise_signal(signal.SIGHUP)
        return 0

    monkeypatch.setattr(info, "run", run)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert main(["info"]) == 0
    finally:
        signal.signal(signal.SIGHUP, before)
