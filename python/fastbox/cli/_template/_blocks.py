"""What `if`, `with` and `range` do."""

from __future__ import annotations

from fastbox.cli._template._run import Break, Continue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, NoReturn

    from fastbox.cli._template._run import Node, Scope


def sequence(nodes: list[Node]) -> Node:
    """One after the other; variables end with it."""

    def run(scope: Scope) -> None:
        mark = scope.mark()
        for node in nodes:
            node(scope)
        scope.forget(mark)

    return run


def branch(value: Node, then: Node, otherwise: Node | None) -> Node:
    """`if`: what is empty or zero is false."""

    def run(scope: Scope) -> None:
        mark = scope.mark()
        chosen = then if value(scope) else otherwise
        if chosen is not None:
            chosen(scope)
        scope.forget(mark)

    return run


def using(value: Node, then: Node, otherwise: Node | None) -> Node:
    """`with`: the value is the dot, unless it is empty."""

    def run(scope: Scope) -> None:
        mark, before = scope.mark(), scope.dot
        given = value(scope)
        if given:
            scope.dot = given
            then(scope)
            scope.dot = before
        elif otherwise is not None:
            otherwise(scope)
        scope.forget(mark)

    return run


def loop(
    value: Node,
    names: list[str],
    is_new: bool,
    body: Node,
    otherwise: Node | None,
    refuse: Callable[[Any], NoReturn],
) -> Node:
    """`range`: each element is the dot; the keys of maps come sorted."""

    def run(scope: Scope) -> None:
        pairs = _pairs(value(scope), refuse)
        mark, before = scope.mark(), scope.dot
        some = False
        for key, item in pairs:
            some = True
            scope.dot = item
            # One name is for the element, two are for the key and the element.
            for name, part in zip(names, (key, item)[-len(names) :], strict=False):
                if is_new:
                    scope.declare(name, part)
                else:
                    scope.assign(name, part)
            try:
                body(scope)
            except Continue:
                pass
            except Break:
                break
            finally:
                scope.forget(mark)
        scope.dot = before
        if not some and otherwise is not None:
            otherwise(scope)

    return run


def _pairs(value: Any, refuse: Callable[[Any], NoReturn]) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, dict):
        return ((key, value[key]) for key in sorted(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return ((number, number) for number in range(value))
    if isinstance(value, (list, tuple)):
        return enumerate(value)
    if value is None:
        return ()
    refuse(value)
