"""The command line: parser, and from exceptions to messages and exit codes.

Exit codes: 0 all done · 1 a photo failed · 2 wrong usage · 3 nothing could be done (output folder,
device, extension) · 129 SIGHUP · 130 Ctrl-C · 143 SIGTERM.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import kernelgan_fast
from kernelgan_fast.cli import (
    analyse,
    completion,
    degrade,
    downscale,
    estimate,
    evaluate,
    export,
    info,
    report,
    upscale,
)
from kernelgan_fast.cli.console import (
    flush_results,
    library_notes,
    prepare_streams,
    print_document,
    print_message,
)
from kernelgan_fast.cli.signals import stop_signals, stopped
from kernelgan_fast.errors import (
    DeviceUnavailable,
    InputError,
    KernelGanError,
    NativeUnavailable,
    OutputError,
    is_out_of_memory,
)
from kernelgan_fast.escaping import printable

FAILED, USAGE, NOTHING_DONE = 1, 2, 3

_SHORT_HELP = """\
kernelgan-fast finds the kernel that made a photo small, from that photo alone,
and puts it to work.

  kernelgan-fast estimate photo.png           its kernel, into kernelgan_out/
  kernelgan-fast upscale photo.png            twice as large, by that kernel
  kernelgan-fast downscale photo.png --kernel k.mat
                                              smaller, by a kernel
  kernelgan-fast report kernelgan_out         a page to look at all of it
  kernelgan-fast info                         versions, devices, what would run

All commands: kernelgan-fast --help; of one: kernelgan-fast estimate --help
"""


class Parser(argparse.ArgumentParser):
    """An argument parser with one-line errors that suggest the nearest word."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and where help is; exit with 2."""
        bad = re.search(r"invalid choice: '([^']*)'|unrecognized arguments: (\S+)", message)
        hint = ""
        if bad:
            word = (bad[1] or bad[2]).partition("=")[0]
            nearest = difflib.get_close_matches(word, self.words(), n=1)
            if nearest:
                hint = f"; did you mean {nearest[0]}?"
            elif bad[1] and os.path.exists(bad[1]):
                hint = f"; did you mean {self.prog} estimate {bad[1]}?"
        problem = printable(f"error: {message}{hint}")
        self.exit(USAGE, f"{problem}\n(help: {self.prog} --help)\n")

    def _print_message(self, message: str, file: Any = None) -> None:
        # argparse ignores that a stream is full or closed.
        if file is sys.stdout:
            print_document(message)
            return
        for line in message.splitlines():
            print_message(line)

    def words(self) -> list[str]:
        """Every option and choice of this parser."""
        found: list[str] = []
        for action in self._actions:
            found += action.option_strings
            found += [str(choice) for choice in action.choices or ()]
            if isinstance(action, argparse._SubParsersAction):  # `evaluate` has commands of its own
                for parser in action.choices.values():
                    found += parser.words()
        return found


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: the arguments; those of the process if None.

    Returns:
        The exit code.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    debug = "--debug" in arguments
    prepare_streams()
    say = _drop if "--quiet" in arguments else print_message
    try:
        with stop_signals(), library_notes(say):
            code = _run(arguments)
            flush_results()
            return code
    except BrokenPipeError:
        return FAILED  # whoever read our output has had enough
    except KeyboardInterrupt:
        code, word = stopped()
        print_message(word)
        return code
    except Exception as error:
        if debug:
            raise
        return _explain(error)


def build_parser() -> tuple[Parser, dict[str, Parser]]:
    """The parser, and its subparsers by command."""
    parser = Parser(
        prog="kernelgan-fast",
        formatter_class=formatter,
        allow_abbrev=False,
        description=(
            "Find the kernel that made a photo small, from that photo alone, and enlarge\n"
            "photos with it."
        ),
        epilog="kernelgan-fast COMMAND --help shows the options of a command.",
    )
    parser.add_argument(
        "--version", action="version", version=f"kernelgan-fast {kernelgan_fast.__version__}"
    )
    commands = parser.add_subparsers(
        title="commands", dest="command", metavar="COMMAND", required=True
    )
    parsers: dict[str, Parser] = {}
    for module in (
        *(estimate, report, upscale, downscale, analyse, degrade),
        *(evaluate, export, info, completion),
    ):
        name = module.__name__.rpartition(".")[2]
        parsers[name] = commands.add_parser(
            name,
            help=module.HELP,
            description=module.DESCRIPTION,
            epilog=module.EPILOG,
            formatter_class=formatter,
            allow_abbrev=False,
        )
        module.add_arguments(parsers[name])
        parsers[name].add_argument(
            "--debug", action="store_true", help="show the traceback of an error"
        )
        parsers[name].set_defaults(run=module.run)
    return parser, parsers


def formatter(prog: str) -> argparse.HelpFormatter:
    """Help as wide as the terminal, 80 columns at most."""
    return argparse.RawDescriptionHelpFormatter(prog, max_help_position=24, width=79)


def _drop(text: str) -> None:
    """Say nothing, as --quiet asks."""


def _run(arguments: Sequence[str]) -> int:
    if not arguments:
        print_document(_SHORT_HELP)
        return 0
    parser, parsers = build_parser()
    try:
        args, extra = parser.parse_known_args(arguments)
        if extra:
            # The subcommand's parser knows the options that may have been meant.
            parsers[args.command].error(f"unrecognized arguments: {' '.join(extra)}")
    except SystemExit as stop:  # argparse ends this way, after --help too
        return stop.code if isinstance(stop.code, int) else USAGE
    code: int = args.run(args)
    return code


def _explain(error: Exception) -> int:
    if isinstance(error, KernelGanError):
        print_message(f"error: {error}")
        if isinstance(error, InputError):
            return USAGE
        if isinstance(error, (OutputError, NativeUnavailable, DeviceUnavailable)):
            return NOTHING_DONE
        return FAILED
    if is_out_of_memory(error):
        print_message(f"error: memory ran out ({error}); close other programs or use fewer --jobs")
        return FAILED
    if isinstance(error, OSError) and error.filename is not None:
        print_message(f"error: {error.filename}: {error.strerror}")
        return NOTHING_DONE
    text = f"{type(error).__name__}: {error}"
    print_message(f"error: this should not have happened: {text} (--debug shows where)")
    return FAILED


if __name__ == "__main__":
    sys.exit(main())
