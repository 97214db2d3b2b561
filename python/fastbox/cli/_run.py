"""`fastbox run`."""

from __future__ import annotations

import os
import sys

from fastbox.command import option_table, parse_run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

USAGE = """\
Usage:  fastbox run [OPTIONS] IMAGE [COMMAND] [ARG...]

Run a program in a new container, which is removed when the program ends.

Aliases:
  fastbox container run, fastbox run
"""


def main(args: list[str]) -> int:
    """Runs it; the exit code is the program's, or Docker's 125, 126, 127, or 124 for a timeout."""
    command = parse_run(args)
    if command is None:
        sys.stdout.write(help_text(option_table()))
        return 0
    if command.interactive and command.tty and not os.isatty(0):
        print("fastbox: the input device is not a TTY", file=sys.stderr)
        return 1  # Docker's code for it
    return command.run()


def help_text(table: list[dict[str, Any]]) -> str:
    """All options under their headings."""
    from fastbox.cli import _help

    rows = [(row["group"], (_flag(row), _words(row))) for row in table if row["side"] != "python"]
    rows.append(("Run", ("    --help", "Print this help")))
    column = max(len(flag) for _, (flag, _) in rows) + 5
    text = USAGE
    for group in dict.fromkeys(group for group, _ in rows):
        text += _help.section(group, [row for of, row in rows if of == group], column)
    return text


def _flag(row: dict[str, Any]) -> str:
    short = f"-{row['short']}, " if row["short"] else "    "
    return f"{short}--{row['flag']} {row['metavar']}".rstrip()


def _words(row: dict[str, Any]) -> str:
    default = f" (default: {row['default']})" if row["default"] else ""
    return f"{row['help'].removesuffix('.')}{default}"
