"""One way to run a program in a root file system, and where a comparison takes place."""

from __future__ import annotations

import os
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from fastbox.bench.clock import spawned

Run = Callable[[], float]
# What a peer may put between the program and the machine: namespaces (namespaces(7)), limits by
# control groups, a seccomp filter, fewer capabilities.
ISOLATES = ("pid", "mnt", "net", "ipc", "uts", "user", "cgroup", "seccomp", "caps")
NAMESPACES = frozenset(("pid", "mnt", "net", "ipc", "uts"))


@dataclass(frozen=True)
class Bench:
    """Where a comparison takes place."""

    root: Path  # the root file system, a folder
    image: str  # the same in fastbox's store
    command: Sequence[str]  # its first word is an absolute path in the root
    scratch: Path  # an empty folder, removed afterwards


class Peer(ABC):
    """One way to run a program."""

    name: ClassVar[str]
    isolates: ClassVar[frozenset[str]]
    # What else sets it apart, in a few words.
    note: ClassVar[str] = ""
    command: ClassVar[str | None] = None
    needs_root: ClassVar[bool] = False

    def missing(self) -> str | None:
        """Why it cannot take part here; None where it can."""
        if self.needs_root and os.geteuid() != 0:
            return "needs root"
        if self.command and find(self.command) is None:
            return f"{self.command} is not installed"
        return None

    def path(self) -> str:
        """Where its command is."""
        found = find(self.command or "")
        if found is None:
            raise FileNotFoundError(self.command)
        return found

    def version(self) -> str:
        """What the command says of itself."""
        if self.command is None:
            return ""
        said = subprocess.run([self.path(), "--version"], capture_output=True, text=True)
        return said.stdout.splitlines()[0].strip() if said.stdout else ""

    @abstractmethod
    @contextmanager
    def open(self, bench: Bench) -> Iterator[Run]:
        """Prepares what may be prepared; yields the call that is measured."""
        yield lambda: 0.0


class Bare(Peer):
    """The program itself."""

    name = "bare process"
    isolates = frozenset()
    note = "posix_spawn of the same program"

    @contextmanager
    def open(self, bench: Bench) -> Iterator[Run]:
        """The program as it lies in the root; its interpreter and libraries are the machine's."""
        program, *words = bench.command
        yield lambda: spawned([f"{bench.root}{program}", *words])


def find(command: str) -> str | None:
    """The path of a command, looked for where Debian keeps an administrator's programs too."""
    return shutil.which(command, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
