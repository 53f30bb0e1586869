"""Text that is safe to show: what names of files may hold, and a terminal would act on."""

from __future__ import annotations

import re

# Controls, line and paragraph separators, marks that change the direction of writing, and
# surrogates, which stand for bytes that are no text.
_ACTED_ON = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(text: object) -> str:
    r"""Escape what a terminal, a log or a table would act on instead of showing it.

    A name of a file may hold any character but "/": a line break would forge a line of output, an
    escape sequence would be carried out by the terminal.

    Args:
        text: such as a path or an error.

    Returns:
        The text on one line, with `\n`, `\x1b`, `\u202e`, `\udcff` in place of such characters.
        Printable characters of every script are kept.
    """
    return _ACTED_ON.sub(lambda found: found[0].encode("unicode_escape").decode(), str(text))
