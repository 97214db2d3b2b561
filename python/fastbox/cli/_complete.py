"""What can stand where the cursor is: `fastbox __complete WORDS...`, called by shells' scripts.

The last word is the one being written. Each line of the answer is a whole word that can stand
there, a tab, and what it means. Flags and their values come from the option table and the parsers.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from fastbox.cli import _global, _verbs
from fastbox.command import container_names, option_table
from fastbox.exceptions import FastboxError

Candidate = tuple[str, str]


class Flag(NamedTuple):
    """A flag, whichever command has it."""

    names: tuple[str, ...]
    metavar: str
    choices: tuple[str, ...]
    text: str


# Flags of run whose value begins with a path of this machine.
_PATHS = frozenset(
    {"--cidfile", "--device", "--env-file", "--label-file", "--timings-file", "--volume"}
)


def complete(words: list[str]) -> list[Candidate]:
    """All that can stand for the last word, given those before it."""
    *before, partial = words or [""]
    try:
        found = [*_candidates(before, partial)]
    except FastboxError:
        found = []  # nobody wants an error while writing
    return [pair for pair in found if pair[0].startswith(partial)]


def _candidates(before: list[str], partial: str) -> Iterator[Candidate]:
    flags = [
        Flag(names, metavar, _global.LEVELS if "--log-level" in names else (), text)
        for names, metavar, text in _global.FLAGS
    ]
    place = _place(flags, before, partial)
    if place.flag is not None or not place.words:
        yield from _at(place, partial, flags)
        if place.flag is None and not partial.startswith("-"):
            yield from _verb_words([])
        return
    # What comes after the global flags.
    words = before[place.first :]
    if words[0] == "help":
        yield from _verb_words(words[1:])
        return
    found = _verbs.find(words)
    if found is None:
        yield from _verb_words(words)
        return
    verb, rest = found
    if verb == "run":
        yield from _run(rest, partial)
    else:
        yield from _other(verb, rest, partial)


def _verb_words(words: list[str]) -> Iterator[Candidate]:
    """The next words of commands that begin with these."""
    start = "".join(f"{word} " for word in words)
    seen = set()
    for verb, (_, text) in _verbs.VERBS.items():
        if verb.startswith(start):
            word, *more = verb.removeprefix(start).split(" ")
            if word not in seen:
                seen.add(word)
                yield word, f"Commands of {word}" if more else text
    if not words:
        yield "help", "Show help"


class _Place(NamedTuple):
    """Where the last word stands."""

    flag: Flag | None
    """The flag of which it is the value."""
    prefix: str
    """What of it belongs to the flag: `--memory=`."""
    words: list[str]
    """The words before it that are neither flags nor their values."""
    first: int
    """Where the first of those is."""


def _place(flags: list[Flag], before: list[str], partial: str, through: bool = False) -> _Place:
    """Reads flags up to the first other word, or `through` all."""
    of_name = {name: flag for flag in flags for name in flag.names}
    words: list[str] = []
    first = 0
    index = 0
    while index < len(before):
        word = before[index]
        index += 1
        if word == "--" or not word.startswith("-") or word == "-":
            rest = before[index:] if word == "--" else before[index - 1 :]
            if not through or word == "--":
                return _Place(None, "", [*words, *rest], first or len(before) - len(rest))
            first = first if words else index - 1
            words.append(word)
            continue
        flag = _awaits(of_name, word)
        if flag is not None:
            if index == len(before):
                return _Place(flag, "", words, first)
            index += 1
    name, equals, _ = partial.partition("=")
    flag = of_name.get(name) if equals and name.startswith("--") else None
    return _Place(flag, f"{name}=" if flag else "", words, first)


def _awaits(of_name: dict[str, Flag], word: str) -> Flag | None:
    """The flag of a word that takes its value from the next one."""
    if word.startswith("--"):
        flag = of_name.get(word)
        return flag if flag and flag.metavar else None
    for place, letter in enumerate(word[1:], 2):
        flag = of_name.get(f"-{letter}")
        if flag is None:
            return None
        if flag.metavar:
            return flag if place == len(word) else None
    return None


def _at(place: _Place, partial: str, flags: list[Flag]) -> Iterator[Candidate]:
    """The values of the flag that waits for one; else flags, where one has begun."""
    if place.flag is None:
        if partial.startswith("-"):
            for flag in flags:
                yield from ((name, flag.text) for name in flag.names)
        return
    begun = partial.removeprefix(place.prefix)
    for value, text in _values(place.flag, begun):
        yield place.prefix + value, text


def _values(flag: Flag, begun: str) -> Iterator[Candidate]:
    if flag.choices:
        yield from ((choice, "") for choice in flag.choices)
    elif flag.metavar.startswith("NAME[=") and "--env" in flag.names:
        yield from ((name, "") for name in os.environ)
    elif "container:" in flag.metavar:
        yield from ((word, "") for word in flag.metavar.split("|") if ":" not in word)
        yield from ((f"container:{name}", "") for name in container_names())
    elif _PATHS & {*flag.names} or flag.metavar.startswith("FILE"):
        yield from _paths(begun, Path.exists)
    elif flag.metavar == "DIR" and not {"--workdir"} & {*flag.names}:
        yield from _paths(begun, Path.is_dir)
    elif flag.metavar.startswith("IMAGE"):
        yield from _images()


def _paths(begun: str, wanted: Callable[[Path], bool]) -> Iterator[Candidate]:
    """Files that begin so; a directory ends with a slash, to go on from."""
    folder, slash, _ = begun.rpartition("/")
    where = Path(folder + slash or ".").expanduser()
    try:
        entries = sorted(where.iterdir())
    except OSError:
        return
    for entry in entries:
        if wanted(entry):
            yield f"{folder}{slash}{entry.name}{'/' if entry.is_dir() else ''}", ""


def _images() -> Iterator[Candidate]:
    import fastbox

    yield "host", "This machine's own programs"
    for image in fastbox.list_images():
        for name in image.tags:
            yield name, ""
            # The tag can be left out where it is the usual one.
            if name.endswith(":latest"):
                yield name.removesuffix(":latest"), ""


def _run(rest: list[str], partial: str) -> Iterator[Candidate]:
    flags = [
        Flag(
            (*([f"-{row['short']}"] if row["short"] else []), f"--{row['flag']}"),
            row["metavar"],
            tuple(row["choices"]),
            row["help"],
        )
        for row in option_table()
        if row["side"] != "python"
    ]
    flags.append(Flag(("--help",), "", (), "Print help"))
    place = _place(flags, rest, partial)
    if place.words:
        return  # the command: what is in the image is not known here
    yield from _at(place, partial, flags)
    if place.flag is None and not partial.startswith("-"):
        yield from _images()


def _other(verb: str, rest: list[str], partial: str) -> Iterator[Candidate]:
    parser = _verbs.parser(verb)
    flags = [
        Flag(
            tuple(action.option_strings),
            "" if action.nargs == 0 else str(action.metavar or action.dest.upper()),
            tuple(map(str, action.choices or ())),
            action.help or "",
        )
        for action in parser.options()
    ]
    flags.append(Flag(("--help",), "", (), "Print help"))
    place = _place(flags, rest, partial, through=True)
    yield from _at(place, partial, flags)
    positionals = parser.positionals()
    if place.flag is not None or partial.startswith("-") or not positionals:
        return
    action = positionals[min(len(place.words), len(positionals) - 1)]
    if len(place.words) < len(positionals) or action.nargs in ("+", "*"):
        metavar = action.metavar if isinstance(action.metavar, str) else ""
        shape = Flag((), metavar, tuple(map(str, action.choices or ())), "")
        yield from _values(shape, partial)
