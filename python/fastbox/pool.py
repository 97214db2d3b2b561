"""Containers made ahead: `Pool`."""

from __future__ import annotations

import os

from fastbox import _core
from fastbox._jobs import Job, given
from fastbox._streams import PIPE, arguments, numbers, streams, text_of
from fastbox.containers import Container, Plan, prepare

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import TracebackType
    from typing import Any, Self, Unpack

    from _typeshed import ReadableBuffer

    from fastbox._calls import Command, JobCall, Stream
    from fastbox.config import Config
    from fastbox.containers import Completed

__all__ = ["Pool"]


class Pool:
    """Containers of one image and its options, finished up to their program, each used once.

    `ready` of them wait (1 to 4,096); each that is used is replaced in the background. A job that
    finds none waiting gets the next to be made, first come first served. After `idle_timeout`
    seconds without a job all but one are let go, until the next job. Usable from any thread.

    A pool ends with `close`, on leaving a `with` block, or with the last reference to it: what
    waits is killed and removed; containers that were started go on. After `os.fork` the child
    has no part in it.
    """

    __slots__ = ("__weakref__", "_core", "_ready")

    def __init__(
        self,
        image: str | Plan,
        ready: int = 4,
        *,
        idle_timeout: float = 60.0,
        **config: Unpack[Config],
    ) -> None:
        if not isinstance(image, Plan):
            image = prepare(image, **config)
        elif config:
            raise TypeError("a Plan has its options already: give them to prepare()")
        self._core = _core.Pool(image._core, ready, idle_timeout)
        self._ready = ready

    @property
    def image(self) -> str:
        """The image's name as it was given."""
        return self._core.image

    @property
    def waiting(self) -> int:
        """How many containers wait at this moment."""
        return self._core.waiting

    @property
    def notes(self) -> list[str]:
        """Default protections and limits that this machine cannot give (`strict=True` refuses)."""
        return self._core.notes

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
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        files: Mapping[str, bytes | str] | None = None,
        name: str | None = None,
        max_output: int | str | None = None,
    ) -> Completed[Any]:
        """Runs a command in a container that waits, and removes the container. See `Plan.run`.

        `env` is added to the plan's, `cwd` is made if it is not there. `files` are written first,
        as the program's user, their directories made; a relative path begins in `cwd`.
        """
        mode = text_of(text, encoding, errors)
        data, *three = streams(input, stdin, stdout, stderr, mode)
        completed = self._core.run(
            [] if command is None else arguments(command),
            given(three, env, cwd, files),
            data,
            mode,
            name,
            timeout,
            max_output,
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
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        files: Mapping[str, bytes | str] | None = None,
        name: str | None = None,
    ) -> Container:
        """Starts a command in a container that waits. See `run` and `Plan.start`."""
        args = [] if command is None else arguments(command)
        three = numbers(stdin, stdout, stderr)
        core = self._core.start(args, given(three, env, cwd, files), name)
        return Container(core, args, text_of(text, encoding, errors))

    def map(
        self,
        commands: Iterable[Command],
        *,
        concurrency: int | None = None,
        **call: Unpack[JobCall],
    ) -> Iterator[Completed[Any]]:
        """Runs each command in a container of its own; results come in the order of the commands.

        `concurrency` (the pool's size unless given) run at the same time, without a thread for
        each; `commands` may be endless. The first error is raised where its result would come, and
        what still runs is killed. `call` is as in `run`, for all.
        """
        from fastbox.many import in_order

        return in_order(
            (Job(self, command, **call) for command in commands),
            concurrency or max(self._ready, 2),
        )

    def close(self) -> None:
        """Ends the containers that wait. Jobs are refused from now on."""
        self._core.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<fastbox.Pool of {self.image!r}, {self.waiting} waiting>"
