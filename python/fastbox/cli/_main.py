"""Which command is meant, and what becomes of its errors."""

from __future__ import annotations

import os
import sys

from fastbox._elsewhere import needs_linux
from fastbox.exceptions import FastboxError

HEAD = """\
Usage:  fastbox [OPTIONS] COMMAND

Containers at the speed of starting a process.
"""
TAIL = """
The image host is always there and has this machine's own programs:
  fastbox run host echo hello

Run 'fastbox COMMAND --help' for more on a command.
"""
# What a shell reports of a program that a signal ended.
INTERRUPTED = 128 + 2
BROKEN_PIPE = 128 + 13


def main(argv: list[str] | None = None) -> int:
    """The command line's arguments in, its exit code out."""
    args = sys.argv[1:] if argv is None else argv
    _open_standard_streams()
    try:
        code = _dispatch(args)
        sys.stdout.flush()
        return code
    except FastboxError as error:
        return _fail(str(error), error.exit_code)
    except BrokenPipeError:
        # The interpreter flushes stdout once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        return _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error), 125)


def _dispatch(args: list[str]) -> int:
    if sys.platform != "linux":
        needs_linux()
    if args[:1] == ["run"]:  # before all else is imported
        return _run(args[1:])
    if args and args[0].startswith("-") and args[0] != "-":
        from fastbox.command import global_flags

        return _dispatch(global_flags(args))
    if not args or args == ["help"]:
        sys.stdout.write(_help_text())
        return 0
    if args[0] == "help":
        return _dispatch([*args[1:], "--help"])
    if args[0] == "__complete":
        from fastbox.cli import _complete

        for word, text in _complete.complete(args[1:]):
            print(f"{word}\t{text}")
        return 0
    from fastbox.cli import _verbs

    found = _verbs.find(args)
    if found is None and (family := _verbs.family(args[0])):
        if args[1:] and args[1] not in ("--help", "-h"):
            what = " ".join(args[:2])
            return _fail(f"unknown command: {what}; see 'fastbox {args[0]} --help'", 1)
        from fastbox.cli import _help

        sys.stdout.write(f"Usage:  fastbox {args[0]} COMMAND\n" + _help.section("Commands", family))
        return 0
    if found is None:
        return _fail(f"unknown command: {args[0]}{_nearest(args[0])}; see 'fastbox --help'", 1)
    verb, rest = found
    if verb == "run":
        return _run(rest)
    from fastbox.cli._arguments import HelpWanted

    try:
        given = _verbs.parser(verb).parse_args(rest)
    except HelpWanted as wanted:
        sys.stdout.write(str(wanted))
        return 0
    return _verbs.command(verb)(given)


def _help_text() -> str:
    from fastbox.cli import _global, _help, _verbs

    verbs = [(verb, text) for verb, (_, text) in _verbs.VERBS.items()]
    flags = [
        (f"{', '.join(names) if len(names) > 1 else '    ' + names[0]} {metavar}".rstrip(), text)
        for names, metavar, text in _global.FLAGS
    ]
    return HEAD + _help.section("Commands", verbs) + _help.section("Options", flags) + TAIL


def _nearest(word: str) -> str:
    from difflib import get_close_matches

    from fastbox.cli import _verbs

    near = get_close_matches(word, _verbs.VERBS, 1)
    return f", is {near[0]} meant?" if near else ""


def _run(args: list[str]) -> int:
    from fastbox.cli import _run

    return _run.main(args)


def _fail(message: str, code: int) -> int:
    try:  # noqa: SIM105 - contextlib is not imported for this
        print(f"fastbox: {message}", file=sys.stderr)
    except OSError:
        pass  # nobody listens: the code still tells
    return code


def _open_standard_streams() -> None:
    """Opens what is closed of them: the engine's own files must not land there."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
            # Python found it closed, and has none.
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))
