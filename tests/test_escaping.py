from __future__ import annotations

import os

import pytest

from kernelgan_fast.escaping import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb.jpg", r"a\nb.jpg"),
        ("\x1b]0;title\x07\x1b[31m", r"\x1b]0;title\x07\x1b[31m"),
        ("\x7f\x80\x9b31m", r"\x7f\x80\x9b31m"),
        ("a\u2028b\u2029c", r"a\u2028b\u2029c"),
        ("\u202egnp.exe\u2066", r"\u202egnp.exe\u2066"),
        (os.fsdecode(b"\xff.png"), r"\udcff.png"),
        ("日本語 ñ ♥ עברית 👩‍🚀\u00a0\u3000é.png", "日本語 ñ ♥ עברית 👩‍🚀\u00a0\u3000é.png"),
        (r"C:\new", r"C:\new"),
        (ValueError("a\tb"), r"a\tb"),
        ("", ""),
    ],
)
def test_what_a_terminal_would_act_on_is_escaped(text: object, shown: str) -> None:
    assert printable(text) == shown
