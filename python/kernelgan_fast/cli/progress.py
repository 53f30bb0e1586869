"""What a run shows on stderr: one redrawn line on a terminal, plain lines elsewhere, or nothing."""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING, Protocol, TextIO

from kernelgan_fast.cli.console import write_message
from kernelgan_fast.escaping import printable

if TYPE_CHECKING:
    from kernelgan_fast.estimation.result import ProgressEvent

_REDRAW_SECONDS = 0.1
_BAR_CELLS = 16


class Reporter(Protocol):
    """Takes what is to be shown."""

    def say(self, text: str) -> None:
        """Show a line that stays."""

    def update(self, event: ProgressEvent) -> None:
        """Show where the run stands."""

    def finished(self, text: str) -> None:
        """Tell of a finished photo, where its line on stdout may not be seen."""

    def clear(self) -> None:
        """Make room for a line on stdout, which may be the same terminal."""


class Silent:
    """Shows nothing."""

    def say(self, text: str) -> None:
        """Drop the line."""

    def update(self, event: ProgressEvent) -> None:
        """Drop the event."""

    def finished(self, text: str) -> None:
        """Drop the line."""

    def clear(self) -> None:
        """There is nothing to clear."""


class Lines:
    """Plain lines: one for every tenth of the run."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._tenths = 0

    def say(self, text: str) -> None:
        """Print the line."""
        write_message(self._stream, f"{printable(text)}\n")

    def update(self, event: ProgressEvent) -> None:
        """Print a line when another tenth of the run is done."""
        tenths = int(10 * event.fraction + 1e-9)
        if tenths > self._tenths:
            self._tenths = tenths
            self.say("  ".join([f"{10 * tenths:3d}%", *describe(event)]))

    def finished(self, text: str) -> None:
        """Print the line."""
        self.say(text)

    def clear(self) -> None:
        """Lines do not get in the way."""


class Bar:
    """One line at the bottom of a terminal, redrawn at most ten times a second."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._drawn_at = -_REDRAW_SECONDS
        self._visible = False
        unicode = (stream.encoding or "").lower().replace("-", "") == "utf8"
        self._full, self._empty = ("█", "░") if unicode else ("#", ".")

    def say(self, text: str) -> None:
        """Print the line above the bar."""
        self.clear()
        write_message(self._stream, f"{printable(text)}\n")

    def update(self, event: ProgressEvent) -> None:
        """Redraw, unless that was done a moment ago."""
        now = time.monotonic()
        if now - self._drawn_at < _REDRAW_SECONDS:
            return
        self._drawn_at = now
        cells = round(_BAR_CELLS * event.fraction)
        bar = self._full * cells + self._empty * (_BAR_CELLS - cells)
        self._draw([bar, *describe(event)])

    def finished(self, text: str) -> None:
        """The bar counts it."""

    def clear(self) -> None:
        """Empty the bar's line."""
        if self._visible:
            write_message(self._stream, "\r\x1b[K")
            self._visible = False
            self._drawn_at = -_REDRAW_SECONDS

    def _draw(self, parts: list[str]) -> None:
        # A line as wide as the terminal would wrap and leave copies of itself behind.
        width = shutil.get_terminal_size().columns - 1
        parts = [printable(part) for part in parts]
        line = parts[0]
        for part in parts[1:]:
            if len(line) + 2 + len(part) <= width:
                line += "  " + part
        write_message(self._stream, "\r" + line[:width] + "\x1b[K")
        self._visible = True


def make_reporter(stream: TextIO, *, quiet: bool) -> Reporter:
    """The reporter that suits a stream."""
    if quiet:
        return Silent()
    if stream.isatty() and os.environ.get("TERM") != "dumb":
        return Bar(stream)
    return Lines(stream)


def describe(event: ProgressEvent) -> list[str]:
    """An event in words, most wanted first: photos, time left, iterations, both GAN losses."""
    noun = "photo" if event.photos_total == 1 else "photos"
    parts = [f"{event.photos_done}/{event.photos_total} {noun}"]
    if event.remaining is not None:
        parts.append(f"{clock(event.remaining)} left")
    if event.iterations > 1:  # work that is one piece has nothing to count
        width = len(str(event.iterations))
        parts.append(f"{event.unit} {event.iteration:>{width}}/{event.iterations}")
    if {"gan_g", "gan_d"} <= event.losses.keys():
        parts.append(f"G {event.losses['gan_g']:.3f} D {event.losses['gan_d']:.3f}")
    return parts


def clock(seconds: float) -> str:
    """Seconds as m:ss or h:mm:ss."""
    whole = round(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    if hours:
        return f"{hours}:{minutes:02d}:{whole % 60:02d}"
    return f"{minutes}:{whole % 60:02d}"
