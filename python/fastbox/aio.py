"""fastbox for event loops: the same words, awaited, under asyncio and trio (by anyio).

No container has a thread of its own, and nothing blocks the loop: starts, input, output, time and
ends are looked after by a few native threads, and the loop waits for a descriptor. What the
process's limit on open files has no room for waits its turn. A task that is cancelled kills its
container and waits until it is gone.
"""

from __future__ import annotations

import contextlib
import os
import resource

import anyio
import anyio.to_thread

from fastbox import containers, pool
from fastbox._jobs import Job
from fastbox._streams import PIPE
from fastbox.containers import Completed, Plan, prepare, shared
from fastbox.many import Many, checked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from types import TracebackType
    from typing import Any, Self, Unpack

    from fastbox._calls import Command, JobCall, Stream
    from fastbox.config import Config

__all__ = ["Container", "Exec", "Pool", "run", "start"]

# Descriptors that one run takes here, and those left to everything else.
_PER_RUN, _SPARE = 6, 128
_many: tuple[int, Many] | None = None


def _runs() -> Many:
    """This process's runs; a fork gets its own."""
    global _many
    if _many is None or _many[0] != os.getpid():
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if limit == resource.RLIM_INFINITY:
            limit = 1 << 20
        _many = os.getpid(), Many(max((limit - _SPARE) // _PER_RUN, 1))
    return _many[1]


async def _done(job: Job) -> Completed[Any]:
    many = _runs()
    number, fd = job.submit(many, True)
    assert fd is not None
    try:
        await anyio.wait_readable(fd)
    except BaseException:
        many.cancel(number)
        with anyio.CancelScope(shield=True):
            await anyio.wait_readable(fd)
        # What it came to is of no interest any more.
        with contextlib.suppress(Exception):
            many.take(number)
        raise
    completed = many.take(number)
    assert completed is not None
    result = checked(job, completed)
    if isinstance(result, Exception):
        raise result
    return result


async def run(
    image: str | Plan,
    command: Command | None = None,
    *,
    config: Config | None = None,
    **call: Unpack[JobCall],
) -> Completed[Any]:
    """Runs a command in a new container. As `fastbox.run`; the container's options are `config`.

    `env`, `cwd` and `files` are those of `fastbox.Pool.run`.
    """
    if isinstance(image, Plan):
        if config:
            raise TypeError("a Plan has its options already: give them to prepare()")
        return await _done(Job(image, command, **call))
    plan = await anyio.to_thread.run_sync(shared, image, config or {})
    return await _done(Job(plan, command, **call))


class Pool:
    """`fastbox.Pool`, awaited. Made by `async with Pool(...)`, which closes it."""

    __slots__ = ("_arguments", "_pool")

    def __init__(
        self,
        image: str | Plan,
        ready: int = 4,
        *,
        idle_timeout: float = 60.0,
        **config: Unpack[Config],
    ) -> None:
        self._arguments = (image, ready, idle_timeout, config)
        self._pool: pool.Pool | None = None

    async def run(self, command: Command | None = None, **call: Unpack[JobCall]) -> Completed[Any]:
        """As `fastbox.Pool.run`."""
        return await _done(Job(self._opened(), command, **call))

    def _opened(self) -> pool.Pool:
        if self._pool is None:
            raise RuntimeError("the pool is not open: use it in `async with`")
        return self._pool

    async def __aenter__(self) -> Self:
        image, ready, idle, config = self._arguments
        self._pool = await anyio.to_thread.run_sync(
            lambda: pool.Pool(image, ready, idle_timeout=idle, **config)
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._opened().close)
        self._pool = None


class _Program:
    """A program that was started."""

    __slots__ = ("_program", "stderr", "stdin", "stdout")

    def __init__(self, program: containers.Container | containers.Exec) -> None:
        self._program = program
        self.stdin = _pipe(program, "stdin", Sender)
        self.stdout = _pipe(program, "stdout", Receiver)
        self.stderr = _pipe(program, "stderr", Receiver)

    @property
    def pid(self) -> int:
        """The process id outside of the program, in a container of its first process."""
        return self._program.pid

    async def wait(self) -> Completed[Any]:
        """Waits for the program's end. With the first process of a container all others end."""
        await anyio.wait_readable(self._program.fileno())
        return self._program.wait(0)

    def kill(self, signal: int = 9) -> None:
        """Sends a signal to the program, as `fastbox.Container.kill`."""
        self._program.kill(signal)

    async def aclose(self) -> None:
        """Kills what still runs of it, cleans up and closes the streams."""
        with anyio.CancelScope(shield=True):
            self._program.kill(9)
            await self.wait()
            self._close()

    def _close(self) -> None:
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream is not None:
                stream.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()


class Exec(_Program):
    """A program that was started in a running container, by `Container.exec_start`.

    Leaving `async with` kills it. Read what you asked to be a pipe: a full one stops the program.
    """

    __slots__ = ()

    async def aclose(self) -> None:
        """Kills it with what is still in its process group, and closes the streams."""
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._program.close)
            self._close()


class Container(_Program):
    """A program that runs in a container of its own: `async with await start(...)`.

    Leaving kills what still runs. Read what you asked to be a pipe: a full one stops the program.
    """

    __slots__ = ("_container",)

    def __init__(self, container: containers.Container) -> None:
        super().__init__(container)
        self._container = container

    @property
    def id(self) -> str:
        """64 hexadecimal digits."""
        return self._container.id

    async def exec_start(
        self,
        command: Command,
        *,
        stdin: Stream | None = None,
        stdout: Stream = PIPE,
        stderr: Stream = PIPE,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        user: str | int | None = None,
    ) -> Exec:
        """Starts one more program in the container, as `fastbox.Container.exec_start`."""

        def started() -> containers.Exec:
            return self._container.exec_start(
                command, stdin=stdin, stdout=stdout, stderr=stderr, env=env, cwd=cwd, user=user
            )

        # One that is cancelled meanwhile still ends: dropped with its thread's result.
        return Exec(await anyio.to_thread.run_sync(started))

    async def exec(
        self,
        command: Command,
        *,
        input: bytes = b"",
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        user: str | int | None = None,
        check: bool = False,
    ) -> Completed[bytes]:
        """Runs one more program in the container, as `fastbox.Container.exec`.

        Cancelled, as by `anyio.fail_after`, it kills the program.
        """
        stdin = PIPE if input else None
        stdout: list[bytes] = []
        stderr: list[bytes] = []

        async def read(pipe: Receiver, chunks: list[bytes]) -> None:
            async for chunk in pipe:
                chunks.append(chunk)

        async def write(pipe: Sender) -> None:
            with contextlib.suppress(BrokenPipeError):
                await pipe.send(input)
            pipe.close()

        async with (
            await self.exec_start(command, stdin=stdin, env=env, cwd=cwd, user=user) as program,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(read, program.stdout, stdout)
            tasks.start_soon(read, program.stderr, stderr)
            if program.stdin is not None:
                tasks.start_soon(write, program.stdin)
            ended = await program.wait()
            # Whom it has left behind is not waited for.
            tasks.cancel_scope.cancel()
            stdout += program.stdout.rest()
            stderr += program.stderr.rest()
        completed = Completed(
            ended.args,
            ended.exit_code,
            ended.signal,
            b"".join(stdout),
            b"".join(stderr),
            ended.usage,
            notes=ended.notes,
        )
        if check:
            completed.check_returncode()
        return completed


async def start(
    image: str | Plan,
    command: Command | None = None,
    *,
    stdin: Stream | None = None,
    stdout: Stream = PIPE,
    stderr: Stream = PIPE,
    name: str | None = None,
    **config: Unpack[Config],
) -> Container:
    """Starts a command in a new container and returns while it runs. As `Plan.start`."""

    def started() -> containers.Container:
        plan = image if isinstance(image, Plan) else prepare(image, **config)
        return plan.start(command, stdin=stdin, stdout=stdout, stderr=stderr, name=name)

    if isinstance(image, Plan) and config:
        raise TypeError("a Plan has its options already: give them to prepare()")
    # A start that is cancelled meanwhile still ends as one: dropped with its thread's result.
    return Container(await anyio.to_thread.run_sync(started))


class _Pipe:
    """One end of a pipe, closed with the last reference to it at the latest."""

    __slots__ = ("_fd",)

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self._fd = fd

    def close(self) -> None:
        """Closes it; again is no error."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        self.close()


class Receiver(_Pipe):
    """Bytes from a container, also by `async for`."""

    __slots__ = ()

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """What is there, at most so many bytes; waits for some. Empty at the end."""
        while True:
            await anyio.wait_readable(self._fd)
            try:
                return os.read(self._fd, max_bytes)
            except BlockingIOError:
                pass

    def rest(self) -> list[bytes]:
        """What is there now."""
        chunks = []
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self._fd, 65536):
                chunks.append(chunk)
        return chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while chunk := await self.receive():
            yield chunk


class Sender(_Pipe):
    """Bytes for a container. Closing it ends the program's input."""

    __slots__ = ()

    async def send(self, data: bytes) -> None:
        """Hands all of it over. BrokenPipeError if nobody reads any more."""
        rest = memoryview(data)
        while rest:
            await anyio.wait_writable(self._fd)
            with contextlib.suppress(BlockingIOError):
                rest = rest[os.write(self._fd, rest) :]


def _pipe(program: containers.Container | containers.Exec, name: str, kind: type[Any]) -> Any:
    fd = program._core.take(name)
    return None if fd is None else kind(fd)
