"""The command line as a user has it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

# The command is a native program that hands over to Python's command line, which is complete.
WAYS = {
    "launcher": [str(Path(sys.executable).with_name("fastbox"))],
    "python": [sys.executable, "-m", "fastbox"],
}
# A test with the marker `both_ways` runs with each.
way = "launcher"


def command(*args: str | Path) -> list[str]:
    """`fastbox ARGS`, of this interpreter's environment."""
    return [*WAYS[way], *map(str, args)]


def fastbox(*args: str | Path, **more: Any) -> subprocess.CompletedProcess[str]:
    """Runs it to its end; the output is text."""
    more.setdefault("timeout", 60)
    if "input" not in more:
        more.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run(command(*args), capture_output=True, text=True, **more)


def refused(done: subprocess.CompletedProcess[str], code: int, words: str) -> None:
    """Checks an error: its code, one line, and that no traceback is shown."""
    assert done.returncode == code, done
    lines = done.stderr.splitlines()
    assert [line for line in lines if line.startswith("fastbox: ")], done
    assert "Traceback" not in done.stderr
    assert words.lower() in done.stderr.lower()
    assert done.stdout == ""
