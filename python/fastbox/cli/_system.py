"""`fastbox version`."""

from __future__ import annotations

from fastbox import __version__
from fastbox.cli._arguments import Given, Parser


def version_parser() -> Parser:
    """No arguments."""
    return Parser("version", "", "Show the version.")


def version_command(given: Given) -> int:
    """One line."""
    print(f"fastbox {__version__}")
    return 0
