"""Values as Go prints them."""

from __future__ import annotations

import json
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Map(dict[str, "Any"]):
    """A map of any keys. `is_nil` where it stands for null."""

    is_nil = False


class List(list["Any"]):
    """A list. `is_nil` where it stands for null."""

    is_nil = False


def typed(value: Any, maps: frozenset[str], lists: frozenset[str], name: str = "") -> Any:
    """A document whose members of these names are maps and lists, also where they are null."""
    if isinstance(value, dict):
        members = {key: typed(item, maps, lists, key) for key, item in value.items()}
        return Map(members) if name in maps else members
    if isinstance(value, list):
        return List(typed(item, maps, lists) for item in value)
    if value is None and (name in maps or name in lists):
        empty = Map() if name in maps else List()
        empty.is_nil = True
        return empty
    return value


class NoValue:
    """What a map has for a key that is not in it."""

    def __bool__(self) -> bool:
        return False


NO_VALUE = NoValue()


def shown(value: Any) -> str:
    """As `{{value}}` prints it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, NoValue):
        return "<no value>"
    if value is None:
        return "<nil>"
    if isinstance(value, float):
        is_whole = value.is_integer() and abs(value) < 1e21
        return str(int(value)) if is_whole else re.sub(r"e([+-])(\d)$", r"e\g<1>0\2", repr(value))
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{shown(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, (list, tuple)):
        return "[" + " ".join(map(shown, value)) + "]"
    return str(value)


def kind(value: Any) -> str:
    """What it is, for messages."""
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, dict):
        return "a map" if isinstance(value, Map) else "an object"
    return "nothing"


def to_json(value: Any) -> str:
    """In one line; the keys of maps are sorted, those of objects are not."""
    return json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"))


def _plain(value: Any) -> Any:
    if isinstance(value, (Map, List)) and value.is_nil:
        return None
    if isinstance(value, NoValue):
        return None
    if isinstance(value, dict):
        keys = sorted(value) if isinstance(value, Map) else value
        return {key: _plain(value[key]) for key in keys}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


WIDEST = 10_000
_VERB = re.compile(r"%([-+# 0]*)(\d*)(?:\.(\d*))?(.)", re.DOTALL)


def printf(form: str, values: list[Any]) -> str:
    """Go's fmt.Sprintf, with its common verbs. Raises ValueError for what does not fit."""
    rest = list(reversed(values))

    def one(found: re.Match[str]) -> str:
        flags, width, precision, verb = found.groups()
        if verb == "%":
            return "%"
        if not rest:
            raise ValueError(f"printf: no value for {found.group()}")
        text = _verb(verb, rest.pop(), flags, None if precision is None else int(precision or 0))
        wide = int(width or 0)
        if wide > WIDEST:
            raise ValueError(f"printf: {found.group()} is too wide")
        if "-" in flags:
            return text.ljust(wide)
        if "0" in flags and verb not in "sqvT":
            sign = text[:1] if text[:1] in ("+", "-") else ""
            return sign + text[len(sign) :].rjust(wide - len(sign), "0")
        return text.rjust(wide)

    done = _VERB.sub(one, form)
    if rest:
        raise ValueError(f"printf: {len(rest)} more values than {form!r} has places")
    return done


_INTEGERS: dict[str, Callable[[int], str]] = {
    "d": str,
    "b": lambda number: format(number, "b"),
    "o": lambda number: format(number, "o"),
    "x": lambda number: format(number, "x"),
    "X": lambda number: format(number, "X"),
    "c": chr,
    "U": lambda number: f"U+{number:04X}",
}


def _verb(verb: str, value: Any, flags: str, precision: int | None) -> str:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if verb == "v" or (verb == "s" and not is_number) or (verb == "t" and isinstance(value, bool)):
        text = shown(value)
        return text if precision is None else text[:precision]
    if verb == "q" and isinstance(value, (str, list)):
        quoted = [json.dumps(item, ensure_ascii=False) for item in _list(value)]
        return f"[{' '.join(quoted)}]" if isinstance(value, list) else quoted[0]
    if verb in "xX" and isinstance(value, str):
        digits = value.encode().hex()
        return digits.upper() if verb == "X" else digits
    plus = "+" if "+" in flags and is_number and value >= 0 else ""
    if verb in _INTEGERS and isinstance(value, int) and is_number:
        return plus + _INTEGERS[verb](value)
    if verb in "eEfFgG" and isinstance(value, float):
        default = "" if verb in "gG" else ".6"
        return plus + format(value, (default if precision is None else f".{precision}") + verb)
    raise ValueError(f"printf: %{verb} does not fit {kind(value)}")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
