"""Tokens into nested functions, each of which is given a Scope."""

from __future__ import annotations

from fastbox.cli._template import _functions
from fastbox.cli._template._blocks import branch, loop, sequence, using
from fastbox.cli._template._errors import TemplateError, mistake
from fastbox.cli._template._lex import Token, constant, tokens
from fastbox.cli._template._run import Break, Continue
from fastbox.cli._template._values import NO_VALUE, Map, kind, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from fastbox.cli._template._run import Node, Scope

_KEYWORDS = frozenset(
    "block break continue define else end if range template with".split()  # noqa: SIM905
)
_CONSTANTS = {"true": True, "false": False, "nil": None}


def parse(text: str) -> tuple[Node, dict[str, Node]]:
    """The body, and the templates it defines by name. Raises TemplateError."""
    parser = _Parser(text)
    body, ended = parser.body(())
    if ended is not None:
        parser.fail(ended, f"unexpected {{{{{ended.value}}}}}")
    return body, parser.named


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(tokens(text))
        self.place = 0
        self.named: dict[str, Node] = {}
        self.variables = ["$"]
        self.loops = 0

    def fail(self, token: Token, what: str) -> NoReturn:
        raise mistake(self.text, token.place, what)

    def peek(self) -> Token:
        if self.place < len(self.tokens):
            return self.tokens[self.place]
        return Token("nothing", "", len(self.text))

    def next(self) -> Token:
        token = self.peek()
        self.place += 1
        return token

    def skip(self, kind: str, value: str) -> Token | None:
        token = self.peek()
        return self.next() if (token.kind, token.value) == (kind, value) else None

    def end(self) -> None:
        token = self.next()
        if token.kind != "end":
            self.fail(token, f"unexpected {token.value!r}")

    # Bodies and actions

    def body(self, ends: tuple[str, ...]) -> tuple[Node, Token | None]:
        """What stands up to one of the keywords, or the text's end, and that keyword."""
        seen = len(self.variables)
        nodes: list[Node] = []
        while self.place < len(self.tokens):
            token = self.next()
            if token.kind == "text":
                nodes.append(_literal(token.value))
            elif token.kind == "name" and token.value in ("end", "else"):
                del self.variables[seen:]
                if token.value not in ends:
                    self.fail(token, f"unexpected {{{{{token.value}}}}}")
                return sequence(nodes), token
            elif token.kind == "name" and token.value in _KEYWORDS:
                nodes.append(self.control(token))
            elif token.kind == "end":
                self.fail(token, "an action is empty")
            else:
                self.place -= 1
                nodes.append(self.printed())
        if ends:
            self.fail(Token("nothing", "", len(self.text)), "an {{end}} is missing")
        return sequence(nodes), None

    def printed(self) -> Node:
        name, is_new, value = self.declaration()
        self.end()
        if name is not None:
            return _assigning(name, is_new, value)

        def run(scope: Scope) -> None:
            scope.out.append(shown(value(scope)))

        return run

    def declaration(self) -> tuple[str | None, bool, Node]:
        """`pipeline`, `$x := pipeline` or `$x = pipeline`."""
        token = self.peek()
        if token.kind == "variable" and self.place + 1 < len(self.tokens):
            sign = self.tokens[self.place + 1]
            if sign.kind == "sign" and sign.value in (":=", "="):
                self.place += 2
                value = self.pipeline()
                if sign.value == ":=":
                    self.variables.append(token.value)
                else:
                    self.known(token)
                return token.value, sign.value == ":=", value
        return None, False, self.pipeline()

    def control(self, keyword: Token) -> Node:
        if keyword.value in ("if", "with"):
            return self.condition(keyword)
        if keyword.value == "range":
            return self.range()
        if keyword.value in ("break", "continue"):
            self.end()
            if not self.loops:
                self.fail(keyword, f"{{{{{keyword.value}}}}} outside of {{{{range}}}}")
            return _raising(Break if keyword.value == "break" else Continue)
        name = self.next()
        if name.kind not in ("string", "raw"):
            self.fail(name, f"{keyword.value} needs a name in quotes")
        called = str(constant(self.text, name))
        if keyword.value == "template":
            data = None if self.peek().kind == "end" else self.pipeline()
            self.end()
            return self.called(name, called, data)
        data = self.pipeline() if keyword.value == "block" else None
        self.end()
        before, self.variables, loops, self.loops = self.variables, ["$"], self.loops, 0
        self.named[called], _ = self.body(("end",))
        self.end()
        self.variables, self.loops = before, loops
        return self.called(name, called, data) if keyword.value == "block" else sequence([])

    def called(self, token: Token, name: str, data: Node | None) -> Node:
        def run(scope: Scope) -> None:
            if name not in scope.named:
                self.fail(token, f"no template is called {name!r}")
            try:
                scope.call(scope.named[name], None if data is None else data(scope))
            except RecursionError as error:
                self.fail(token, str(error))

        return run

    def condition(self, keyword: Token) -> Node:
        seen = len(self.variables)
        name, is_new, value = self.declaration()
        if name is not None:
            value = _assigning(name, is_new, value)
        self.end()
        then, ended = self.body(("else", "end"))
        otherwise: Node | None = None
        following = None
        if ended is not None and ended.value == "else":
            following = self.skip("name", "if") or self.skip("name", "with")
            if following is not None:
                # It ends with the same {{end}}.
                otherwise = self.condition(following)
            else:
                self.end()
                otherwise, _ = self.body(("end",))
        if following is None:
            self.end()
        del self.variables[seen:]
        return (branch if keyword.value == "if" else using)(value, then, otherwise)

    def range(self) -> Node:
        seen = len(self.variables)
        names: list[str] = []
        start = self.place
        while self.peek().kind == "variable" and len(names) < 2:
            names.append(self.next().value)
            if not self.skip("sign", ","):
                break
        sign = self.skip("sign", ":=") or self.skip("sign", "=")
        if sign is None:
            self.place, names = start, []
        source = self.peek()
        value = self.pipeline()
        is_new = sign is None or sign.value == ":="
        self.variables += names if is_new else []
        self.end()
        self.loops += 1
        body, ended = self.body(("else", "end"))
        self.loops -= 1
        otherwise = None
        if ended is not None and ended.value == "else":
            self.end()
            otherwise, _ = self.body(("end",))
        self.end()
        del self.variables[seen:]

        def refuse(given: Any) -> NoReturn:
            self.fail(source, f"range cannot go over {kind(given)}")

        return loop(value, names, is_new, body, otherwise, refuse)

    # Values

    def known(self, token: Token) -> None:
        if token.value not in self.variables:
            self.fail(token, f"undefined variable {token.value}")

    def pipeline(self) -> Node:
        value = self.command(None)
        while self.skip("sign", "|"):
            value = self.command(value)
        return value

    def command(self, last: Node | None) -> Node:
        """A function with its arguments, or one value. `last` is what the pipe brings."""
        token = self.peek()
        is_function = token.kind == "name" and token.value not in _CONSTANTS
        if is_function:
            self.next()
            if token.value not in _functions.ALL:
                self.fail(token, f"function {token.value!r} is not defined")
            arguments: list[Node] = []
            while (argument := self.operand()) is not None:
                arguments.append(argument)
            return self.function(token, arguments, last)
        value = self.operand()
        if value is None:
            self.fail(token, f"a value is missing before {token.value!r}")
        following = self.peek()
        if self.operand() is not None:
            self.fail(following, f"{token.value!r} is no function that takes {following.value!r}")
        if last is not None:
            self.fail(token, f"{token.value!r} is no function to pipe into")
        if (token.kind, token.value) == ("name", "nil"):
            self.fail(token, "nil is not a command")
        return value

    def function(self, token: Token, arguments: list[Node], last: Node | None) -> Node:
        apply = _functions.ALL[token.value]
        nodes = arguments if last is None else [*arguments, last]

        def run(scope: Scope) -> Any:
            if scope.header and token.value in _functions.LEAVING_HEADERS:
                # The one argument that is the column's title.
                values = [node(scope) for node in nodes]
                return next((value for value in values if isinstance(value, str)), "")
            try:
                if token.value in _functions.LAZY:
                    return _functions.LAZY[token.value](nodes, scope)
                return apply(*(node(scope) for node in nodes))
            except TemplateError:
                raise  # of an argument
            except _functions.WRONG as error:
                self.fail(token, _functions.explained(token.value, error))

        return run

    def operand(self) -> Node | None:
        """A value with the fields asked of it; None where there is none."""
        token = self.peek()
        node: Node
        if token.kind == "dot":
            self.next()
            node = _dot
        elif token.kind == "field":
            node = _dot
        elif token.kind == "variable":
            self.known(self.next())
            node = _variable(token.value)
        elif token.kind in ("string", "raw", "char", "number"):
            node = _constant(constant(self.text, self.next()))
        elif token.kind == "name" and token.value in _CONSTANTS:
            node = _constant(_CONSTANTS[self.next().value])
        elif token.kind == "name":
            if token.value not in _functions.ALL:
                self.fail(token, f"function {token.value!r} is not defined")
            node = self.function(self.next(), [], None)
        elif (token.kind, token.value) == ("sign", "("):
            self.next()
            node = self.pipeline()
            if not self.skip("sign", ")"):
                self.fail(token, "the parenthesis is not closed")
        else:
            return None
        first = token.kind == "field"
        while self.peek().kind == "field" and (first or not self.peek().spaced):
            node = self.field(node, self.next())
            first = False
        return node

    def field(self, node: Node, token: Token) -> Node:
        name = token.value[1:]

        def run(scope: Scope) -> Any:
            value = node(scope)
            if not isinstance(value, dict):
                self.fail(token, f"no field {name} in {kind(value)}")
            if name in value:
                return value[name]
            if isinstance(value, Map):
                return NO_VALUE
            raise mistake(self.text, token.place, f"no field {name}; there are {', '.join(value)}")

        return run


def _literal(text: str) -> Node:
    return lambda scope: scope.out.append(text)


def _raising(error: type[Exception]) -> Node:
    def run(scope: Scope) -> None:
        raise error

    return run


def _assigning(name: str, is_new: bool, value: Node) -> Node:
    def run(scope: Scope) -> Any:
        given = value(scope)
        if is_new:
            scope.declare(name, given)
        else:
            scope.assign(name, given)
        return given

    return run


def _dot(scope: Scope) -> Any:
    return scope.dot


def _variable(name: str) -> Node:
    return lambda scope: scope.variable(name)


def _constant(value: Any) -> Node:
    return lambda scope: value
