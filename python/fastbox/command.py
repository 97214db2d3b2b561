"""What the command line needs of the engine: its option table, and a parser with Docker's rules."""

from __future__ import annotations

from fastbox import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from fastbox._core import RunCommand

__all__ = [
    "container_names",
    "global_flags",
    "option_table",
    "parse_run",
    "refused_flags",
]


def option_table() -> list[dict[str, Any]]:
    """Every option in the order of help: name, flag, kind, default, help and more."""
    import json  # for help alone: a run would feel it

    rows: list[dict[str, Any]] = json.loads(_core.option_table())
    return rows


def global_flags(args: list[str]) -> list[str]:
    """Sets what the flags before the command say, before anything else is asked of the engine.

    Gives what follows them; `["help"]` or `["version"]` where they ask for that.
    """
    return _core.global_flags(args)


def refused_flags() -> list[dict[str, Any]]:
    """Docker's flags that mean nothing here: flag, short, takes_value, accepted values, and why."""
    import json

    rows: list[dict[str, Any]] = json.loads(_core.refused_flags())
    return rows


def container_names() -> list[str]:
    """The names of the containers that run now, of all processes."""
    return _core.container_names()


def parse_run(args: list[str]) -> RunCommand | None:
    """Reads what stands after `fastbox run`; None where it asks for help."""
    return _core.parse_run(args)
