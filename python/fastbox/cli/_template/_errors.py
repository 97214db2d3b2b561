"""Mistakes in templates."""

from __future__ import annotations

from fastbox.exceptions import SpecError


class TemplateError(SpecError):
    """A template that cannot be read, or not be applied to the data."""


def mistake(text: str, place: int, what: str) -> TemplateError:
    """An error with where it is: line (where there are several) and character, from 1."""
    before = text[:place]
    character = place - (before.rfind("\n") + 1) + 1
    line = f"line {before.count(chr(10)) + 1}, " if "\n" in text else ""
    return TemplateError(f"--format: {line}character {character}: {what}")
