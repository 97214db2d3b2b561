"""This machine: `info`, and what `fastbox doctor` finds."""

from __future__ import annotations

from fastbox import _core
from fastbox._core import Info

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Info", "doctor", "info"]


def info() -> Info:
    """Facts about this machine, and what fastbox has on it."""
    return _core.info()


def doctor() -> list[dict[str, Any]]:
    """What this machine can and cannot do: name, ok, essential, found, and remedy for each.

    The last check is a container. Where an essential one is not ok, containers cannot run.
    """
    import json

    checks: list[dict[str, Any]] = json.loads(_core.doctor())
    return checks
