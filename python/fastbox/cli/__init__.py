"""The command line. `main` is the command `fastbox`."""

from __future__ import annotations

from fastbox.cli._main import main

__all__ = ["main"]
