"""What README.md and docs/ show runs, parses and can be found."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from patience import PATIENCE
from quick import QUICK, write_photo

from kernelgan_fast.cli.main import build_parser, main
from kernelgan_fast.gan import config

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

# A line that begins with one of these is not run, for the reason given.
NOT_RUN = {
    "pip install": "an environment is made by scripts/test, and by the wheel's section of .ci/run",
    "pip wheel": "the wheel's section of .ci/run does",
    "auditwheel": "the wheel's section of .ci/run does",
    "python .ci/check_wheel.py": "the wheel's section of .ci/run does",
    "pytest": "these are the tests",
    "ray start": "tests/distributed starts clusters, in their own section of .ci/run",
    "scripts/test": "these are the tests",
    "export KERNELGAN_FAST_SIMD": "for the tests",
    "cmake": "tests/consumer builds the example, .ci/run the C++ tests",
    "build/host": "tests/consumer runs the example",
    "ctest": ".ci/run does",
    "export KERNELGAN_FAST_ONNXRUNTIME": "tests/consumer does",
    "python -m kernelgan_fast.training": "takes an hour; tests/training runs its parts",
    "python -m tests.fuzz": "needs the repository and minutes; tests/fuzz runs a part",
}
# A command of ours with one of these words is only parsed, for the reason given.
PARSED_ONLY = {
    "--device cuda": "no GPU here",
    "--engine ray": "Ray has its own section of .ci/run",
    "--engine tensorrt": "TensorRT has its own section of .ci/run",
    "s3://": "tests/distributed does, in that section",
}
# What would take long is run with less.
SHORTER = {"--iterations 1000": "--iterations 20"}


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> list[tuple[int, str, str]]:
    """The fenced blocks: the line that each one's text begins at, its language, its text."""
    text = page.read_text("utf-8")
    fence = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return [
        (text.count("\n", 0, found.start(2)) + 1, found[1], found[2])
        for found in fence.finditer(text)
    ]


def lines(text: str) -> list[str]:
    """The commands of a bash block, without comments and continued lines joined."""
    joined = re.sub(r"\\\n\s*", " ", text)
    bare = [re.sub(r"(^|\s)#.*", "", line) for line in joined.splitlines()]
    return [part.strip() for line in bare if line.strip() for part in line.split(" && ")]


def ours(line: str) -> list[str] | None:
    """The arguments of a line that calls the command, else None."""
    for begin in ("kernelgan-fast ", "scripts/run ", "python -m kernelgan_fast "):
        if line.startswith(begin):
            return shlex.split(line.removeprefix(begin))
    return None


def among(line: str, table: dict[str, str], *, anywhere: bool = False) -> str | None:
    """The key of a table that a line begins with, or holds."""
    return next((key for key in table if (key in line if anywhere else line.startswith(key))), None)


def bash() -> Iterator[tuple[str, str]]:
    """Every line of every bash block, and where it stands."""
    for page in PAGES:
        for first, language, text in blocks(page):
            if language == "bash":
                for line in lines(text):
                    yield f"{name(page)}:{first}", line


def commands() -> list[tuple[str, list[str]]]:
    """Every command line of ours: where it stands, and its words."""
    return [(place, words) for place, line in bash() if (words := ours(line)) is not None]


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder with a photo, where every profile trains for a moment only."""
    quick = {
        name: QUICK.replace(profile=name, ideal_target=recipe.ideal_target)
        for name, recipe in config.PROFILES.items()
        if recipe.start == "random"
    }
    monkeypatch.setattr(config, "PROFILES", {**config.PROFILES, **quick})
    # Two threads on a busy machine wait for each other more than they gain.
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0}, raising=False)
    monkeypatch.chdir(tmp_path)
    return write_photo(tmp_path / "photo.png")


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that the pages take for granted, small."""
    folder = tmp_path_factory.mktemp("stand_ins")
    photos = ("photo.png", "noisy.jpg", "larger.png", "photos/a.png", "photos/b.png")
    for seed, path in enumerate(photos):
        write_photo(folder / path, 90, 86, seed)
    for seed, path in enumerate(("shots/c.jpg", "hr/d.png", "hr/e.png")):
        write_photo(folder / path, 112, 104, seed)
    write_photo(folder / "tiny.png", 40, 44)
    write_photo(folder / "hr_photos" / "f.png", 196, 192)  # at scale 4 the least, 48 px
    photo, kernels = str(folder / "photo.png"), str(folder / "kernelgan_out")
    assert main(["estimate", photo, "--out", kernels, "--quiet"]) == 0
    for words in (["set"], ["DIV2KRK"], ["DIV2KRK", "--scale", "4"]):
        out = [str(folder / words[0]), *words[1:], "--quiet"]
        assert main(["degrade", str(folder / "hr_photos"), "--out", *out]) == 0
    shutil.copytree(folder / "hr_photos", folder / "set" / "hr")
    shutil.copytree(folder / "hr_photos", folder / "DIV2KRK" / "gt")
    found = ["--out", str(folder / "found"), "--quiet"]
    assert main(["estimate", str(folder / "set" / "lr_x2"), *found]) == 0
    return folder


def run_bash(text: str, place: str, capsys: pytest.CaptureFixture[str]) -> None:
    for line in lines(text):
        words = ours(line)
        if words is None:
            assert among(line, NOT_RUN), f"{place}: {line}: neither run nor in NOT_RUN"
        elif not among(line, PARSED_ONLY, anywhere=True):
            for much, less in SHORTER.items():
                line = line.replace(much, less)
            code = main(ours(line) or [])
            assert code == 0, f"{place}: {line}: {capsys.readouterr().err}"


@pytest.mark.parametrize(
    "page", [page for page in PAGES if {"bash", "python"} & {b[1] for b in blocks(page)}], ids=name
)
@pytest.mark.usefixtures("short")
def test_page_runs(page: Path, stand_ins: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every block of a page, one after another, in a folder with what the page is about."""
    shutil.copytree(stand_ins, Path.cwd(), dirs_exist_ok=True)
    names: dict[str, object] = {"__name__": "__main__"}
    for line, language, text in blocks(page):
        if language == "bash":
            run_bash(text, f"{name(page)}:{line}", capsys)
        elif language == "python":
            # Blank lines before it, so that a traceback names the page's own line.
            exec(compile("\n" * (line - 1) + text, str(page), "exec"), names)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_block_is_left_out_by_its_name(page: Path) -> None:
    for line, language, _ in blocks(page):
        assert language not in ("sh", "shell", "console", "py", "python3", "pycon"), (
            f"{name(page)}:{line}: call it bash or python, so that it is run"
        )


def test_the_tables_of_exceptions_are_used() -> None:
    every = [line for _, line in bash()]
    for key in NOT_RUN:
        assert any(line.startswith(key) for line in every), key
    for key in PARSED_ONLY:
        assert any(key in line for line in every if ours(line)), key


@pytest.mark.parametrize(("place", "words"), commands())
def test_command_parses(place: str, words: list[str]) -> None:
    parser, _ = build_parser()
    args = parser.parse_args(words)
    if args.command == "estimate":
        assert args.profile in (None, *config.PROFILES), place


def test_pairs_are_where_the_page_says(stand_ins: Path, short: Path) -> None:
    shutil.copytree(stand_ins, Path.cwd(), dirs_exist_ok=True)
    lines = [words for place, words in commands() if place.startswith("docs/training_pairs.md")]
    assert len(lines) >= 8
    for words in lines[:2]:
        assert main([*words, "--quiet"]) == 0, " ".join(words)
    written = {path.relative_to(short.parent / "train") for path in short.parent.glob("train/*/*")}
    named = {f"{place}/{name}" for place in ("HR", "LR") for name in ("d.png", "e.png")}
    assert {str(path) for path in written} == named | {"kernels/d.mat", "kernels/e.mat"}


def test_the_commands_of_the_readme_are_found() -> None:
    """Else a change of the page's form would leave nothing to check."""
    places = [place for place, _ in commands()]
    assert sum(place.startswith("README.md") for place in places) >= 5


def anchor(title: str) -> str:
    """What GitHub makes of a heading for links to it."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def test_readme_names_what_comes_out(short: Path) -> None:
    assert main(["estimate", str(short), "--quiet"]) == 0
    out = short.parent / "kernelgan_out"
    readme = (ROOT / "README.md").read_text("utf-8")
    section = readme.partition("## What comes out")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`.*?`) \|", section, re.MULTILINE)
    named = {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}
    record = json.loads((out / "photo.json").read_text("utf-8"))
    assert named == {file.name for file in out.iterdir()} | set(record)


def headings(page: Path) -> list[str]:
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    return [anchor(title) for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    targets = re.findall(r'\]\(([^)\s]+)\)|(?:src|href)="([^"]+)"', text)
    for target in (one or other for one, other in targets):
        if "://" in target:
            assert re.fullmatch(r"https://[\w.-]+(/\S*)?", target), f"{page.name}: {target}"
            continue
        path, _, heading = target.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), f"{page.name}: {target}"
        assert not heading or heading in headings(file), f"{page.name}: {target}"


def test_the_readme_shows_the_committed_figures() -> None:
    script = ROOT / "benchmarks" / "make_table.py"
    assert (
        subprocess.run([sys.executable, str(script), "--check"], timeout=PATIENCE).returncode == 0
    )
