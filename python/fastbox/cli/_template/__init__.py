"""Go's text/template, as far as users of Docker's `--format` rely on it.

There is no Python package for it that needs no Go compiler. A `Template` is compiled once into
nested functions and rendered with any data made of dicts, lists, strings, numbers, booleans and
None. A dict stands for a struct, in which a missing field is an error; a `Map` for a map, which has
no value for a missing key.
"""

from __future__ import annotations

from fastbox.cli._template._errors import TemplateError
from fastbox.cli._template._parse import parse
from fastbox.cli._template._run import Scope
from fastbox.cli._template._values import List, Map, typed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["List", "Map", "Template", "TemplateError", "typed"]

_TOO_DEEP = TemplateError("--format: it is nested too deeply")


class Template:
    """A template that has been understood."""

    def __init__(self, text: str) -> None:
        try:
            self._body, self._named = parse(text)
        except RecursionError:
            raise _TOO_DEEP from None

    def render(self, data: Any, *, header: bool = False) -> str:
        """The text it makes of `data`. As a table's header, functions leave titles as they are.

        Raises TemplateError for a field that is not there or a function that cannot be applied.
        """
        scope = Scope(data, self._named, header)
        try:
            self._body(scope)
        except RecursionError:
            raise _TOO_DEEP from None
        return "".join(scope.out)
