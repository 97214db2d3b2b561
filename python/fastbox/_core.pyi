"""The engine. `fastbox.containers` and `fastbox.images` are its public face."""

from collections.abc import Mapping
from pathlib import Path
from types import GenericAlias
from typing import Any, Generic, Self, TypeVar, final

__all__ = [
    "Completed",
    "Container",
    "Exec",
    "Image",
    "Imported",
    "Info",
    "Loaded",
    "Many",
    "Plan",
    "Pool",
    "RunCommand",
    "Usage",
    "__version__",
    "container_names",
    "doctor",
    "get_image",
    "global_flags",
    "import_image",
    "info",
    "list_images",
    "load_images",
    "option_table",
    "parse_run",
    "prepare",
    "refused_flags",
    "remove_image",
    "save_images",
    "set_programs",
    "tag_image",
]

_T = TypeVar("_T")

__version__: str

@final
class Usage:
    """What a container used. None: it cannot be known here, or with this user's rights."""

    def __new__(
        cls,
        cpu_total_ns: int | None = None,
        cpu_user_ns: int | None = None,
        cpu_system_ns: int | None = None,
        memory_peak_bytes: int | None = None,
        oom_killed: bool | None = None,
        wall_ns: int = 0,
    ) -> Self: ...
    def __reduce__(self) -> tuple[type[Self], tuple[Any, ...]]: ...
    @property
    def cpu_total_ns(self) -> int | None:
        """CPU time in nanoseconds, exact."""
    @property
    def cpu_user_ns(self) -> int | None:
        """The part of it outside of the kernel, as the kernel splits it."""
    @property
    def cpu_system_ns(self) -> int | None:
        """The part of it in the kernel, as the kernel splits it."""
    @property
    def memory_peak_bytes(self) -> int | None:
        """The most memory in use at once."""
    @property
    def oom_killed(self) -> bool | None:
        """Whether the memory limit killed something."""
    @property
    def wall_ns(self) -> int:
        """From the program's start to its end, in nanoseconds."""

@final
class Completed(Generic[_T]):
    """A run that has ended. Can be made by hand, for the tests of programs that run containers."""

    def __new__(
        cls,
        args: list[str],
        exit_code: int,
        signal: int | None = None,
        stdout: _T | None = None,
        stderr: _T | None = None,
        usage: Usage | None = None,
        timings: list[tuple[str, float, float]] | None = None,
        truncated: bool = False,
        notes: list[str] = ...,
    ) -> Self: ...
    def __reduce__(self) -> tuple[type[Self], tuple[Any, ...]]: ...
    @property
    def args(self) -> list[str]:
        """The command as it was given; empty for the image's own."""
    @property
    def exit_code(self) -> int:
        """The program's exit code; 128 and the signal's number where a signal ended it."""
    @property
    def returncode(self) -> int:
        """The same, as subprocess calls it."""
    @property
    def signal(self) -> int | None:
        """The signal that ended the program."""
    @property
    def stdout(self) -> _T:
        """The output; None where it was not captured."""
    @property
    def stderr(self) -> _T:
        """The error output; None where it was not captured."""
    @property
    def usage(self) -> Usage:
        """What the container used."""
    @property
    def timings(self) -> list[tuple[str, float, float]] | None:
        """With `timings=True`, each step of the start, then `program` and `reap`: what it was, in
        microseconds when it began (the first at 0) and how long it took. Steps of two threads
        overlap.
        """
    @property
    def truncated(self) -> bool:
        """Whether `max_output` stopped it: the output is cut there, and everything was killed."""
    @property
    def notes(self) -> list[str]:
        """Default protections and limits that this machine could not give."""
    def chrome_trace(self) -> str:
        """The timings as JSON for Chrome's trace viewer or Perfetto (Trace Event Format, complete
        events). Raises ValueError for a run without timings.
        """
    def check_returncode(self) -> None:
        """Raises ExitError if the exit code is not 0."""
    @classmethod
    def __class_getitem__(cls, key: Any) -> GenericAlias: ...

@final
class Plan:
    @property
    def image(self) -> str: ...
    @property
    def tty(self) -> bool: ...
    @property
    def notes(self) -> list[str]: ...
    def run(
        self,
        args: list[str],
        input: bytes | None,
        stdin: int,
        stdout: int,
        stderr: int,
        text: tuple[str, str] | None,
        name: str | None,
        timeout: float | str | None,
        max_output: int | str | None,
        timings: bool,
    ) -> Completed[Any]: ...
    def start(
        self,
        args: list[str],
        stdin: int,
        stdout: int,
        stderr: int,
        name: str | None,
        timings: bool,
    ) -> Container: ...

@final
class Container:
    @property
    def id(self) -> str: ...
    @property
    def pid(self) -> int: ...
    def take(self, stream: str) -> int | None: ...
    def wait(
        self, args: list[str], timeout: float | None, text: tuple[str, str] | None
    ) -> Completed[Any] | None: ...
    def kill(self, signal: int) -> None: ...
    def fileno(self) -> int: ...
    def close(self) -> None: ...
    def exec(
        self,
        args: list[str],
        asked: _Asked,
        input: bytes | None,
        text: tuple[str, str] | None,
        timeout: float | str | None,
        max_output: int | str | None,
    ) -> Completed[Any]: ...
    def exec_start(self, args: list[str], asked: _Asked) -> Exec: ...

# One more program's stdin, stdout, stderr, environment, working directory and user.
_Asked = tuple[int, int, int, dict[str, str], str | None, str | None]

@final
class Exec:
    @property
    def pid(self) -> int: ...
    def take(self, stream: str) -> int | None: ...
    def wait(
        self, args: list[str], timeout: float | None, text: tuple[str, str] | None
    ) -> Completed[Any] | None: ...
    def kill(self, signal: int) -> None: ...
    def fileno(self) -> int: ...
    def close(self) -> None: ...

# A job's stdin, stdout, stderr, environment, working directory and files.
_Given = tuple[int, int, int, dict[str, str], str | None, list[tuple[str, bytes]]]

@final
class Pool:
    def __new__(cls, plan: Plan, ready: int, idle: float) -> Self: ...
    @property
    def image(self) -> str: ...
    @property
    def waiting(self) -> int: ...
    @property
    def notes(self) -> list[str]: ...
    def run(
        self,
        args: list[str],
        given: _Given,
        input: bytes | None,
        text: tuple[str, str] | None,
        name: str | None,
        timeout: float | str | None,
        max_output: int | str | None,
    ) -> Completed[Any]: ...
    def start(self, args: list[str], given: _Given, name: str | None) -> Container: ...
    def close(self) -> None: ...

@final
class Many:
    def __new__(cls, concurrency: int) -> Self: ...
    def submit(
        self,
        source: Plan | Pool,
        notify: bool,
        args: list[str],
        given: _Given,
        input: bytes | None,
        text: tuple[str, str] | None,
        name: str | None,
        timeout: float | str | None,
        max_output: int | str | None,
    ) -> tuple[int, int | None]: ...
    def next(self) -> tuple[int, Completed[Any] | Exception]: ...
    def take(self, number: int) -> Completed[Any] | None: ...
    def cancel(self, number: int) -> None: ...

@final
class RunCommand:
    @property
    def interactive(self) -> bool: ...
    @property
    def tty(self) -> bool: ...
    def run(self) -> int:
        """Runs it on the process's own streams; the exit code."""

@final
class Image:
    """An image in the store, as it was when it was looked up."""

    @property
    def id(self) -> str:
        """`sha256:` and the digest of its config."""
    @property
    def short_id(self) -> str:
        """The first 12 digits of it."""
    @property
    def tags(self) -> list[str]:
        """Its names, as `debian:12`; empty once another image took the last one."""
    @property
    def digests(self) -> list[str]:
        """For each repository it has a name in, the name by digest: `debian@sha256:…`."""
    @property
    def created(self) -> str:
        """When it was made, in RFC 3339."""
    @property
    def tagged(self) -> str:
        """When it last was given a name or lost its last one, in RFC 3339."""
    @property
    def size(self) -> int:
        """Bytes of file data in its layers."""
    @property
    def layer_sizes(self) -> list[int]:
        """The same for each layer of its history, the lowest first; empty where it is unknown."""
    @property
    def layers(self) -> list[str]:
        """Directories with the unpacked layers, the lowest first."""
    @property
    def config(self) -> dict[str, Any]:
        """What it says of its containers, with Docker's names: Cmd, Env, User and others."""
    @property
    def labels(self) -> dict[str, str]:
        """Its labels."""
    def document(self) -> dict[str, Any]:
        """Its config document (OCI image-spec, config.md), which has the config and more.

        This and what is in it are read anew each time, and raise ImageNotFound once it is gone.
        """

@final
class Imported:
    """What an import made."""

    @property
    def id(self) -> str:
        """The image: `sha256:` and the digest of its config."""
    @property
    def name(self) -> str | None:
        """Its name, as `debian:12`; None where it was given none."""
    @property
    def unchanged(self) -> bool:
        """Whether the name had this very image already."""
    @property
    def replaced(self) -> str | None:
        """The image that had the name before and has none now."""
    @property
    def entries(self) -> int:
        """Entries in the archive."""
    @property
    def bytes(self) -> int:
        """Bytes of file data unpacked."""
    @property
    def skipped(self) -> list[tuple[str, str]]:
        """The first entries of which something could not be kept, and what that was."""
    @property
    def skipped_total(self) -> int:
        """How many there were."""

@final
class Info:
    """Facts about this machine and what fastbox has on it."""

    @property
    def version(self) -> str:
        """fastbox's version."""
    @property
    def kernel(self) -> str:
        """The kernel's release."""
    @property
    def operating_system(self) -> str:
        """The distribution."""
    @property
    def architecture(self) -> str:
        """The processor: `x86_64` or `aarch64`."""
    @property
    def hostname(self) -> str:
        """The machine's name."""
    @property
    def cpus(self) -> int:
        """Processors this process may use."""
    @property
    def memory_bytes(self) -> int:
        """All memory."""
    @property
    def root(self) -> Path:
        """Where images are."""
    @property
    def root_file_system(self) -> str:
        """Its file system, as `ext4`."""
    @property
    def run_root(self) -> Path:
        """Where the state of what runs is."""
    @property
    def cgroup_version(self) -> str:
        """`1`, `2`, `1, with 2 beside it`, or `none` where none can be used."""
    @property
    def cgroup_controllers(self) -> list[str]:
        """Controllers that can limit containers."""
    @property
    def rootless(self) -> bool:
        """Whether it is an ordinary user who asks."""
    @property
    def security(self) -> list[str]:
        """What protects: seccomp, userns, apparmor, rootless."""
    @property
    def images(self) -> int:
        """Images in the store."""
    @property
    def containers_running(self) -> int:
        """Containers that run now, of all processes."""
    @property
    def lacking(self) -> list[str]:
        """What the kernel or its control groups lack; fallbacks are used."""
    @property
    def settings_files(self) -> list[Path]:
        """Configuration files read."""

def info() -> Info: ...
def doctor() -> str: ...
def container_names() -> list[str]: ...

@final
class Loaded:
    """An image that was loaded."""

    @property
    def id(self) -> str:
        """The image: `sha256:` and the digest of its config."""
    @property
    def tags(self) -> list[str]:
        """The names that the archive has for it, as `debian:12`; it may have none."""
    @property
    def replaced(self) -> list[str]:
        """The images that had one of the names before and have none now."""
    @property
    def skipped(self) -> list[tuple[str, str]]:
        """The first entries of which something could not be kept, and what that was."""
    @property
    def skipped_total(self) -> int:
        """How many there were."""

def set_programs(directory: str) -> None: ...
def prepare(image: str, config: Mapping[str, Any], shared: bool) -> Plan: ...
def global_flags(args: list[str]) -> list[str]: ...
def parse_run(args: list[str]) -> RunCommand | None: ...
def option_table() -> str: ...
def refused_flags() -> str: ...
def import_image(
    fd: int,
    name: str | None,
    limits: tuple[int | str | None, int | None],
    message: str | None,
    changes: list[str],
    platform: str | None,
) -> Imported: ...
def load_images(source: int | str, limits: tuple[int | str | None, int | None]) -> list[Loaded]: ...
def save_images(fd: int, images: list[str]) -> None: ...
def list_images() -> list[Image]: ...
def get_image(name: str) -> Image: ...
def tag_image(source: str, target: str) -> str: ...
def remove_image(name: str, force: bool) -> list[str]: ...
