"""HTML of the report: whatever comes from outside goes through `escaped` or `data_block`."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from string import Template

from kernelgan_fast.estimation.kernel_warnings import MOST_EXPECTED_ERROR
from kernelgan_fast.report.pictures import COLOURS
from kernelgan_fast.report.rows import Row

# Where JavaScript runs it lays out so many rows at first; it must know of that before the table.
_AT_FIRST = 200
_EARLY = 'document.documentElement.classList.add("js");'

# What would end or confuse a line of text: control characters, and lone halves of surrogate pairs
# that stand for bytes of a file name which are not UTF-8.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True)
class Pictures:
    """What is drawn of one photo in the table: data: URIs, None where there is none."""

    thumbnail: str | None
    kernel: str | None


@dataclass(frozen=True)
class Heading:
    """What stands above the table.

    Attributes:
        folder: that the report is of.
        photos, noted: how many there are, and how many have something to be told.
        made: when and by what, in words.
        failures: why photos could not be used, a line each.
        without: columns that no row has anything for: "error", "spread".
    """

    folder: str
    photos: int
    noted: int
    made: str
    failures: Sequence[str] = ()
    without: Sequence[str] = ()


def escaped(text: str) -> str:
    """Text for HTML and for quoted attributes."""
    return html.escape(_UNPRINTABLE.sub("\ufffd", text), quote=True)


def data_block(data: Mapping[str, object]) -> str:
    """A script element that holds data and runs nothing, whatever the data are."""
    text = json.dumps(_printable(data), separators=(",", ":"), allow_nan=False)
    # json.dumps leaves ASCII alone, in which these three could end the element or begin a comment.
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return f'<script type="application/json">{text}</script>'


def row_html(
    number: int,
    row: Row,
    notes: Sequence[str],
    pictures: Pictures,
    data: Mapping[str, object],
    *,
    inline: bool,
) -> str:
    """One photo's row, with the data of its details.

    Args:
        number: of the row, from 0.
        row: what is told.
        notes: warnings, and what is missing.
        pictures: of the table.
        data: for the details.
        inline: whether pictures are in the row itself, else they go with the data.
    """
    shown = {"thumb": pictures.thumbnail, "mini": pictures.kernel}
    title = escaped(row.title)
    cells = [
        _picture_cell("thumb", shown["thumb"], "", inline),
        f'<th scope="row"><button type="button" class="open" aria-expanded="false" '
        f'id="r{number}"><bdi>{_breakable(title)}</bdi></button></th>',
        _picture_cell("mini", shown["mini"], f"kernel of {title}", inline),
        *_number_cells(row),
        f'<td class="notes" data-v="{len(notes)}">{_notes(notes)}</td>',
    ]
    kept = data if inline else {**data, **shown}
    late = ' class="late"' if number >= _AT_FIRST else ""
    return f"<tr{late}>{''.join(cells)}{data_block(kept)}</tr>\n"


def page_parts(heading: Heading) -> tuple[str, str]:
    """The page before and after its rows."""
    # In a block of their own the scripts leave no names behind.
    style = _asset("page.css")
    script = "{\n" + _asset("drawing.js") + _asset("page.js") + "}\n"
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; "
        f"script-src '{_digest(_EARLY)}' '{_digest(script)}'; base-uri 'none'; form-action 'none'"
    )
    noun = "photo" if heading.photos == 1 else "photos"
    filled = Template(_asset("page.html")).substitute(
        policy=policy,
        style=style,
        early=_EARLY,
        script=script,
        title=escaped(f"Kernels of {heading.photos} {noun}"),
        folder=escaped(heading.folder),
        noted=escaped(_noted(heading)),
        made=escaped(heading.made),
        failures=_failures(heading.failures),
        colours=" ".join(COLOURS),
        without=" ".join(f"no-{column}" for column in heading.without),
    )
    before, _, after = filled.partition("<!--rows-->\n")
    return before, after


def _picture_cell(kind: str, source: str | None, words: str, inline: bool) -> str:
    if source is None:
        return f'<td class="{kind}"><span class="none">none</span></td>'
    given = f' src="{source}"' if inline else ""
    return f'<td class="{kind}"><img{given} alt="{words}" decoding="async"></td>'


def _breakable(title: str) -> str:
    """Let a name go on in the next line after what parts its words."""
    return re.sub(r"([_-]+)(?=\w)", r"\1<wbr>", title)


def _number_cells(row: Row) -> list[str]:
    major, minor, angle = row.widths or (None, None, None)
    cells = [_number(major, ".2f"), _number(minor, ".2f"), _number(angle, ".0f", "°")]
    error = row.expected_error
    much = ' class="much"' if error is not None and error > MOST_EXPECTED_ERROR else ""
    cells.append(_number(error, ".0%", attribute=much))
    cells.append(_number(row.spread, ".0%"))
    return cells


def _number(value: float | None, form: str, unit: str = "", attribute: str = "") -> str:
    if value is None:
        return "<td></td>"
    shown = re.sub(r"^-(?=[0.]*%?$)", "", f"{value:{form}}")  # never -0
    shown = shown.replace("-", "\N{MINUS SIGN}")
    return f'<td{attribute} data-v="{value:.6g}">{shown}{unit}</td>'


def _notes(notes: Sequence[str]) -> str:
    return f"<div>{escaped('; '.join(notes))}</div>" if notes else ""


def _noted(heading: Heading) -> str:
    if not heading.noted:
        return "nothing to note"
    return "1 has notes" if heading.noted == 1 else f"{heading.noted} have notes"


def _failures(failures: Sequence[str]) -> str:
    if not failures:
        return ""
    lines = "".join(f"<li>{escaped(failure)}</li>" for failure in failures)
    return (
        f'<details class="failed"><summary>Not estimated: {len(failures)}</summary>'
        f"<ul>{lines}</ul></details>"
    )


def _printable(value: object) -> object:
    """The same data with texts that any screen shows."""
    if isinstance(value, str):
        return _UNPRINTABLE.sub("\ufffd", value)
    if isinstance(value, Mapping):
        return {key: _printable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_printable(item) for item in value]
    return value


def _asset(name: str) -> str:
    return (files("kernelgan_fast.report") / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """What a Content-Security-Policy knows an inline element by."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
