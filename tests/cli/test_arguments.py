"""Arguments that commands share."""

from __future__ import annotations

import argparse

from kernelgan_fast.cli.arguments import add_output, add_photos


def test_photos_and_output() -> None:
    parser = argparse.ArgumentParser()
    add_photos(parser)
    output = add_output(parser, "made_here")
    output.add_argument("--more", action="store_true")
    args = parser.parse_args(["a.png", "b"])
    assert (args.inputs, args.out) == (["a.png", "b"], "made_here")
    assert not (args.resume or args.quiet or args.json or args.more)
    args = parser.parse_args(["a", "--out", "o", "--resume", "--quiet", "--json", "--more"])
    assert args.out == "o" and args.resume and args.quiet and args.json and args.more
    assert "./made_here" in parser.format_help() and output.title == "output"
