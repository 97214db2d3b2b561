"""What a template has while it is rendered."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Node = Callable[["Scope"], Any]

MOST_NESTED = 100


class Break(Exception):
    """`{{break}}`."""


class Continue(Exception):
    """`{{continue}}`."""


class Scope:
    """The output so far, the dot, and the variables that can be seen."""

    def __init__(self, data: Any, named: dict[str, Node], header: bool) -> None:
        self.out: list[str] = []
        self.dot = data
        self.named = named
        self.header = header
        self.depth = 0
        self._variables: list[tuple[str, Any]] = [("$", data)]

    def mark(self) -> int:
        """Where the variables of a block begin."""
        return len(self._variables)

    def forget(self, mark: int) -> None:
        """Ends a block."""
        del self._variables[mark:]

    def declare(self, name: str, value: Any) -> None:
        """`$name := value`."""
        self._variables.append((name, value))

    def assign(self, name: str, value: Any) -> None:
        """`$name = value`; the parser knows that it was declared."""
        for place in range(len(self._variables) - 1, -1, -1):
            if self._variables[place][0] == name:
                self._variables[place] = (name, value)
                return

    def variable(self, name: str) -> Any:
        """The value of the innermost of that name."""
        return next(value for known, value in reversed(self._variables) if known == name)

    def call(self, body: Node, data: Any) -> None:
        """Renders a named template, which sees nothing but its data."""
        before = self.dot, self._variables
        self.dot, self._variables = data, [("$", data)]
        self.depth += 1
        try:
            if self.depth > MOST_NESTED:
                raise RecursionError("templates call each other without end")
            body(self)
        finally:
            self.depth -= 1
            self.dot, self._variables = before
