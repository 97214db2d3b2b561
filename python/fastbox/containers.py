"""Running programs in containers: `run`, `prepare`, `Plan` and `Container`."""

from __future__ import annotations

import os

from fastbox import _core
from fastbox._core import Completed, Usage, __version__
from fastbox._program import Exec, Program
from fastbox._streams import (
    DEVNULL,
    PIPE,
    STDOUT,
    Terminal,
    arguments,
    numbers,
    streams,
    text_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import IO, Any, Unpack, overload

    from _typeshed import ReadableBuffer

    from fastbox._calls import (
        AnyCall,
        AnyExec,
        AnyRun,
        BytesCall,
        BytesExec,
        BytesRun,
        Command,
        Stream,
        Text,
        TextCall,
        TextExec,
        TextRun,
    )
    from fastbox.config import Config

__all__ = [
    "DEVNULL",
    "PIPE",
    "STDOUT",
    "Completed",
    "Container",
    "Exec",
    "Plan",
    "Usage",
    "__version__",
    "prepare",
    "run",
]

# The programs that the engine needs beside itself come with the package.
_core.set_programs(os.path.join(os.path.dirname(__file__), "bin"))  # noqa: PTH118, PTH120


class Container(Program):
    """A program that runs in a container of its own.

    As a context manager it kills, on leaving, whatever still runs in the container, and cleans up;
    so does dropping the last reference to it. What the caller asked to be a pipe is a file object:
    `stdin`, `stdout`, `stderr`, else None. With the option `tty` there is one stream, `terminal`.
    """

    __slots__ = ("_terminal",)

    def __init__(self, core: _core.Container, args: list[str], text: Text | None) -> None:
        super().__init__(core, args, text)
        self._core: _core.Container = core
        self._terminal: Terminal | None = None

    @property
    def id(self) -> str:
        """64 hexadecimal digits."""
        return self._core.id

    @property
    def terminal(self) -> Terminal | None:
        """The program's terminal, with the option `tty`: bytes written to it are typed, bytes read
        from it were shown, and b"" is its end. Closing it hangs it up."""
        if self._terminal is None:
            fd = self._core.take("terminal")
            if fd is not None:
                self._terminal = Terminal(fd, "r+")
        return self._terminal

    def resize(self, rows: int, columns: int) -> None:
        """Gives the terminal another size, of which its programs are told by SIGWINCH.

        Raises ValueError where there is none, or it is closed.
        """
        if self.terminal is None:
            raise ValueError("only a container with tty=True has a terminal")
        import termios

        termios.tcsetwinsize(self.terminal, (rows, columns))

    if TYPE_CHECKING:

        @overload
        def exec(self, command: Command, **call: Unpack[BytesExec]) -> Completed[bytes]: ...

        @overload
        def exec(self, command: Command, **call: Unpack[TextExec]) -> Completed[str]: ...

        @overload
        def exec(self, command: Command, **call: Unpack[AnyExec]) -> Completed[Any]: ...

    def exec(
        self,
        command: Command,
        *,
        input: ReadableBuffer | str | None = None,
        stdin: Stream | None = None,
        timeout: float | str | None = None,
        check: bool = False,
        stdout: Stream = PIPE,
        stderr: Stream = PIPE,
        text: bool = False,
        encoding: str | None = None,
        errors: str | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        user: str | int | None = None,
        max_output: int | str | None = None,
    ) -> Completed[Any]:
        """Runs one more program in the running container, and waits for its end. See `Plan.run`.

        It has the limits and rights of the container, which counts it and ends it. `env` is added
        to the container's; `cwd`, an absolute path there, and `user`, "name:group" or numbers by
        the container's own /etc/passwd, stand for the container's. `timeout` (seconds, or "1m30s")
        and `max_output` kill the program and what is still in its process group, not the container.

        Of `Completed.usage` it has `oom_killed` and `wall_ns`; the rest is the container's.

        Raises ContainerNotFound if the container has ended; ContainerTimeout; SpawnError for a
        program that is not there (`exit_code` 127) or cannot be executed (126), a directory that is
        not there, or when the container may have no more processes.
        """
        mode = text_of(text, encoding, errors)
        data, *three = streams(input, stdin, stdout, stderr, mode)
        completed = self._core.exec(
            arguments(command), _brought(three, env, cwd, user), data, mode, timeout, max_output
        )
        if check:
            completed.check_returncode()
        return completed

    def exec_start(
        self,
        command: Command,
        *,
        stdin: Stream | None = None,
        stdout: Stream = PIPE,
        stderr: Stream = PIPE,
        text: bool = False,
        encoding: str | None = None,
        errors: str | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        user: str | int | None = None,
    ) -> Exec:
        """Starts one more program in the container, and returns while it runs. See `exec`."""
        args = arguments(command)
        three = numbers(stdin, stdout, stderr)
        core = self._core.exec_start(args, _brought(three, env, cwd, user))
        return Exec(core, args, text_of(text, encoding, errors))

    def _opened(self) -> tuple[IO[Any] | None, ...]:
        return (*self._streams.values(), self._terminal)

    def _named(self) -> str:
        return f"container {self.id[:12]}"

    def __repr__(self) -> str:
        return f"<fastbox.Container {self.id[:12]} pid {self.pid}>"


def _brought(
    three: Sequence[int],
    env: Mapping[str, str] | None,
    cwd: str | os.PathLike[str] | None,
    user: str | int | None,
) -> tuple[Any, ...]:
    """What one more program brings, as the extension takes it."""
    return (
        *three,
        dict(env or {}),
        None if cwd is None else os.fspath(cwd),
        None if user is None else str(user),
    )


class Plan:
    """An image and its options, ready to run many times, from any thread. Made by `prepare`."""

    __slots__ = ("_core",)

    def __init__(self, core: _core.Plan) -> None:
        self._core = core

    @property
    def image(self) -> str:
        """The image's name as it was given."""
        return self._core.image

    @property
    def notes(self) -> list[str]:
        """Default protections and limits that this machine cannot give (`strict=True` refuses)."""
        return self._core.notes

    if TYPE_CHECKING:

        @overload
        def run(
            self, command: Command | None = None, **call: Unpack[BytesCall]
        ) -> Completed[bytes]: ...

        @overload
        def run(
            self, command: Command | None = None, **call: Unpack[TextCall]
        ) -> Completed[str]: ...

        @overload
        def run(
            self, command: Command | None = None, **call: Unpack[AnyCall]
        ) -> Completed[Any]: ...

    def run(
        self,
        command: Command | None = None,
        *,
        input: ReadableBuffer | str | None = None,
        stdin: Stream | None = None,
        timeout: float | str | None = None,
        check: bool = False,
        stdout: Stream = PIPE,
        stderr: Stream = PIPE,
        text: bool = False,
        encoding: str | None = None,
        errors: str | None = None,
        name: str | None = None,
        max_output: int | str | None = None,
        timings: bool = False,
    ) -> Completed[Any]:
        """Runs a command in a new container, waits for its end, and removes the container.

        The command is a list; a str is the name of one program, never a line for a shell; None is
        the image's own. `input` is given on stdin, which is otherwise empty. stdout and stderr are
        captured, unless they are DEVNULL, a file descriptor or a file; `stderr=STDOUT` joins them.
        They are bytes, or text where `text`, `encoding` or `errors` asks for it. With the option
        `tty` the input is typed, and stdout is all that the terminal shows.

        Raises ContainerTimeout when `timeout` (seconds, or "1m30s") is over and everything in the
        container was killed; ExitError with `check=True`, for an exit code other than 0. What
        `max_output` stopped has `Completed.truncated`. KeyboardInterrupt kills and cleans up first.
        """
        mode = text_of(text, encoding, errors)
        if self._core.tty:
            _one_stream(None if stdin == PIPE else stdin, stdout, stderr)
        completed = self._core.run(
            [] if command is None else arguments(command),
            *streams(input, stdin, stdout, stderr, mode),
            mode,
            name,
            timeout,
            max_output,
            timings,
        )
        if check:
            completed.check_returncode()
        return completed

    def start(
        self,
        command: Command | None = None,
        *,
        stdin: Stream | None = None,
        stdout: Stream = PIPE,
        stderr: Stream = PIPE,
        text: bool = False,
        encoding: str | None = None,
        errors: str | None = None,
        name: str | None = None,
        timings: bool = False,
    ) -> Container:
        """Starts a command in a new container and returns while it runs. For the rest see `run`."""
        args = [] if command is None else arguments(command)
        if self._core.tty:
            _one_stream(stdin, stdout, stderr)
        core = self._core.start(args, *numbers(stdin, stdout, stderr), name, timings)
        return Container(core, args, text_of(text, encoding, errors))

    def __repr__(self) -> str:
        return f"<fastbox.Plan of {self.image!r}>"


def shared(image: str, config: Config) -> Plan:
    """A Plan that earlier runs of the same image and options have left, else a new one."""
    return Plan(_core.prepare(image, config, True))


def _one_stream(stdin: Stream | None, stdout: Stream, stderr: Stream) -> None:
    """With a terminal nothing else can be the program's streams."""
    if stdin is not None or stdout != PIPE or stderr != PIPE:
        raise ValueError(
            "with tty=True stdin, stdout and stderr are the terminal, and nothing else"
        )


def prepare(image: str, **config: Unpack[Config]) -> Plan:
    """Resolves an image and options into a Plan; `fastbox.config.Config` lists the options."""
    return Plan(_core.prepare(image, config, False))


if TYPE_CHECKING:

    @overload
    def run(
        image: str, command: Command | None = None, **call: Unpack[BytesRun]
    ) -> Completed[bytes]: ...

    @overload
    def run(
        image: str, command: Command | None = None, **call: Unpack[TextRun]
    ) -> Completed[str]: ...

    @overload
    def run(
        image: str, command: Command | None = None, **call: Unpack[AnyRun]
    ) -> Completed[Any]: ...


def run(
    image: str,
    command: Command | None = None,
    *,
    input: ReadableBuffer | str | None = None,
    stdin: Stream | None = None,
    timeout: float | str | None = None,
    check: bool = False,
    stdout: Stream = PIPE,
    stderr: Stream = PIPE,
    text: bool = False,
    encoding: str | None = None,
    errors: str | None = None,
    name: str | None = None,
    max_output: int | str | None = None,
    timings: bool = False,
    **config: Unpack[Config],
) -> Completed[Any]:
    """Runs a command in a new container: `prepare(image, **config).run(command, ...)`."""
    return shared(image, config).run(
        command,
        input=input,
        stdin=stdin,
        timeout=timeout,
        check=check,
        stdout=stdout,
        stderr=stderr,
        text=text,
        encoding=encoding,
        errors=errors,
        name=name,
        max_output=max_output,
        timings=timings,
    )
