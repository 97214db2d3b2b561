"""How help is laid out, for every command."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable

# A flag as help prints it, and what is said of it.
Row = tuple[str, str]


def width() -> int:
    """Columns to write in: the terminal's, at most 100; 100 where there is none."""
    if not sys.stdout.isatty():
        return 100
    import shutil

    return max(60, min(100, shutil.get_terminal_size().columns))


def section(title: str, rows: Iterable[Row], column: int = 0) -> str:
    """A heading and its rows, the text in one column: at least `column`."""
    rows = list(rows)
    column = max([column, *(len(flag) + 5 for flag, _ in rows)])
    lines = [f"\n{title}:"]
    for flag, text in rows:
        wrapped = textwrap.wrap(text, max(20, width() - column)) or [""]
        lines.append(f"  {flag:{column - 2}}{wrapped[0]}".rstrip())
        lines += [f"{'':{column}}{line}" for line in wrapped[1:]]
    return "\n".join(lines) + "\n"
