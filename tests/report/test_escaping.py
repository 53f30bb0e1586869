"""Nothing that comes from outside can become part of the page."""

from __future__ import annotations

import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from small_results import HOSTILE, gaussian, losses, photo, record, write

from kernelgan_fast.report.page import data_block, escaped
from kernelgan_fast.report.writing import write_report


class Page(HTMLParser):
    """Elements, attributes and texts as a browser sees them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.scripts: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] == ["script"] and self.lasttag == "script":
            self.scripts[-1] += data
        self.texts.append(data)


def hostile_folder(tmp_path: Path) -> Path:
    """Results of photos whose names, warnings and settings are all hostile."""
    if sys.getfilesystemencoding() != "utf-8":
        pytest.skip("file names must be in UTF-8")
    for index, name in enumerate(HOSTILE):
        source = photo(tmp_path / "photos" / name, seed=index)
        told = record(
            source,
            warnings=[f"</script></td>{name}"],
            device=name,
            versions={"kernelgan_fast": f"</script>{name}"},
            losses={**losses(10), f"</script>{name}": [[1.0] * 10]},
            request={"seeds": [name, name], "config": {"profile": f"<b>{name}"}},
        )
        write(tmp_path / "<b>out&", name.removesuffix(".png"), told, gaussian())
    return tmp_path / "<b>out&"


def test_hostile_names_and_records(tmp_path: Path) -> None:
    folder = hostile_folder(tmp_path)
    written = write_report(folder, failures=[f"{HOSTILE[0]}: {HOSTILE[1]}"])
    assert (written.photos, written.missing) == (4, 0)
    page = Page(written.path.read_text(encoding="utf-8"))
    assert page.tags.count("tr") == 5 and page.tags.count("script") == 2 + 4
    assert not {name for name, _ in page.attributes if name.startswith("on")}
    known = "html head meta title style script body header h1 p bdi details summary ul li noscript"
    known += " div input label output button main table caption thead tr th span tbody td img wbr"
    assert set(page.tags) <= set(known.split())
    assert not [value for name, value in page.attributes if name == "src" and value == "x"]
    text = "".join(page.texts)
    for name in HOSTILE:
        assert name in text  # shown as it is
    assert "<b>out&" in text


def test_the_data_of_a_row_come_back(tmp_path: Path) -> None:
    written = write_report(hostile_folder(tmp_path))
    page = Page(written.path.read_text(encoding="utf-8"))
    rows = [json.loads(script) for script in page.scripts if script.startswith('{"')]
    assert len(rows) == 4
    told = {fact for row in rows for fact in map(tuple, row["facts"])}
    for name in HOSTILE:
        assert ("Device", name) in told
        assert any(row["notes"] == [f"</script></td>{name}"] for row in rows)


@pytest.mark.parametrize("text", ["</script>", "<!--<script>", "\u2028\u2029", "&lt;", "\ud800a"])
def test_data_hold_no_markup(text: str) -> None:
    block = data_block({"a": [text, {"b": text}]})
    inner = block.removeprefix('<script type="application/json">').removesuffix("</script>")
    assert re.fullmatch(r"[\x20-\x7e]*", inner) and not set("<>&") & set(inner)
    assert json.loads(inner)["a"][0] == text.replace("\ud800", "\ufffd")


def test_text_that_no_screen_shows() -> None:
    # A file name of bytes that are not UTF-8 comes with halves of surrogate pairs.
    assert escaped("a\udcff\x00\x1b\"'<>&") == "a\ufffd\ufffd\ufffd&quot;&#x27;&lt;&gt;&amp;"


def test_a_name_that_is_not_utf_8(tmp_path: Path) -> None:
    write(tmp_path, "a", record(Path("photos/\udcff.png")), gaussian())
    assert "\ufffd.png" in write_report(tmp_path).path.read_text(encoding="utf-8")


def test_scripts_and_styles_are_those_of_the_policy(tmp_path: Path) -> None:
    import base64
    import hashlib

    write(tmp_path, "a", record(Path("gone.png")), gaussian())
    text = write_report(tmp_path).path.read_text(encoding="utf-8")
    policy = re.search(r'Security-Policy" content="([^"]*)"', text)
    assert policy is not None and policy[1].startswith("default-src 'none'; img-src data:;")
    for kind in ("script", "style"):
        for inside in re.findall(f"<{kind}>(.*?)</{kind}>", text, re.DOTALL):
            digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
            assert f"'sha256-{digest}'" in policy[1]
    assert "unsafe" not in policy[1] and "http" not in policy[1]
