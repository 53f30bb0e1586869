"""`kernelgan-fast completion`: a script that makes the shell complete this command with Tab."""

from __future__ import annotations

import argparse

from kernelgan_fast.cli.console import print_document

HELP = "complete commands and options with Tab, in your shell"
DESCRIPTION = """\
Print a script that makes the shell complete commands, options, their choices
and file names with Tab. Where it belongs:

  bash        ~/.local/share/bash-completion/completions/kernelgan-fast
  zsh         _kernelgan-fast, in a folder of $fpath
  fish        ~/.config/fish/completions/kernelgan-fast.fish
  tcsh        a file that ~/.tcshrc sources
"""
EPILOG = """\
examples:
  eval "$(kernelgan-fast completion bash)"      for this shell only
  kernelgan-fast completion zsh > ~/.zfunc/_kernelgan-fast
"""
_SHELLS = ("bash", "zsh", "fish", "tcsh")

# What an argument is called in the help says what may stand there.
_FILES = ("PHOTO", "FILE", "KERNEL")
_FOLDERS = ("DIR", "TEST_DIR", "ESTIMATES")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("shell", metavar="SHELL", choices=_SHELLS, help=", ".join(_SHELLS))


def run(args: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    import shtab

    from kernelgan_fast.cli.main import build_parser

    parser, _ = build_parser()
    _say_what_may_stand(parser)
    print_document(shtab.complete(parser, args.shell))
    return 0


def _say_what_may_stand(parser: argparse.ArgumentParser) -> None:
    """Mark the arguments of `parser` and of its commands that are names, files or folders."""
    import shtab

    from kernelgan_fast.gan.config import PROFILES
    from kernelgan_fast.jobs.upscale import methods

    names = {"profile": tuple(PROFILES), "method": methods()}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                _say_what_may_stand(command)
        elif action.metavar in _FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        elif action.metavar in _FOLDERS:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
        elif action.choices is None:
            action.choices = names.get(action.dest)
