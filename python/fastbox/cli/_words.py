"""Sizes and ages in Docker's words."""

from __future__ import annotations

from datetime import UTC, datetime

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_HOURS = {"days": 24, "weeks": 24 * 7, "months": 24 * 30, "years": 24 * 365}


def human_size(size: float, digits: int = 3) -> str:
    """So many digits and a decimal unit: 4.26MB."""
    unit = 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size /= 1000
        unit += 1
    return f"{size:.{digits}g}{_UNITS[unit]}"


def moment(text: str) -> datetime | None:
    """A time as documents have it; None for Go's zero time, the year 1, and for what is no time."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.astimezone(UTC) if found.year > 1 else None


def age(moment: datetime, now: datetime) -> str:
    """How long ago, in one unit, which begins at twice itself from days on: 13 days ago."""
    return f"{_duration(max(0.0, (now - moment).total_seconds()))} ago"


def _duration(seconds: float) -> str:
    if seconds < 1:
        return "Less than a second"
    if seconds < 2:
        return "1 second"
    if seconds < 60:
        return f"{int(seconds)} seconds"
    if seconds < 120:
        return "About a minute"
    if seconds < 3600:
        return f"{int(seconds / 60)} minutes"
    hours = int(seconds / 3600 + 0.5)
    if hours == 1:
        return "About an hour"
    if hours < 48:
        return f"{hours} hours"
    unit = "days"
    for longer in ("weeks", "months", "years"):
        if hours >= 2 * _HOURS[longer]:
            unit = longer
    return f"{hours // _HOURS[unit]} {unit}"
