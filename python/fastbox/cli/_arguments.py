"""The arguments of every command but `run`: argparse with Docker's help and our errors."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from fastbox.cli import _help
from fastbox.exceptions import SpecError

__all__ = ["Given", "HelpWanted", "Parser"]

Given = argparse.Namespace

_BOOLEANS = {
    **dict.fromkeys(("1", "t", "true"), True),
    **dict.fromkeys(("0", "f", "false"), False),
}


class HelpWanted(Exception):
    """`--help` was given; what to print is the argument."""


class _HelpAction(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        raise HelpWanted(parser.format_help())


class Parser(argparse.ArgumentParser):
    """The arguments of one command, as in `Parser("rmi", "[OPTIONS] IMAGE [IMAGE...]", "Remove…")`.

    What stands for a value (`metavar`) tells completion what can stand there: IMAGE, CONTAINER,
    FILE, DIR, alone or as a part. `%` in a help text is written `%%`.
    """

    def __init__(self, verb: str, words: str, description: str) -> None:
        self.words = words
        super().__init__(
            f"fastbox {verb}", description=description, add_help=False, allow_abbrev=False
        )
        self.add_argument("--help", "-h", action=_HelpAction, nargs=0, help=argparse.SUPPRESS)

    def parse_args(self, args: list[str]) -> Given:  # type: ignore[override]
        """Reads the words; a switch may stand with a value, as `--quiet=false`."""
        switches = {
            name: action.dest
            for action in self.options()
            if action.nargs == 0
            for name in action.option_strings
        }
        end = args.index("--") if "--" in args else len(args)
        words, said = [], {}
        for word in args[:end]:
            name, sign, value = word.partition("=")
            if sign and name in switches:
                if value.lower() not in _BOOLEANS:
                    self.error(f"{name}={value}: use true or false")
                said[switches[name]] = _BOOLEANS[value.lower()]
            else:
                words.append(word)
        given = super().parse_args(words + args[end:])
        for dest, is_set in said.items():
            setattr(given, dest, is_set)
        return given

    def error(self, message: str) -> NoReturn:
        """A mistake, in one line."""
        raise SpecError(f"{message}; see '{self.prog} --help'")

    def format_help(self) -> str:
        """The usage line, what the command does, its options."""
        text = f"Usage:  {self.prog} {self.words}".rstrip() + f"\n\n{self.description}\n"
        rows = [(_flags(action), _text(action)) for action in self.options()]
        return text + (_help.section("Options", sorted(rows, key=_letters)) if rows else "")

    def options(self) -> list[argparse.Action]:
        """Its flags, without those that help does not show."""
        return [
            action
            for action in self._actions
            if action.option_strings and action.help != argparse.SUPPRESS
        ]

    def positionals(self) -> list[argparse.Action]:
        """What it takes beside flags."""
        return [action for action in self._actions if not action.option_strings]


def _letters(row: _help.Row) -> str:
    return row[0].partition("--")[2]


def _flags(action: argparse.Action) -> str:
    names = sorted(action.option_strings, key=len)
    text = ", ".join(names) if len(names) > 1 or len(names[0]) == 2 else f"    {names[0]}"
    if action.nargs == 0:
        return text
    shown = action.metavar or "|".join(map(str, action.choices or ())) or action.dest.upper()
    return f"{text} {shown}"


def _text(action: argparse.Action) -> str:
    return (action.help or "").replace("%%", "%")
