"""`--filter NAME=VALUE` of commands for images."""

from __future__ import annotations

from fastbox.exceptions import SpecError


def read(given: list[str]) -> dict[str, list[str]]:
    """The values of each filter. Raises SpecError for what is not NAME=VALUE."""
    filters: dict[str, list[str]] = {}
    for text in given:
        # The name of label!=KEY ends with its exclamation mark.
        name, sign, value = text.partition("=")
        if not sign:
            raise SpecError(f"--filter {text}: use NAME=VALUE")
        filters.setdefault(name.strip().lower(), []).append(value.strip())
    return filters
