"""What a run shows: a bar on a terminal, lines elsewhere, nothing when quiet."""

from __future__ import annotations

import io
import os
import shutil
import time
from dataclasses import replace

import pytest

from kernelgan_fast.cli.progress import Bar, Lines, Silent, clock, describe, make_reporter
from kernelgan_fast.estimation.result import ProgressEvent


class Terminal(io.TextIOWrapper):
    """A stream in memory that says it is a terminal."""

    def __init__(self, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding=encoding, write_through=True)

    def isatty(self) -> bool:
        return True

    def text(self) -> str:
        buffer = self.buffer
        assert isinstance(buffer, io.BytesIO)
        return buffer.getvalue().decode(self.encoding)


def event(iteration: int, done: int = 0, remaining: float | None = 75.0) -> ProgressEvent:
    losses = {"gan_g": 0.5, "gan_d": 0.25}
    return ProgressEvent(done, 4, iteration, 3000, losses, 10.0, remaining, ("a", "b"))


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    moment = [50.0]
    monkeypatch.setattr(time, "monotonic", lambda: moment[0])
    return moment


@pytest.fixture
def columns(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    width = [80]
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: os.terminal_size((width[0], 24)))
    return width


def test_the_reporter_suits_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(make_reporter(Terminal(), quiet=False), Bar)
    assert isinstance(make_reporter(io.StringIO(), quiet=False), Lines)
    assert isinstance(make_reporter(Terminal(), quiet=True), Silent)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(make_reporter(Terminal(), quiet=False), Lines)


def test_the_bar_fits_80_columns_and_shows_all(now: list[float], columns: list[int]) -> None:
    terminal = Terminal()
    Bar(terminal).update(event(1500))
    line = terminal.text().removeprefix("\r").removesuffix("\x1b[K")
    assert line == "████░░░░░░░░░░░░  0/4 photos  1:15 left  iteration 1500/3000  G 0.500 D 0.250"
    assert len(line) < 80


def test_what_is_counted_is_named_and_one_piece_is_not_counted() -> None:
    tiles = ProgressEvent(0, 1, 3, 12, {}, 10.0, None, ("a",), unit="step")
    assert describe(tiles) == ["0/1 photo", "step  3/12"]
    assert describe(replace(tiles, iteration=1, iterations=1)) == ["0/1 photo"]


def test_a_narrow_terminal_gets_less(now: list[float], columns: list[int]) -> None:
    columns[0] = 45
    terminal = Terminal("ascii")
    Bar(terminal).update(event(1500))
    line = terminal.text().removeprefix("\r").removesuffix("\x1b[K")
    assert line == "####............  0/4 photos  1:15 left"


def test_the_bar_is_redrawn_ten_times_a_second_at_most(
    now: list[float], columns: list[int]
) -> None:
    terminal = Terminal()
    bar = Bar(terminal)
    for step in range(100):
        now[0] = 50.0 + step / 100
        bar.update(event(30 * step))
    assert 9 <= terminal.text().count("\r") <= 11


def test_lines_are_printed_above_the_bar(now: list[float], columns: list[int]) -> None:
    terminal = Terminal()
    bar = Bar(terminal)
    bar.say("first")
    assert terminal.text() == "first\n"
    bar.update(event(0))
    bar.say("second")
    assert terminal.text().endswith("\x1b[K\r\x1b[Ksecond\n")
    bar.finished("done 1/4: a")
    bar.clear()
    assert terminal.text().endswith("second\n")


def test_lines_come_with_every_tenth() -> None:
    stream = io.StringIO()
    lines = Lines(stream)
    lines.say("4 photos")
    for done in (0, 2):
        for iteration in range(0, 3001, 30):
            lines.update(event(iteration, done))
    lines.finished("done 4/4: d")
    lines.clear()
    printed = stream.getvalue().splitlines()
    assert printed[0] == "4 photos" and printed[-1] == "done 4/4: d"
    assert [line.split()[0] for line in printed[1:-1]] == [f"{n}%" for n in range(10, 101, 10)]
    assert printed[1] == " 10%  0/4 photos  1:15 left  iteration  600/3000  G 0.500 D 0.250"


def test_silence_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    silent = Silent()
    silent.say("a")
    silent.finished("b")
    silent.update(event(1))
    silent.clear()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (75, "1:15"), (3661, "1:01:01")]
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
