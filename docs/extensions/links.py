"""Links as a code host follows them, made to fit the site.

The README, the changelog and the guide for contributors are pages of the site too (repository/).
Links to other files of the repository become plain text, as the site holds the pages alone.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

from sphinx.application import Sphinx

_PAGES = {
    "README.md": "docs/repository/readme.md",
    "CHANGELOG.md": "docs/repository/changelog.md",
    "CONTRIBUTING.md": "docs/repository/contributing.md",
}
_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s#:]+)(#[^)\s]*)?\)")
_PICTURE = re.compile(r'<img src="([^":]+)" width="(\d+)" alt="([^"]*)">')


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", _page)
    app.connect("include-read", _included)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def fit(text: str, folder: PurePosixPath, page: PurePosixPath) -> str:
    """Rewrite the links of a text.

    Args:
        text: Markdown.
        folder: of the file that the text is from, from the repository's root.
        page: of the page that shows it, from there too.
    """

    def relative(target: str) -> str:
        return os.path.relpath(os.path.normpath(folder / target), page.parent)

    def link(found: re.Match[str]) -> str:
        words, target, anchor = found[1], found[2], found[3] or ""
        file = os.path.normpath(folder / target)
        file = _PAGES.get(file, file)
        if not file.startswith("docs/"):
            return words
        return f"[{words}]({os.path.relpath(file, page.parent)}{anchor})"

    def picture(found: re.Match[str]) -> str:
        return f"![{found[3]}]({relative(found[1])}){{width={found[2]}px}}"

    return _LINK.sub(link, _PICTURE.sub(picture, text))


def _page(app: Sphinx, name: str, source: list[str]) -> None:
    page = PurePosixPath("docs") / f"{name}.md"
    source[0] = fit(source[0], page.parent, page)


def _included(app: Sphinx, path: Path, parent: str, content: list[str]) -> None:
    # Only files of the root are included, by pages of their own.
    page = PurePosixPath("docs") / f"{app.env.current_document.docname}.md"
    content[0] = fit(content[0], PurePosixPath("."), page)
