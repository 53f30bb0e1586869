"""The directive `command-line`: every command with its options, from the parsers themselves."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from kernelgan_fast.cli.main import build_parser


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("command-line", CommandLine)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class CommandLine(SphinxDirective):
    """A section for each command, those within commands too."""

    def run(self) -> list[nodes.Node]:
        return [_section(parser) for parser in _leaves(build_parser()[0])]


def _subparsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.values()


def _leaves(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    below = list(_subparsers(parser))
    if not below:
        yield parser
    for each in below:
        yield from _leaves(each)


def _section(parser: argparse.ArgumentParser) -> nodes.section:
    name = parser.prog.removeprefix("kernelgan-fast ")
    identity = nodes.make_id(name)
    section = nodes.section("", nodes.title("", name), ids=[identity], names=[name])
    section += _verbatim(parser.format_usage())
    section += _verbatim(parser.description or "")
    for group in parser._action_groups:
        actions = [
            each
            for each in group._group_actions
            if each.help != argparse.SUPPRESS and "--help" not in each.option_strings
        ]
        if actions:
            section += nodes.rubric("", (group.title or "").capitalize())
            section += nodes.definition_list(
                "", *(_option(each, identity) for each in actions), classes=["options"]
            )
    if parser.epilog:
        section += _verbatim(parser.epilog)
    return section


def _option(action: argparse.Action, command: str) -> nodes.definition_list_item:
    words = action.option_strings or [str(action.metavar or action.dest)]
    text = ", ".join(words)
    if action.option_strings and action.nargs != 0:
        value = action.metavar or "|".join(str(each) for each in action.choices or ())
        text += f" [{value}]" if action.nargs == "?" else f" {value}"
    identity = nodes.make_id(f"{command}-{words[-1]}")
    help_ = (action.help or "").replace("%%", "%")
    return nodes.definition_list_item(
        "",
        nodes.term("", "", nodes.literal("", text), ids=[identity]),
        nodes.definition("", nodes.paragraph("", help_)),
    )


def _verbatim(text: str) -> nodes.literal_block:
    return nodes.literal_block(text, text.rstrip(), language="none")
