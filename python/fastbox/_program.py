"""What a container and one more program in it have in common: `Program`; and the latter, `Exec`."""

from __future__ import annotations

from fastbox._streams import closed, opened
from fastbox.exceptions import ContainerTimeout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import IO, Any, Self

    from fastbox._calls import Running, Text
    from fastbox.containers import Completed


class Program:
    """A program that was started. What the caller asked to be a pipe is a file object: `stdin`,
    `stdout`, `stderr`, else None."""

    __slots__ = ("_args", "_core", "_streams", "_text")

    def __init__(self, core: Running, args: list[str], text: Text | None) -> None:
        self._core = core
        self._args = args
        self._text = text
        self._streams: dict[str, IO[Any] | None] = {}

    @property
    def args(self) -> list[str]:
        """The command as it was given; empty for the image's own."""
        return self._args

    @property
    def pid(self) -> int:
        """The process id outside of the program, in a container of its first process."""
        return self._core.pid

    @property
    def stdin(self) -> IO[Any] | None:
        """The program's input, where it was asked to be PIPE. Close it to end the input."""
        return self._stream("stdin", "w")

    @property
    def stdout(self) -> IO[Any] | None:
        """The program's output, where it was asked to be PIPE."""
        return self._stream("stdout", "r")

    @property
    def stderr(self) -> IO[Any] | None:
        """The program's error output, where it was asked to be PIPE."""
        return self._stream("stderr", "r")

    def _stream(self, name: str, mode: str) -> IO[Any] | None:
        # Made at first use: what nobody looked at is collected by `wait`.
        if name not in self._streams:
            self._streams[name] = opened(self._core.take(name), mode, self._text)
        return self._streams[name]

    def wait(self, timeout: float | None = None) -> Completed[Any]:
        """Waits for the program's end; again gives the same. With the first process of a container
        all others end.

        Output that nobody took from `stdout` and `stderr` is read meanwhile, and is in the result.

        Raises ContainerTimeout after `timeout` seconds; the program goes on then.
        """
        completed = self._core.wait(self._args, timeout, self._text)
        if completed is None:
            raise ContainerTimeout(f"{self._named()} still runs after {timeout:g} seconds")
        return completed

    def fileno(self) -> int:
        """The number of its pidfd: readable once it has ended (pidfd_open(2)), for event loops.

        Raises ValueError once it is closed.
        """
        return self._core.fileno()

    def kill(self, signal: int = 9) -> None:
        """Sends a signal to the program; SIGKILL, the default, to the first process of a container
        ends all of them. Without effect once it has ended.

        The first process of a container gets only the signals it has a handler for, and SIGKILL and
        SIGSTOP.
        """
        self._core.kill(signal)

    def close(self) -> None:
        """Kills what still runs of it, cleans up and closes the streams."""
        self._core.close()
        for stream in self._opened():
            if stream is not None:
                closed(stream)

    def _opened(self) -> tuple[IO[Any] | None, ...]:
        return tuple(self._streams.values())

    def _named(self) -> str:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Exec(Program):
    """A program that was started in a running container, by `Container.exec_start`.

    It has the container's limits and rights, and ends with the container at the latest. As a
    context manager it is killed on leaving, with what is still in its process group; so it is with
    the last reference to it. Processes that left its group go on until the container ends.
    """

    __slots__ = ()

    def _named(self) -> str:
        return f"pid {self.pid}"

    def __repr__(self) -> str:
        return f"<fastbox.Exec {self._args!r} pid {self.pid}>"
