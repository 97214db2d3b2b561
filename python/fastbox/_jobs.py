"""Runs kept for later: `Job`."""

from __future__ import annotations

import os

from fastbox._streams import PIPE, arguments, streams, text_of
from fastbox.containers import Plan, shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Unpack

    from fastbox._calls import Command, JobCall
    from fastbox.many import Many
    from fastbox.pool import Pool


class Job:
    """One run for `fastbox.run_many`: an image's name, a Plan or a Pool, a command, and what
    `Pool.run` takes besides (`input`, `timeout`, `env`, `cwd`, `files`, `text`, ...).
    """

    __slots__ = ("call", "command", "source")

    def __init__(
        self,
        source: str | Plan | Pool,
        command: Command | None = None,
        **call: Unpack[JobCall],
    ) -> None:
        self.source = source
        self.command = command
        self.call = call

    def submit(self, many: Many, notify: bool) -> tuple[int, int | None]:
        """Queues it: its number there, and a descriptor if that is wanted."""
        source = shared(self.source, {}) if isinstance(self.source, str) else self.source
        return many.submit(source._core, notify, *self._words(**self.call))

    def _words(
        self,
        *,
        input: Any = None,
        stdin: Any = None,
        stdout: Any = PIPE,
        stderr: Any = PIPE,
        text: bool = False,
        encoding: str | None = None,
        errors: str | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        files: Mapping[str, bytes | str] | None = None,
        name: str | None = None,
        timeout: float | str | None = None,
        max_output: int | str | None = None,
        check: bool = False,
    ) -> tuple[Any, ...]:
        mode = text_of(text, encoding, errors)
        data, *three = streams(input, stdin, stdout, stderr, mode)
        return (
            [] if self.command is None else arguments(self.command),
            given(three, env, cwd, files),
            data,
            mode,
            name,
            timeout,
            max_output,
        )

    @property
    def check(self) -> bool:
        """Whether an exit code other than 0 is an error."""
        return bool(self.call.get("check"))

    def __repr__(self) -> str:
        return f"Job({self.source!r}, {self.command!r})"


def given(
    three: list[int] | tuple[int, int, int],
    env: Mapping[str, str] | None,
    cwd: str | os.PathLike[str] | None,
    files: Mapping[str, bytes | str] | None,
) -> tuple[Any, ...]:
    """What a run brings, as the extension takes it."""
    contents = [
        (path, data.encode() if isinstance(data, str) else bytes(data))
        for path, data in (files or {}).items()
    ]
    return (*three, dict(env or {}), None if cwd is None else os.fspath(cwd), contents)
