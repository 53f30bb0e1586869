"""Docstrings as they are written here: plain text, code in backticks, names without modules."""

from __future__ import annotations

import re
import textwrap

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode

_ARRAY = re.compile(r"[~\w.]*ndarray\[tuple\[[~\w.]*Any, \.\.\.\], [~\w.]*dtype\[([~\w.]*)\]\]")
_SEVERAL = re.compile(r"^( +)(\w+(?:, \w+)+): (.*)")
_CODE = re.compile(r"(`+[^`]+`+)")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", _plain, priority=400)  # before napoleon
    app.connect("autodoc-process-signature", _short_types)
    app.connect("autodoc-skip-member", _skip)
    app.connect("missing-reference", _short_name)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _plain(
    app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]
) -> None:
    """Norms, products and powers are no markup."""
    for number, line in enumerate(lines):
        parts = _CODE.split(line)
        parts[::2] = [re.sub(r"([|*])", r"\\\1", part) for part in parts[::2]]
        lines[number] = re.sub("^Source: ", ":Source: ", "".join(parts))
    _name_each(lines)
    _tell_what_returns(lines)


def _name_each(lines: list[str]) -> None:
    """Give several attributes that are explained together a line each."""
    if "Attributes:" not in lines:
        return
    for number in range(len(lines) - 1, lines.index("Attributes:"), -1):
        found = _SEVERAL.match(lines[number])
        if found and len(found[1]) == 4:
            names = found[2].split(", ")
            lines[number : number + 1] = [f"{found[1]}{name}: {found[3]}" for name in names]


def _tell_what_returns(lines: list[str]) -> None:
    """Make the section Returns a field, or a list where it names several things.

    napoleon would take the words before a colon for a type.
    """
    if "Returns:" not in lines:
        return
    first = lines.index("Returns:")
    end = first + 1
    while end < len(lines) and (lines[end].startswith(" ") or not lines[end]):
        end += 1
    body = textwrap.dedent("\n".join(lines[first + 1 : end])).strip().splitlines()
    starts = [line for line in body if line and not line.startswith(" ")]
    if len(starts) > 1 and all(re.match(r"\w[\w, ]*: ", line) for line in starts):
        body = [line if line.startswith(" ") else f"* {line}" for line in body]
        body = ["", *body]
    lines[first:end] = ["", ":returns:", *(f"   {line}" for line in body), ""]


def _short_types(
    app: Sphinx,
    what: str,
    name: str,
    value: object,
    options: object,
    signature: str | None,
    returns: str | None,
) -> tuple[str | None, str | None]:
    """Write array types as the code does."""

    def short(text: str | None) -> str | None:
        return text and _ARRAY.sub(r"NDArray[\1]", text).replace("<factory>", "...")

    return short(signature), short(returns)


def _skip(
    app: Sphinx, what: str, name: str, value: object, skip: bool, options: object
) -> bool | None:
    """Leave out the fields of named tuples, which their class explains."""
    alias = (getattr(value, "__doc__", None) or "").startswith("Alias for field number")
    return True if alias else None


def _short_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, words: nodes.TextElement
) -> nodes.reference | None:
    """Find a class of ours by its name alone, as `Raises:` sections give it."""
    if node.get("refdomain") != "py":
        return None
    name = node["reftarget"].rpartition(".")[2]
    known = env.domains["py"].objects  # type: ignore[attr-defined]
    found = {
        (entry.docname, entry.node_id)
        for full, entry in known.items()
        if full.startswith("kernelgan_fast.")
        and full.rpartition(".")[2] == name
        and entry.objtype in ("class", "exception", "function")
    }
    if len(found) != 1:
        return None
    page, anchor = found.pop()
    return make_refnode(app.builder, node["refdoc"], page, anchor, words, name)
