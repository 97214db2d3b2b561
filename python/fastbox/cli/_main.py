"""Which command is meant, and what becomes of its errors."""

from __future__ import annotations

import os
import sys

from fastbox._elsewhere import needs_linux
from fastbox.exceptions import FastboxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

USAGE = """\
Usage:  fastbox COMMAND

Containers at the speed of starting a process.

Commands:
  run       Run a program in a new container
  images    List images
  import    Make an image from a root filesystem archive
  rmi       Remove images
  version   Show the version

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
    command = args[0] if args else "--help"
    if sys.platform != "linux":
        needs_linux()
    if command == "run":
        from fastbox.cli import _run

        return _run.main(args[1:])
    if command in ("--help", "-h", "help") and len(args) <= 1:
        sys.stdout.write(USAGE)
        return 0
    if command == "help":
        return _dispatch([args[1], "--help"])
    if command in ("version", "--version", "-v"):
        from fastbox import __version__

        print(f"fastbox {__version__}")
        return 0
    verb = _image_command(command)
    if verb is None:
        kind = "flag" if command.startswith("-") else "command"
        return _fail(
            f"unknown {kind}: {command}; see 'fastbox --help'", 125 if kind == "flag" else 1
        )
    return verb(args[1:])


def _image_command(name: str) -> Callable[[list[str]], int] | None:
    from fastbox.cli import _images

    return {
        "images": _images.list_command,
        "import": _images.import_command,
        "rmi": _images.remove_command,
    }.get(name)


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
