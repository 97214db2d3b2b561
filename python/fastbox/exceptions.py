"""What fastbox raises.

    FastboxError
     ├─ SpecError          also ValueError     what was asked for makes no sense or cannot be had
     ├─ ImageNotFound      also LookupError
     ├─ ContainerNotFound  also LookupError
     ├─ Conflict                               a name or an image is in use
     ├─ RegistryError                          a registry refused, or answered nonsense
     ├─ SpawnError         also OSError        the kernel refused a step of the start
     ├─ ContainerTimeout   also TimeoutError   time was up; carries the output so far
     └─ ExitError                              `check=True` and an exit code other than 0

An exit code other than 0 is a result, not an error, unless `check=True`.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing itself is not imported: it costs as much as a container
if TYPE_CHECKING:
    from typing import Any

    from fastbox._core import Completed

__all__ = [
    "Conflict",
    "ContainerNotFound",
    "ContainerTimeout",
    "ExitError",
    "FastboxError",
    "ImageNotFound",
    "RegistryError",
    "SpawnError",
    "SpecError",
]


class FastboxError(Exception):
    """Root of all errors of fastbox."""

    exit_code: int = 125
    """What the command line exits with: 125, 126 (cannot be executed), 127 (not found)."""


class SpecError(FastboxError, ValueError):
    """An option, an archive or an image's config is wrong, or this machine cannot give it."""


class ImageNotFound(FastboxError, LookupError):
    """No image has this name, tag, id or digest."""


class ContainerNotFound(FastboxError, LookupError):
    """No container has this name or id."""


class Conflict(FastboxError):
    """A name is taken, or an image is in use."""


class RegistryError(FastboxError):
    """A registry refused, could not be reached, or answered what it must not."""


class SpawnError(FastboxError, OSError):
    """The kernel refused a step of a container's start."""

    step: str | None = None
    """The step, as "execve" or "mount"."""
    target: str | None = None
    """What it was done to: a path, a name, a number."""

    def __init__(
        self,
        message: str,
        errno: int | None = None,
        step: str | None = None,
        target: str | None = None,
        exit_code: int = 125,
    ) -> None:
        super().__init__(message)
        self.errno = errno
        self.step = step
        self.target = target
        self.exit_code = exit_code

    def __str__(self) -> str:
        return str(self.args[0])

    def __reduce__(self) -> tuple[Any, ...]:
        # OSError's own would lose the number, which it takes for the first of two arguments.
        return type(self), (self.args[0], self.errno, self.step, self.target, self.exit_code)


class _Ended(FastboxError):
    """An error that carries what the program had done until then."""

    def __init__(self, message: str, completed: Completed[Any] | None = None) -> None:
        super().__init__(message)
        self.completed = completed

    def __str__(self) -> str:
        return str(self.args[0])

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.args[0], self.completed)

    @property
    def stdout(self) -> Any:
        """The output so far, as `Completed.stdout`; None where nothing was captured."""
        return None if self.completed is None else self.completed.stdout

    @property
    def stderr(self) -> Any:
        """The error output so far, as `Completed.stderr`; None where nothing was captured."""
        return None if self.completed is None else self.completed.stderr


class ContainerTimeout(_Ended, TimeoutError):
    """Time was up.

    From `run`: everything in the container was killed, and `completed` tells how that ended. From
    `Container.wait`: the container goes on, and `completed` is None.
    """

    exit_code = 124


class ExitError(_Ended):
    """A program ended with an exit code other than 0, and `check=True` was given."""

    def __init__(self, message: str, completed: Completed[Any]) -> None:
        super().__init__(message, completed)
        self.exit_code = completed.exit_code

    @property
    def returncode(self) -> int:
        """The exit code, as subprocess calls it."""
        return self.exit_code
