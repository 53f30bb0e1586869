"""The report in a real browser: what a reader does with it, and that it needs no network."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import Browser, find_chromium
from small_results import HOSTILE, gaussian, losses, photo, record, write, write_upscaled

from kernelgan_fast.report.writing import write_report

TILES = {
    "width_major": [[1.5, None]],
    "width_minor": [[1.0, None]],
    "angle": [[10.0, None]],
    "expected_error": [[0.2, None]],
}
NAMES = (
    "[...document.querySelectorAll('tbody tr:not(.detail):not([hidden]) button.open')]"
    ".map(button => button.textContent)"
)
BOXES = "getComputedStyle(document.querySelector('{}')).{}"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all tests, at the end of which it has nothing to complain of."""
    program = find_chromium()
    if program is None:
        pytest.skip("needs Chromium (Debian: apt-get install chromium)")
    with Browser(program, tmp_path_factory.mktemp("profile")) as browser:
        browser.resize(1200, 800)
        yield browser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of four photos: one with everything, one with little, one gone, one damaged."""
    folder = tmp_path_factory.mktemp("report")
    full, plain = (
        photo(folder / "full10.png", 200, 120, seed=1),
        photo(folder / "plain9.png", seed=2),
    )
    told = record(full, losses=losses(), spread=0.2, tiles=TILES, warnings=["look twice"])
    write(folder / "out", "full10", told, gaussian(), gaussian(3.3, 2.2, 25, 4))
    write(folder / "out", "plain9", record(plain, expected_error=0.3), gaussian(2.5, 1.2))
    write(folder / "out", "gone", record(Path("gone.png"), expected_error=0.05), gaussian(1.2, 1))
    write(folder / "out", "torn", "{")
    write(folder / "out", "torn", "{", gaussian(1.9, 1.3))
    write_upscaled(folder / "out", "full10", full)
    return write_report(folder / "out").path


@pytest.fixture(autouse=True)
def _quiet(browser: Browser) -> Iterator[None]:
    """No test may leave a message in the console, open a dialog or ask for an address."""
    browser.requests.clear()
    yield
    assert browser.complaints == [] and browser.dialogs == []
    assert {url.rpartition("/")[2] for url in browser.requests} <= {"report.html"}


def opened(browser: Browser, page: Path, name: str) -> None:
    """Load the page and open the row of a photo by keyboard."""
    browser.open(page)
    buttons = "[...document.querySelectorAll('button.open')]"
    browser.run(f"{buttons}.find(button => button.textContent === '{name}').focus()")
    browser.press("Enter")


def test_it_loads(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert browser.run("document.title") == "Kernels of 4 photos"
    assert browser.run(NAMES) == ["full10.png", "gone.png", "plain9.png", "torn"]
    shown = "[...document.images].every(image => image.complete && image.naturalWidth > 0)"
    assert browser.run("document.images.length") == 6 and browser.run(shown)
    assert browser.run("[...document.images].every(image => image.hasAttribute('alt'))")
    assert (
        browser.run("Object.keys(window).filter(name => ['drawing', 'rows'].includes(name))") == []
    )
    assert browser.run("typeof drawing") == "undefined"


def test_columns_sort(browser: Browser, page: Path) -> None:
    browser.open(page)
    by_name = ["full10.png", "gone.png", "plain9.png", "torn"]
    browser.click("thead th:nth-child(2) button")
    assert browser.run(NAMES) == by_name
    browser.click("thead th:nth-child(2) button")
    assert browser.run(NAMES) == by_name[::-1]
    browser.click("thead th:nth-child(4) button")
    assert browser.run(NAMES) == ["gone.png", "full10.png", "torn", "plain9.png"]
    sorts = "[...document.querySelectorAll('th')].map(head => head.getAttribute('aria-sort'))"
    assert browser.run(sorts)[:9] == [None, None, None, "ascending", *[None] * 5]
    # What is not known comes last, both ways.
    browser.click("thead th:nth-child(7) button")
    assert browser.run(NAMES) == ["gone.png", "full10.png", "plain9.png", "torn"]
    browser.press("Enter")  # the button has the focus
    assert browser.run(NAMES) == ["plain9.png", "full10.png", "gone.png", "torn"]


def test_search(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.click("#filter")
    browser.type("LOOK")
    assert browser.run(NAMES) == ["full10.png"]
    assert browser.run("document.getElementById('count').textContent") == "1 of 4 shown"
    browser.type("nothing like it")
    assert browser.run("document.getElementById('nothing').checkVisibility()")
    browser.open(page)
    browser.click("#noted")
    assert browser.run(NAMES) == ["full10.png", "gone.png", "torn"]


def test_a_row_opens_and_closes(browser: Browser, page: Path) -> None:
    opened(browser, page, "full10.png")
    titles = "[...document.querySelectorAll('.detail h3')].map(title => title.textContent)"
    assert browser.run(titles) == [
        *("Photo", "Enlarged ×2", "How it was made", "Kernel ×2, 13 × 13"),
        *("Kernel ×4, 25 × 25", "By region", "Losses"),
    ]
    button = "document.querySelector('button.open')"
    assert browser.run(f"{button}.getAttribute('aria-expanded')") == "true"
    assert browser.run(f"document.getElementById({button}.getAttribute('aria-controls')) !== null")
    assert browser.run("document.querySelectorAll('.kernel .cells rect').length") == 169 + 625
    assert browser.run("document.querySelectorAll('.charts svg').length") == 2
    assert browser.run("document.querySelector('.detail .notes').textContent") == "look twice"
    # The contours lie around the centre of mass.
    box = "document.querySelectorAll('.kernel svg')[0].querySelectorAll('.contour')[2].getBBox()"
    centre = browser.run(f"(() => {{ const b = {box}; return [b.x + b.width / 2, b.width]; }})()")
    assert centre[0] == pytest.approx(26 + 7 * 20, abs=1)
    # Half of the largest weight, which is half a cell away from the centre; cells are 20 units.
    part = math.exp(-0.5 * ((0.5 / 1.6) ** 2 + (0.5 / 1.1) ** 2)) / 2
    assert centre[1] == pytest.approx(2 * 1.6 * math.sqrt(-2 * math.log(part)) * 20, rel=0.02)
    browser.press("Enter")
    assert browser.run(f"{button}.getAttribute('aria-expanded')") == "false"
    assert browser.run("document.querySelectorAll('.detail').length") == 0


def test_open_rows_move_and_hide_with_theirs(browser: Browser, page: Path) -> None:
    opened(browser, page, "plain9.png")
    browser.click("thead th:nth-child(4) button")
    last = "document.querySelector('tbody').lastElementChild"
    assert browser.run(f"{last}.className") == "detail"
    browser.click("#filter")
    browser.type("full")
    assert not browser.run(f"{last}.checkVisibility()")


def test_the_crop_map(browser: Browser, page: Path) -> None:
    opened(browser, page, "full10.png")
    browser.prefer(prefers_reduced_motion="reduce")
    assert browser.run(BOXES.format(".frame canvas", "opacity")) == "0"
    browser.click(".photo button")
    assert browser.run("document.querySelector('.photo button').ariaPressed") == "true"
    assert browser.run(BOXES.format(".frame canvas", "opacity")) == "1"
    bright = (
        "(() => {const c = document.querySelector('canvas');"
        "const p = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
        "const row = Math.floor(c.height / 2) * c.width;"
        "return [0.2, 0.7].map(x => p[4 * (row + Math.floor(x * c.width)) + 3]); })()"
    )
    left, right = browser.run(bright)
    assert left < right  # the photo has its contrast there


def test_the_slider_by_keyboard(browser: Browser, page: Path) -> None:
    opened(browser, page, "full10.png")
    browser.run("document.querySelector('.compare input').focus()")
    for _ in range(3):
        browser.press("ArrowRight")
    slider = "document.querySelector('.compare input')"
    assert browser.run(f"{slider}.value") == "53"
    assert browser.run(f"{slider}.getAttribute('aria-valuetext')") == "53 % bicubic"
    assert "47%" in browser.run(BOXES.format(".compare .before", "clipPath"))
    browser.press("End")
    assert browser.run(f"{slider}.value") == "100"
    sides = (
        "[...document.querySelectorAll('.compare img')].map(i => [i.naturalWidth, i.clientWidth])"
    )
    before, after = browser.run(sides)
    assert before == after


def test_dark_and_light(browser: Browser, page: Path) -> None:
    paper = BOXES.format("body", "backgroundColor")
    button = "document.getElementById('theme').textContent"
    browser.prefer(prefers_color_scheme="dark")
    browser.open(page)
    dark = browser.run(paper)
    assert browser.run(button) == "Light"
    browser.click("#theme")
    light = browser.run(paper)
    assert light != dark and browser.run(button) == "Dark"
    browser.prefer(prefers_color_scheme="light")
    browser.open(page)
    assert browser.run(paper) == light
    browser.click("#theme")
    assert browser.run(paper) == dark


def test_the_keyboard_reaches_all_in_order(browser: Browser, page: Path) -> None:
    browser.open(page)
    order = []
    for _ in range(12):
        browser.press("Tab")
        order.append(browser.run("document.activeElement.id || document.activeElement.textContent"))
    heads = ["Photo", "Wide, px", "Narrow, px", "Angle", "Error", "Spread", "Notes"]
    assert order == ["filter", "noted", "theme", *heads, "r0", "r1"]


def test_a_screen_reader_finds_a_table(browser: Browser, page: Path) -> None:
    opened(browser, page, "full10.png")
    browser.call("Accessibility.enable")
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    browser.call("Accessibility.disable")
    found = {(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes}
    roles = [role for role, _ in found]
    assert "table" in roles and "columnheader" in roles and "rowheader" in roles
    assert ("slider", "How much of the picture is bicubic, from the left") in found
    assert any("scale 2, 1.60 × 1.10 px at 0 degrees" in name for _, name in found)
    assert not [node for node in found if node in {("button", ""), ("image", ""), ("slider", "")}]


def test_a_narrow_window(browser: Browser, page: Path) -> None:
    browser.resize(390, 800)
    opened(browser, page, "full10.png")
    assert browser.run("document.documentElement.scrollWidth") == 390
    assert browser.run("document.querySelector('.detail td').clientWidth") > 340
    browser.resize(1200, 800)
    assert browser.run("document.querySelector('.detail td').clientWidth") > 1100


def test_without_javascript_the_table_can_be_read(browser: Browser, page: Path) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    browser.open(page)
    browser.call("Emulation.setScriptExecutionDisabled", value=False)
    assert browser.run("document.querySelector('tbody tr').innerText").split() == [
        *("full10.png", "1.60", "1.10", "0°", "13%", "20%", "look", "twice"),
    ]
    assert browser.run("document.querySelector('td.thumb img').naturalWidth") > 0
    assert not browser.run("document.querySelector('.tools').checkVisibility()")


def test_hostile_names_do_nothing(browser: Browser, tmp_path: Path) -> None:
    for index, name in enumerate(HOSTILE):
        told = record(
            photo(tmp_path / name, seed=index),
            warnings=[f"</script>{name}"],
            device=name,
            losses={**losses(10), f"</script>{name}": [[1.0, 2.0] * 5]},
        )
        write(tmp_path / "out", name.removesuffix(".png"), told, gaussian())
    write_report(tmp_path / "out", failures=[f"</script>{name}" for name in HOSTILE])
    browser.open(tmp_path / "out" / "report.html")
    browser.run("document.querySelectorAll('button.open').forEach(button => button.click())")
    assert sorted(browser.run(NAMES)) == sorted(HOSTILE)
    assert browser.run("document.querySelectorAll('.detail .charts svg').length") == 4 * 3
    assert browser.run("document.querySelectorAll('script').length") == 2 + 4
    assert browser.run("document.querySelectorAll('[src=x], [onload], [onerror]').length") == 0


def test_a_script_that_got_in_would_not_run(browser: Browser, page: Path) -> None:
    torn = page.with_name("report.html").read_text(encoding="utf-8")
    broken = page.parent / "broken" / "report.html"
    broken.parent.mkdir()
    evil = "<script>alert(5)</script><img src='http://127.0.0.1:9/x' onerror='alert(6)'>"
    broken.write_text(torn.replace("<main>", f"<main>{evil}"), encoding="utf-8")
    browser.open(broken)
    assert browser.run("document.images[0].naturalWidth") == 0 and not browser.dialogs
    told = browser.complaints
    assert told and all("Content Security Policy" in complaint for complaint in told)
    browser.complaints.clear()
    browser.requests[:] = [url for url in browser.requests if not url.startswith("http:")]


def test_three_thousand_rows(browser: Browser, tmp_path: Path) -> None:
    source = photo(tmp_path / "a.png", 64, 64)
    told = record(source)
    for index in range(3000):
        # Kernels in the record only: reading as many files is not what is tested.
        kernels = {"x2": {"width_major": 1 + index / 3000, "width_minor": 1, "angle": 0}}
        path = {**told["source"], "path": str(tmp_path / f"p{index}.png")}
        write(tmp_path / "out", f"p{index:04}", {**told, "kernels": kernels, "source": path})
    (tmp_path / "p2999.png").write_bytes(source.read_bytes())
    written = write_report(tmp_path / "out")
    assert written.photos == 3000 and written.missing == 2999
    browser.open(written.path)
    shown = "document.querySelectorAll('tbody tr:not(.late)').length"
    assert browser.run(shown) == 200
    browser.run("document.getElementById('more').scrollIntoView()")
    browser.wait(f"{shown} > 200")
    browser.run("window.scrollTo(0, 0)")
    for _ in range(2):
        browser.click("thead th:nth-child(4) button")
    first = f"({NAMES}).slice(0, 2)"
    assert browser.run(first) == ["p2999.png", "p2998.png"] and browser.run(shown) == 200
    browser.wait("document.querySelector('td.thumb img').naturalWidth > 0")  # came with the row
    browser.click("#filter")
    browser.type("p2500")
    assert browser.run(NAMES) == ["p2500.png"]
