"""A template's text, cut into literal text and actions, and these into tokens."""

from __future__ import annotations

import re

from fastbox.cli._template._errors import mistake

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_SPACE = " \t\r\n"
_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<string>"(?:[^"\\\n]|\\.)*")
  | (?P<raw>`[^`]*`)
  | (?P<char>'(?:[^'\\\n]|\\.)+')
  | (?P<number>[+-]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+
      |(?:\d[\d_]*)?\.?\d+(?:[eE][+-]?\d+)?))
  | (?P<variable>\$\w*)
  | (?P<field>\.[^\W\d]\w*)
  | (?P<dot>\.)
  | (?P<name>[^\W\d]\w*)
  | (?P<sign>:=|=|\||\(|\)|,)
    """,
    re.VERBOSE,
)
_CLOSING = re.compile(r"\s*(-?)}}")


class Token:
    """A part of an action. The kind is a group of the pattern, `text` outside of actions, or `end`
    for an action's end."""

    __slots__ = ("kind", "place", "spaced", "value")

    def __init__(self, kind: str, value: str, place: int, spaced: bool = False) -> None:
        self.kind = kind
        self.value = value
        self.place = place
        self.spaced = spaced

    def __repr__(self) -> str:
        return f"{self.kind} {self.value!r}"


def tokens(text: str) -> Iterator[Token]:
    """All tokens; each action ends with one of kind `end`."""
    place = 0
    trims = False
    while True:
        start = text.find("{{", place)
        literal = text[place:] if start < 0 else text[place:start]
        if trims:
            literal = literal.lstrip(_SPACE)
        inside = start + 2
        if start >= 0 and re.match(r"-\s", text[inside : inside + 2]):
            literal = literal.rstrip(_SPACE)
            inside += 1
        if literal:
            yield Token("text", literal, place)
        if start < 0:
            return
        place = inside
        body = inside
        while text[body : body + 1].isspace():
            body += 1
        if text.startswith("/*", body):
            place = text.find("*/", body)
            if place < 0:
                raise mistake(text, start, "the comment is not closed by */")
            place += 2
        else:
            for token in _action(text, inside, start):
                place = token.place
                yield token
        place, trims = _closing(text, place, start)


def _closing(text: str, place: int, start: int) -> tuple[int, bool]:
    """Behind the `}}`, and whether the text that follows loses its leading space."""
    found = _CLOSING.match(text, place)
    if found is None:
        raise mistake(text, start, "the action is not closed by }}")
    return found.end(), bool(found.group(1))


def _action(text: str, place: int, start: int) -> Iterator[Token]:
    spaced = True
    while True:
        if text.startswith("}}", place) or (spaced and text.startswith("-}}", place)):
            yield Token("end", "}}", place, spaced)
            return
        if place >= len(text):
            raise mistake(text, start, "the action is not closed by }}")
        found = _TOKEN.match(text, place)
        if found is None:
            raise mistake(text, place, f"unexpected {text[place]!r}")
        kind = found.lastgroup or ""
        if kind != "space":
            yield Token(kind, found.group(), place, spaced)
        spaced = kind == "space"
        place = found.end()


def constant(text: str, token: Token) -> object:
    """The value of a string, character or number."""
    import ast  # not needed for most templates, and slow to import

    try:
        if token.kind == "raw":
            return token.value[1:-1]
        if token.kind == "string":
            return ast.literal_eval(token.value)
        if token.kind == "char":
            return ord(ast.literal_eval(token.value))
        if re.fullmatch(r"[+-]?0[xXbBoO].*", token.value):
            return int(token.value, 0)
        value = float(token.value)
        return value if re.search("[.eE]", token.value) else int(token.value)
    except (ValueError, SyntaxError, TypeError):
        raise mistake(text, token.place, f"{token.value} is no value") from None
