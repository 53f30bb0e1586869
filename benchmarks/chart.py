"""The chart of seconds a photo, as SVG: measured here, and as the paper says of its cards.

It brings its own background, light or dark as the reader's system is, so that it can be read on any
page.
"""

from __future__ import annotations

import math
from typing import NamedTuple
from xml.sax.saxutils import escape

WIDTH, LABELS, RIGHT = 720, 250, 96  # px
TOP, PITCH, BAR = 44, 32, 16
FOOT = 58
LEAST, MOST = 0.1, 1000.0  # seconds, the ends of the axis

STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600 }
  .small { font-size: 11px; fill: #59636e }
  .page { fill: #ffffff; stroke: #d1d9e0 }
  .grid { stroke: #d1d9e0 }
  .ours { fill: #0969da }
  .plain { fill: #818b98 }
  .cited { fill: none; stroke: #818b98; stroke-dasharray: 4 3 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .small { fill: #9198a1 }
    .page { fill: #0d1117; stroke: #3d444d }
    .grid { stroke: #3d444d }
    .ours { fill: #4493f8 }
    .plain { fill: #9198a1 }
    .cited { stroke: #9198a1 }
  }
"""


class Row(NamedTuple):
    """A bar.

    Attributes:
        label: what took so long.
        seconds: a photo.
        kind: "ours", "plain" (the yardstick) or "cited" (not measured by us).
    """

    label: str
    seconds: float
    kind: str


def chart(rows: list[Row], title: str, notes: tuple[str, str]) -> str:
    """Batch the bars on a logarithmic axis, with two lines below."""
    bottom = TOP + PITCH * len(rows)
    height = bottom + FOOT
    told = "; ".join(f"{row.label}: {figure(row.seconds)}" for row in rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img" aria-labelledby="title told">',
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="told">{escape(told)}</desc>',
        f"<style>{STYLE}</style>",
        f'<rect class="page" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="6"/>',
        f'<text class="title" x="16" y="26">{escape(title)}</text>',
    ]
    for exponent in range(round(math.log10(LEAST)), round(math.log10(MOST)) + 1):
        x = _x(10.0**exponent)
        parts.append(f'<line class="grid" x1="{x}" y1="{TOP}" x2="{x}" y2="{bottom}"/>')
        tick = f"{10.0**exponent:g}"
        parts.append(
            f'<text class="small" x="{x}" y="{bottom + 14}" text-anchor="middle">{tick}</text>'
        )
    for index, row in enumerate(rows):
        y = TOP + PITCH * index + (PITCH - BAR) // 2
        width = round(_x(row.seconds) - LABELS, 1)
        place = f'x="{LABELS}" y="{y}" width="{width}" height="{BAR}"'
        middle = y + BAR - 4
        parts += [
            f'<text x="{LABELS - 10}" y="{middle}" text-anchor="end">{escape(row.label)}</text>',
            f'<rect class="{row.kind}" {place} rx="2"/>',
            f'<text x="{LABELS + width + 8:g}" y="{middle}">{figure(row.seconds)}</text>',
        ]
    for line, note in enumerate(notes):
        y = bottom + 34 + 15 * line
        parts.append(f'<text class="small" x="16" y="{y}">{escape(note)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def figure(seconds: float) -> str:
    """Seconds to two figures, of 10 and more to whole ones."""
    return f"{seconds:.0f} s" if seconds >= 9.95 else f"{seconds:.2g} s"


def _x(seconds: float) -> float:
    """Where a time is on the axis; what is beyond it ends there."""
    inside = min(max(seconds, LEAST), MOST)
    part = math.log10(inside / LEAST) / math.log10(MOST / LEAST)
    return round(LABELS + part * (WIDTH - RIGHT - LABELS), 1)
