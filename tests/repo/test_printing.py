"""The commands print through `cli/console.py` alone, which escapes what names of files may hold."""

from __future__ import annotations

import ast
from pathlib import Path

COMMANDS = Path(__file__).resolve().parents[2] / "python" / "kernelgan_fast" / "cli"


def prints(source: str) -> list[int]:
    """The lines that print by themselves."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            function = ast.unparse(node.func)
            if function == "print" or function.endswith(".write"):
                found.append(node.lineno)
    return found


def test_no_command_prints_by_itself() -> None:
    files = [file for file in COMMANDS.glob("*.py") if file.name != "console.py"]
    assert files
    wrong = [f"{file.name}:{line}" for file in files for line in prints(file.read_text("utf-8"))]
    assert not wrong, f"print through cli/console.py: {', '.join(wrong)}"


def test_what_prints_is_found() -> None:
    assert prints("print(1)\nsys.stdout.write('a')\nprint_message('b')\n") == [1, 2]
