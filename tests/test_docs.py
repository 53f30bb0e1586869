"""What README.md and docs/ show runs, parses and can be found."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from quick import QUICK, write_photo

from kernelgan_fast import config
from kernelgan_fast.cli.main import build_parser, main

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
# Parsed below under the command's own name; scripts/run hands it its arguments.
COMMANDS = ("kernelgan-fast", "scripts/run")


def blocks(page: Path, language: str) -> list[tuple[int, str]]:
    """The fenced blocks of a language, each with the line its text begins at."""
    text = page.read_text("utf-8")
    fence = re.compile(rf"^```{language}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return [(text.count("\n", 0, found.start(1)) + 1, found[1]) for found in fence.finditer(text)]


def anchor(title: str) -> str:
    """What GitHub makes of a heading for links to it."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def commands() -> list[tuple[str, list[str]]]:
    """Every command line of ours: where it stands, and its words."""
    found = []
    for page in PAGES:
        for first, text in blocks(page, "bash"):
            for number, line in enumerate(text.replace("\\\n", " ").splitlines(), start=first):
                words = shlex.split(line, comments=True)
                if words and words[0] in COMMANDS:
                    found.append((f"{page.relative_to(ROOT)}:{number}", words[1:]))
    return found


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder with a photo, where every profile trains for a moment only."""
    quick = {
        name: QUICK.replace(profile=name, ideal_target=recipe.ideal_target)
        for name, recipe in config.PROFILES.items()
    }
    monkeypatch.setattr(config, "PROFILES", quick)
    monkeypatch.chdir(tmp_path)
    return write_photo(tmp_path / "photo.png")


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if blocks(page, "python")],
    ids=lambda page: str(page.relative_to(ROOT)),
)
@pytest.mark.usefixtures("short")
def test_python_runs(page: Path) -> None:
    names: dict[str, object] = {"__name__": "__main__"}
    for line, text in blocks(page, "python"):
        # Blank lines before it, so that a traceback names the page's own line.
        exec(compile("\n" * (line - 1) + text, str(page), "exec"), names)


@pytest.mark.parametrize(("place", "words"), commands())
def test_command_parses(place: str, words: list[str]) -> None:
    parser, _ = build_parser()
    args = parser.parse_args(words)
    if args.command == "estimate":
        assert args.profile in config.PROFILES, place


def test_the_commands_of_training_pairs_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for seed, path in enumerate(("photos/a.png", "photos/b.png", "hr/c.png", "hr/d.png")):
        write_photo(tmp_path / path, 120, 112, seed)
    write_photo(tmp_path / "photo.png")
    lines = [words for place, words in commands() if place.startswith("docs/training_pairs.md")]
    assert len(lines) >= 8
    for words in lines:
        assert main([*words, "--quiet"]) == 0, " ".join(words)
    written = {path.relative_to(tmp_path / "train") for path in Path("train").resolve().glob("*/*")}
    named = {f"{place}/{name}" for place in ("HR", "LR") for name in ("c.png", "d.png")}
    assert {str(path) for path in written} == named | {"kernels/c.mat", "kernels/d.mat"}
    assert Path("small/photo_x2.png").is_file()


def test_the_commands_of_the_readme_are_found() -> None:
    """Else a change of the page's form would leave nothing to check."""
    places = [place for place, _ in commands()]
    assert sum(place.startswith("README.md") for place in places) >= 5


def test_readme_names_what_comes_out(short: Path) -> None:
    assert main(["estimate", str(short), "--quiet"]) == 0
    out = short.parent / "kernelgan_out"
    readme = (ROOT / "README.md").read_text("utf-8")
    section = readme.partition("## What comes out")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`.*?`) \|", section, re.MULTILINE)
    named = {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}
    record = json.loads((out / "photo.json").read_text("utf-8"))
    assert named == {file.name for file in out.iterdir()} | set(record)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    targets = re.findall(r'\]\(([^)\s]+)\)|(?:src|href)="([^"]+)"', text)
    local = [one or other for one, other in targets if "://" not in (one or other)]
    headings = [anchor(title) for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)]
    for target in local:
        path, _, heading = target.partition("#")
        assert (page.parent / path).exists(), f"{page.name}: {target}"
        assert path or heading in headings, f"{page.name}: {target}"


def test_the_readme_shows_the_committed_figures() -> None:
    script = ROOT / "benchmarks" / "make_table.py"
    assert subprocess.run([sys.executable, str(script), "--check"], timeout=60).returncode == 0
