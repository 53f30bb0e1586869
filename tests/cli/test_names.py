"""Photos with awkward names: no control character is printed, and at most the one photo fails."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from quick import environment, write_photo

from kernelgan_fast.cli.main import main

AWKWARD = {
    "newline": "a\nb",
    "escape": "esc\x1b[31mred\x1b]0;title\x07",
    "no text": os.fsdecode(b"\xff\xfe"),
    "right to left": "\u202egnp",
    "wide": "日" * 80,
    "table": "a|b",
}
COMMANDS = {
    "estimate": ["estimate", "in", "--tiles", "1x2", "--report"],
    "upscale": ["upscale", "in", "--kernel", "bicubic", "--method", "bicubic"],
    "downscale": ["downscale", "in", "--kernel", "bicubic"],
    "degrade": ["degrade", "in"],
}
CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\ud800-\udfff]")
UTF_8 = sys.getfilesystemencoding() == "utf-8"
CAN_NAME_ANYTHING = sys.platform == "linux" and UTF_8  # elsewhere names must be text


@pytest.fixture(autouse=True)
def _folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def write_photos(*names: str) -> None:
    whole = write_photo(Path("photo.png")).read_bytes()
    Path("in").mkdir()
    for name in names:
        Path("in", f"{name}.png").write_bytes(whole)


@pytest.mark.skipif(not CAN_NAME_ANYTHING, reason="file names must be text here")
@pytest.mark.parametrize("command", COMMANDS)
def test_every_name_is_done_and_printed_safely(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_photos(*AWKWARD.values())
    assert main([*COMMANDS[command], "--out", "out"]) == 0
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == len(AWKWARD)
    assert not CONTROLS.search(printed.out + printed.err)
    assert r"in/a\nb.png" in printed.out and r"esc\x1b[31mred" in printed.out
    assert main([*COMMANDS[command], "--out", "out", "--resume", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {photo["source"] for photo in document["photos"]} == {
        f"in/{name}.png" for name in AWKWARD.values()
    }
    assert document["skipped"] == len(AWKWARD)


@pytest.mark.skipif(not CAN_NAME_ANYTHING, reason="file names must be text here")
def test_tables_and_reports_hold_every_name(capsys: pytest.CaptureFixture[str]) -> None:
    write_photos(*AWKWARD.values())
    assert main(["degrade", "in", "--out", "set"]) == 0
    assert main(["estimate", "set/lr_x2", "--out", "found"]) == 0
    capsys.readouterr()
    for arguments in (
        ["analyse", "in"],
        ["evaluate", "kernels", "found", "--truth", "set/gt_k_x2", "--out", "tables"],
        ["evaluate", "sr", "set", "--hr", "in", "--methods", "bicubic", "--kernels", "true"],
        ["report", "found"],
    ):
        assert main(arguments) == 0
        printed = capsys.readouterr()
        assert not CONTROLS.search(printed.out + printed.err)
    assert r"| a\nb " in Path("tables/evaluation.md").read_text("utf-8")


@pytest.mark.parametrize("command", COMMANDS)
def test_only_the_photo_whose_results_have_too_long_a_name_fails(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    # Of 255 bytes, the most a name may have; degrade adds nothing to it.
    write_photos("a" * 251, "other")
    fails = command != "degrade"
    assert main([*COMMANDS[command], "--out", "out"]) == fails
    printed = capsys.readouterr()
    assert "in/other.png" in printed.out
    assert ("the file name is too long: give a shorter one" in printed.err) == fails
    assert "should not have happened" not in printed.err
    names = [name for _, _, files in os.walk("out") for name in files]
    assert any("other" in name for name in names)
    assert any("aaa" in name for name in names) != fails


def test_the_long_name_is_found_out_before_the_work(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*_: object, **__: object) -> None:
        raise AssertionError("the photo must not be read")

    write_photos("a" * 251)
    monkeypatch.setattr("kernelgan_fast.images.read_picture", read)
    monkeypatch.setattr("kernelgan_fast.estimation.pipeline.read_image", read)
    for command in ("estimate", "upscale"):
        assert main([*COMMANDS[command], "--out", command]) == 1
        assert "the file name is too long" in capsys.readouterr().err


def test_arguments_are_printed_safely_too(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ["est\x1b[31m"],
        ["estimate", "missing\x1b[31m\n.png", "a" * 300],
        ["estimate", "a.png", "--od\x1bd"],
        ["upscale", "a.png", "--kernel", "\x1b[31m.mat"],
        ["upscale", "a.png", "--kernel", "a" * 300],
        ["report", "\x1b[31m"],
        ["analyse", "\x1b[31m"],
        ["export", "downscale", "--kernel", "\x1b[31m.npy"],
        ["estimate", "in", "--out", "a" * 300],
    ):
        assert main(arguments) in (1, 2, 3)
        printed = capsys.readouterr()
        assert not CONTROLS.search(printed.out + printed.err)
        assert "error: " in printed.err and "should not have happened" not in printed.err


@pytest.mark.skipif(not UTF_8, reason="file names must be in UTF-8")
def test_an_encoding_without_the_characters_of_a_name() -> None:
    names = ("日本", "Ñandú ♥")
    write_photos(*names)
    command = [sys.executable, "-m", "kernelgan_fast", *COMMANDS["upscale"], "--out", "out"]
    for encoding in (  # what the first run made, the others take as done
        {"PYTHONIOENCODING": "latin1"},
        {"PYTHONIOENCODING": "ascii:strict"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""},
    ):
        done = subprocess.run(
            [*command, "--resume"], capture_output=True, env={**environment(), **encoding}
        )
        assert done.returncode == 0, done.stderr
        assert len(done.stdout.splitlines()) == 2 and b"Traceback" not in done.stderr
    made = {f"{name}_x2.png" for name in names}
    assert set(os.listdir("out")) == {*made, "upscale.json"}
