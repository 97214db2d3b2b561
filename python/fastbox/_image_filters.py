"""Which images a list has: Docker's filters."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from fastbox.exceptions import SpecError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from fastbox.images import Image

    Filters = Mapping[str, str | bool | Iterable[str]]
    Test = Callable[[Image], bool]

NAMES = ("before", "dangling", "label", "label!", "reference", "since", "until")
_UNITS = {"s": 1, "m": 60, "h": 3600}


def select(images: Iterable[Image], filters: Filters, get: Callable[[str], Image]) -> list[Image]:
    """The images that fit: all filters, and of each filter any value, but every label.

    `get` finds the images that before and since name. Raises SpecError for a filter that is none.
    """
    tests = [_test(name, _values(value), get) for name, value in filters.items()]
    return [image for image in images if all(test(image) for test in tests)]


def _values(value: str | bool | Iterable[str]) -> list[str]:
    if isinstance(value, bool):
        return ["true" if value else "false"]
    return [value] if isinstance(value, str) else list(value)


def _test(name: str, values: list[str], get: Callable[[str], Image]) -> Test:
    if name == "dangling":
        wanted = {_is_true(value) for value in values}
        return lambda image: (not image.tags) in wanted
    if name == "label":
        return lambda image: all(_has_label(image, value) for value in values)
    if name == "label!":
        return lambda image: not any(_has_label(image, value) for value in values)
    if name == "reference":
        patterns = [_pattern(value) for value in values]
        return lambda image: any(_fits(tag, patterns) for tag in image.tags)
    if name == "before":
        earliest = min(get(value).created for value in values)
        return lambda image: image.created < earliest
    if name == "since":
        latest = max(get(value).created for value in values)
        return lambda image: image.created > latest
    if name == "until":
        moment = min(_moment(value) for value in values)
        return lambda image: _made(image) < moment
    raise SpecError(f"invalid filter {name!r}: use one of {', '.join(NAMES)}")


def _is_true(value: str) -> bool:
    if value in ("1", "t", "T", "true", "TRUE", "True"):
        return True
    if value in ("0", "f", "F", "false", "FALSE", "False"):
        return False
    raise SpecError(f"invalid filter dangling={value}: use true or false")


def _made(image: Image) -> datetime:
    """When; long ago where the image does not tell."""
    try:
        return datetime.fromisoformat(image.created).astimezone(UTC)
    except (ValueError, OverflowError):
        return datetime.min.replace(tzinfo=UTC)


def _has_label(image: Image, wanted: str) -> bool:
    labels = image.labels
    key, sign, value = wanted.partition("=")
    return key in labels and (not sign or labels[key] == value)


def tags_that_fit(image: Image, filters: Filters) -> list[str]:
    """The names of an image that the filter reference, if there is one, lets through."""
    if "reference" not in filters:
        return image.tags
    patterns = [_pattern(value) for value in _values(filters["reference"])]
    return [tag for tag in image.tags if _fits(tag, patterns)]


def _fits(tag: str, patterns: list[re.Pattern[str]]) -> bool:
    repository = tag.rpartition(":")[0]
    return any(pattern.fullmatch(tag) or pattern.fullmatch(repository) for pattern in patterns)


def _pattern(text: str) -> re.Pattern[str]:
    """A shell's pattern, in which neither `*` nor `?` stands for a slash."""
    out = ""
    place = 0
    while place < len(text):
        letter = text[place]
        place += 1
        if letter in "*?":
            out += "[^/]*" if letter == "*" else "[^/]"
        elif letter == "[":
            found = re.compile(r"(\^?)((?:\\.|[^\]\\])+)\]").match(text, place)
            if found is None:
                raise SpecError(f"invalid filter reference={text}: a [ is not closed")
            members = found.group(2).replace("[", r"\[").replace("^", r"\^").replace("&", r"\&")
            out += f"[{found.group(1)}{members}]"
            place = found.end()
        elif letter == "\\":
            if place == len(text):
                raise SpecError(f"invalid filter reference={text}: it ends with a backslash")
            out += re.escape(text[place])
            place += 1
        else:
            out += re.escape(letter)
    try:
        return re.compile(out)
    except re.error as error:
        raise SpecError(f"invalid filter reference={text}: {error}") from None


def _moment(text: str) -> datetime:
    """A time, or how long ago: 2026-01-31T12:00:00, 1767225600, 24h, 1h30m."""
    if re.fullmatch(r"(\d+(\.\d+)?[smh])+", text):
        parts = re.findall(r"(\d+(?:\.\d+)?)([smh])", text)
        seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
        return datetime.now(UTC) - timedelta(seconds=seconds)
    try:
        if re.fullmatch(r"\d+(\.\d+)?", text):
            return datetime.fromtimestamp(float(text), UTC)
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise SpecError(
            f"invalid filter until={text}: use a time such as 2026-01-31T12:00:00 or 24h"
        ) from None
    # Where no zone is given it is this machine's.
    return moment.astimezone(UTC)
