"""What subprocess's words for streams, commands and text mean here."""

from __future__ import annotations

import errno
import io
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO, Any

    from _typeshed import ReadableBuffer

    from fastbox._calls import Command, Stream, Text

# subprocess's own values, without importing it.
PIPE, STDOUT, DEVNULL = -1, -2, -3


def descriptor(stream: Stream, name: str, words: tuple[int, ...]) -> int:
    """The stream as a number: one of the `words`, else an open file's descriptor."""
    number = stream if isinstance(stream, int) else None
    if number is None:
        if not hasattr(stream, "fileno"):
            raise TypeError(
                f"{name} must be PIPE, DEVNULL, a file descriptor or a file, not {stream!r}"
                " (nothing of the caller's is inherited unless it is handed over)"
            )
        number = stream.fileno()
    if number < 0 and number not in words:
        raise ValueError(f"{name} cannot be {number}")
    return number


def arguments(command: Command) -> list[str]:
    """A program's name alone, or a list of arguments, as text."""
    if type(command) is not list:
        if isinstance(command, (str, os.PathLike)):
            return [os.fspath(command)]
        if isinstance(command, (bytes, bytearray)):
            raise TypeError("the command must be a list of arguments, or a program's name as a str")
    return [part if type(part) is str else os.fsdecode(part) for part in command]


def streams(
    input: ReadableBuffer | str | None,
    stdin: Stream | None,
    stdout: Stream,
    stderr: Stream,
    text: Text | None,
) -> tuple[bytes | None, int, int, int]:
    """A run's input as bytes, and its streams as numbers."""
    if input is None and stdin is None and stdout == PIPE and stderr == PIPE:
        return None, DEVNULL, PIPE, PIPE
    data = None
    if input is not None:
        if stdin is not None:
            raise ValueError("stdin and input arguments may not both be used")
        data = input_bytes(input, text)
        stdin = PIPE
    elif stdin == PIPE:
        data = b""  # nobody could write to it
    return data, *numbers(stdin, stdout, stderr)


def numbers(stdin: Stream | None, stdout: Stream, stderr: Stream) -> tuple[int, int, int]:
    """A program's streams as numbers; no stdin is an empty one."""
    return (
        DEVNULL if stdin is None else descriptor(stdin, "stdin", (PIPE, DEVNULL)),
        descriptor(stdout, "stdout", (PIPE, DEVNULL)),
        descriptor(stderr, "stderr", (PIPE, DEVNULL, STDOUT)),
    )


def text_of(text: bool, encoding: str | None, errors: str | None) -> Text | None:
    """How bytes become text; None if they do not. UTF-8, unless an encoding is given."""
    if not text and encoding is None and errors is None:
        return None
    return encoding or "utf-8", errors or "strict"


def input_bytes(data: ReadableBuffer | str, text: Text | None) -> bytes:
    """The input as the program gets it."""
    if isinstance(data, str):
        if text is None:
            raise TypeError("input must be bytes-like unless text=True or an encoding is given")
        return data.encode(*text)
    if text is not None:
        raise TypeError("input must be a str where text=True or an encoding is given")
    return data if isinstance(data, bytes) else bytes(data)


def opened(fd: int | None, mode: str, text: Text | None) -> IO[Any] | None:
    """A file object over one end of a pipe, which it closes; None for no pipe."""
    if fd is None:
        return None
    raw = open(fd, f"{mode}b")  # noqa: SIM115, PTH123 - the caller keeps it
    if text is None:
        return raw
    return io.TextIOWrapper(raw, encoding=text[0], errors=text[1], write_through=mode == "w")


class Terminal(io.FileIO):
    """The caller's side of a program's terminal: reading it ends when nobody has the other open."""

    def read(self, size: int | None = -1, /) -> Any:
        """What the program has shown, up to `size` bytes; b"" at the end."""
        return self._until_the_end(lambda: super(Terminal, self).read(size), b"")

    def readinto(self, buffer: Any, /) -> Any:
        """The same into a buffer: how many bytes."""
        return self._until_the_end(lambda: super(Terminal, self).readinto(buffer), 0)

    def readall(self) -> Any:
        """Everything up to the end."""
        return b"".join(iter(lambda: self.read(65536), b""))

    def _until_the_end(self, read: Callable[[], Any], end: Any) -> Any:
        try:
            return read()
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return end


def closed(stream: IO[Any]) -> None:
    """Closes it; what it still had for a program that reads no more is lost, as it must be."""
    try:  # noqa: SIM105 - contextlib is not imported for this
        stream.close()
    except BrokenPipeError:
        pass
