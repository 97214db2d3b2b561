"""The functions a template may use: Go's own, and Docker's."""

from __future__ import annotations

from itertools import pairwise

from fastbox.cli._template._values import List, Map, kind, printf, shown, to_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from fastbox.cli._template._run import Node, Scope

WRONG = (TypeError, ValueError, IndexError)


def explained(name: str, error: Exception) -> str:
    """Why a function could not be applied."""
    if isinstance(error, TypeError) and ("argument" in str(error)):
        return f"{name}: wrong number of arguments"
    text = str(error)
    return text if text.startswith(f"{name}:") else f"{name}: {text}"


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"it needs a string, not {kind(value)}")
    return value


def _number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"it needs a whole number, not {kind(value)}")
    return value


def _join(items: Any, separator: Any) -> str:
    if not isinstance(items, (list, tuple)):
        raise ValueError(f"it needs a list, not {kind(items)}")
    return _text(separator).join(_text(item) for item in items)


def _split(text: Any, separator: Any) -> list[str]:
    cut = _text(separator)
    return List(_text(text).split(cut) if cut else _text(text))


def _title(text: Any) -> str:
    """The first letter of each word in upper case."""
    return "".join(
        letter.upper() if before.isspace() else letter
        for before, letter in pairwise(" " + _text(text))
    )


def _pad(text: Any, before: Any, after: Any) -> str:
    """Spaces around a text that is not empty."""
    return _text(text) and " " * _number(before) + text + " " * _number(after)


def _truncate(text: Any, length: Any) -> str:
    return _text(text)[: _number(length)]


def _length(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, (list, tuple, dict)):
        return len(value)
    raise ValueError(f"{kind(value)} has no length")


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if isinstance(value, dict):
            value = value.get(_text(key), "" if isinstance(value, Map) else None)
        elif isinstance(value, (list, tuple)):
            if not 0 <= _number(key) < len(value):
                raise ValueError(f"{key} is out of range: there are {len(value)}")
            value = value[key]
        else:
            raise ValueError(f"{kind(value)} has nothing to index")
    return value


def _slice(value: Any, *places: Any) -> Any:
    if not isinstance(value, (str, list)) or len(places) > 2:
        raise ValueError("it needs a string or list and at most two places")
    start, end = (*map(_number, places), *(0, len(value))[len(places) :])
    if not 0 <= start <= end <= len(value):
        raise ValueError(f"{start} to {end} is out of range: there are {len(value)}")
    return value[start:end]


def _print(*values: Any) -> str:
    """A space between two values neither of which is a string."""
    text = shown(values[0]) if values else ""
    for before, value in pairwise(values):
        text += "" if isinstance(before, str) or isinstance(value, str) else " "
        text += shown(value)
    return text


def _println(*values: Any) -> str:
    return " ".join(map(shown, values)) + "\n"


def _printf(form: Any, *values: Any) -> str:
    return printf(_text(form), list(values))


def _comparable(one: Any, other: Any) -> None:
    numbers = [isinstance(x, (int, float)) and not isinstance(x, bool) for x in (one, other)]
    is_same = all(numbers) or type(one) is type(other) or None in (one, other)
    if not is_same or isinstance(one, (list, dict)):
        raise ValueError(f"{kind(one)} cannot be compared with {kind(other)}")


def _eq(one: Any, *others: Any) -> bool:
    if not others:
        raise TypeError("argument missing")
    for other in others:
        _comparable(one, other)
    return one in others


def _ne(one: Any, other: Any) -> bool:
    return not _eq(one, other)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def run(one: Any, other: Any) -> bool:
        _comparable(one, other)
        if isinstance(one, bool) or one is None or other is None:
            raise ValueError(f"{kind(one)} has no order")
        return compare(one, other)

    return run


def _and(nodes: list[Node], scope: Scope) -> Any:
    """The first that is false, or the last."""
    return _first(nodes, scope, False)


def _or(nodes: list[Node], scope: Scope) -> Any:
    """The first that is true, or the last."""
    return _first(nodes, scope, True)


def _first(nodes: list[Node], scope: Scope, wanted: bool) -> Any:
    if not nodes:
        raise TypeError("argument missing")
    value = None
    for node in nodes:
        value = node(scope)
        if bool(value) is wanted:
            break
    return value


def _html(*values: Any) -> str:
    import html  # slow to import

    return html.escape(_print(*values)).replace("&#x27;", "&#39;")


def _urlquery(*values: Any) -> str:
    from urllib.parse import quote_plus  # slow to import

    return quote_plus(_print(*values))


def _js(value: Any) -> str:
    escapes = {"\\": "\\\\", "'": "\\'", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    more = {"<": "\\u003C", ">": "\\u003E", "&": "\\u0026", "=": "\\u003D"}
    return "".join({**escapes, **more}.get(letter, letter) for letter in shown(value))


def _unreachable(*_: Any) -> None:
    raise AssertionError("a lazy function is called with its nodes")


# Their arguments are not evaluated once the result is known.
LAZY: dict[str, Callable[[list[Node], Scope], Any]] = {"and": _and, "or": _or}

ALL: dict[str, Callable[..., Any]] = {
    "and": _unreachable,
    "or": _unreachable,
    "not": lambda value: not value,
    "eq": _eq,
    "ne": _ne,
    "lt": _ordered(lambda one, other: one < other),
    "le": _ordered(lambda one, other: one <= other),
    "gt": _ordered(lambda one, other: one > other),
    "ge": _ordered(lambda one, other: one >= other),
    "index": _index,
    "slice": _slice,
    "len": _length,
    "print": _print,
    "println": _println,
    "printf": _printf,
    "html": _html,
    "js": _js,
    "urlquery": _urlquery,
    "json": to_json,
    "join": _join,
    "split": _split,
    "lower": lambda text: _text(text).lower(),
    "upper": lambda text: _text(text).upper(),
    "title": _title,
    "pad": _pad,
    "truncate": _truncate,
}
# In a table's header they leave the column's title as it is.
LEAVING_HEADERS = frozenset({"json", "join", "split", "lower", "upper", "title", "truncate"})
