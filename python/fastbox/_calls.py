"""The types of a call's keywords, for type checkers alone: nothing imports this at run time."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, Required, TypedDict

from _typeshed import ReadableBuffer

from fastbox.config import Config
from fastbox.containers import Completed


class HasFileno(Protocol):
    """An open file of the operating system's."""

    def fileno(self) -> int:
        """Its descriptor."""


class Running(Protocol):
    """A program that was started, as the extension has it."""

    @property
    def pid(self) -> int: ...
    def take(self, stream: str) -> int | None: ...
    def wait(
        self, args: list[str], timeout: float | None, text: Text | None
    ) -> Completed[Any] | None: ...
    def kill(self, signal: int) -> None: ...
    def fileno(self) -> int: ...
    def close(self) -> None: ...


Stream = int | HasFileno
Command = str | os.PathLike[str] | Sequence[str | bytes | os.PathLike[str]]
# How bytes become text: encoding and errors.
Text = tuple[str, str]


class _Run(TypedDict, total=False):
    stdin: Stream | None
    timeout: float | str | None
    check: bool
    name: str | None
    max_output: int | str | None


class _Call(_Run, total=False):
    timings: bool


class BytesCall(_Call, total=False):
    """A run whose output is captured as bytes."""

    input: ReadableBuffer | None
    text: Literal[False]


class TextCall(_Call, total=False):
    """A run whose output is captured as text."""

    input: str | None
    text: Required[Literal[True]]
    encoding: str | None
    errors: str | None


class AnyCall(_Call, total=False):
    """Any run."""

    input: ReadableBuffer | str | None
    stdout: Stream
    stderr: Stream
    text: bool
    encoding: str | None
    errors: str | None


class JobCall(_Run, total=False):
    """A run that brings files, a directory or an environment with it."""

    input: ReadableBuffer | str | None
    stdout: Stream
    stderr: Stream
    text: bool
    encoding: str | None
    errors: str | None
    env: Mapping[str, str] | None
    cwd: str | os.PathLike[str] | None
    files: Mapping[str, bytes | str] | None


class _Exec(TypedDict, total=False):
    stdin: Stream | None
    timeout: float | str | None
    check: bool
    env: Mapping[str, str] | None
    cwd: str | os.PathLike[str] | None
    user: str | int | None
    max_output: int | str | None


class BytesExec(_Exec, total=False):
    """One more program in a container, whose output is captured as bytes."""

    input: ReadableBuffer | None
    text: Literal[False]


class TextExec(_Exec, total=False):
    """One more program in a container, whose output is captured as text."""

    input: str | None
    text: Required[Literal[True]]
    encoding: str | None
    errors: str | None


class AnyExec(_Exec, total=False):
    """Any more program in a container."""

    input: ReadableBuffer | str | None
    stdout: Stream
    stderr: Stream
    text: bool
    encoding: str | None
    errors: str | None


class BytesRun(BytesCall, Config, total=False):
    """The same with what describes the container."""


class TextRun(TextCall, Config, total=False):
    """The same with what describes the container."""


class AnyRun(AnyCall, Config, total=False):
    """The same with what describes the container."""
