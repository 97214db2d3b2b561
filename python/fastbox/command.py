"""What the command line needs of the engine: its option table, and a parser with Docker's rules."""

from __future__ import annotations

from fastbox import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from fastbox._core import Completed, RunCommand

__all__ = [
    "configure",
    "container_names",
    "option_table",
    "parse_run",
    "pass_through",
    "refused_flags",
]


def option_table() -> list[dict[str, Any]]:
    """Every option in the order of help: name, flag, kind, default, help and more."""
    import json  # for help alone: a run would feel it

    rows: list[dict[str, Any]] = json.loads(_core.option_table())
    return rows


def configure(
    config: str | None = None,
    root: str | None = None,
    run_root: str | None = None,
    log_level: str | None = None,
) -> None:
    """Sets what the global flags say, before anything else is asked of the engine."""
    _core.configure(config, root, run_root, log_level)


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


def pass_through(plan: _core.Plan) -> Completed[None]:
    """Runs it on this process's own stdin, stdout and stderr, and passes signals on to it."""
    return plan.pump()
