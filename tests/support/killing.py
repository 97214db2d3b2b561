"""Callers that end in every way there is, and what is left of them afterwards."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import PIPE, Popen
from textwrap import dedent
from typing import Any

# A container of a dead caller is to be gone after this many seconds, on a busy machine too; and its
# watchdog, which waits last for the disk to have the images that were made.
DEADLINE = 60.0
_PR_SET_CHILD_SUBREAPER = 36
# nanosleep(2), which the pause before a step is; nothing else in a caller uses it.
_NANOSLEEP = {"x86_64": "35", "aarch64": "101"}[os.uname().machine]


@contextmanager
def adopting() -> Iterator[None]:
    """Orphans below this process become its children, so that none of them can be overlooked."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def until(condition: Callable[[], Any], seconds: float = DEADLINE) -> bool:
    """Waits for it; whether it came."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return bool(condition())
        time.sleep(0.002)
    return True


def slab() -> dict[str, int]:
    """How many objects of each kind that containers are made of the kernel holds; needs root."""
    kinds = re.compile(r"((?:pid|user|net|uts)_namespace|mnt_cache|mem_cgroup)\s+(\d+)")
    text = Path("/proc/slabinfo").read_text()
    return {found[1]: int(found[2]) for found in kinds.finditer(text)}


def lives(pid: int) -> bool:
    """Whether the process runs: a zombie does not."""
    return _state(pid) not in ("", "Z", "X")


def read_pid(caller: Popen[str]) -> int:
    """The pid of a running container, which the caller says in a line."""
    assert caller.stdout is not None
    pid = int(caller.stdout.readline())
    assert lives(pid)
    return pid


def finished(caller: Popen[str]) -> str:
    """What a caller wrote that is to end well."""
    with caller:
        output, _ = caller.communicate(timeout=60)
    assert caller.returncode == 0, output
    return output


def pauses(caller: int) -> bool:
    """Whether one of the caller's threads, or a child of its own, waits before a step of a plan."""
    places = [*Path(f"/proc/{caller}/task").glob("*/syscall")]
    places += [Path(f"/proc/{child}/syscall") for child in _children().get(caller, [])]
    for place in places:
        with suppress(OSError):
            if place.read_text().split()[0] == _NANOSLEEP:
                return True
    return False


class Caller(Popen[str]):
    """A process that a failed test does not wait for."""

    def __exit__(self, *error: Any) -> None:
        if error[0] is not None:
            self.kill()
        super().__exit__(*error)


class Place:
    """A store and a run directory of their own, and the callers that use them."""

    def __init__(self, folder: Path, root: Path | None = None) -> None:
        self.root = root or folder / "root"
        self.run = folder / "run"
        self.environment = {
            **os.environ,
            "FASTBOX_ROOT": str(self.root),
            "FASTBOX_RUN": str(self.run),
        }
        self.interpreter = [sys.executable, "-u"]
        self._strangers = _descendants(os.getpid())
        self._known_owners: set[str] = set()

    def python(self, code: str, *args: str, **options: Any) -> Popen[str]:
        """A caller that runs `code`; its stdout is a pipe of lines."""
        options.setdefault("stdout", PIPE)
        command = [*self.interpreter, "-c", dedent(code), *args]
        return Caller(command, env=self.environment, text=True, **options)

    def fastbox(self, *args: str, **options: Any) -> Popen[str]:
        """The command `fastbox`."""
        return Caller(
            [*self.interpreter, "-m", "fastbox", *args], env=self.environment, text=True, **options
        )

    def next_command(self) -> None:
        """Another process's command, which cleans up what dead ones left."""
        with self.fastbox("images", "-q", stdout=PIPE, stderr=PIPE) as command:
            _, errors = command.communicate(timeout=60)
        assert command.returncode == 0, errors

    def owners(self) -> set[str]:
        """Names of the owners that there are directories of; they are remembered."""
        with suppress(FileNotFoundError):
            found = {path.name for path in (self.run / "owners").iterdir()}
            self._known_owners |= found
            return found
        return set()

    def kill_watchdogs(self) -> int:
        """Kills every watchdog of this place; how many."""
        killed = 0
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                words = entry.read_bytes().split(b"\0")
                watches = words[0].endswith(b"fastbox-monitor") and os.fsencode(self.run) in words
                if watches and lives(pid := int(entry.parent.name)):
                    os.kill(pid, signal.SIGKILL)
                    killed += 1
        return killed

    def remains(self) -> list[str]:
        """All that is left of callers, in words; empty once they have ended and are cleaned up."""
        found = [f"owner {name}" for name in self.owners()]
        for folder in (self.root / "run", self.run / "names"):
            with suppress(FileNotFoundError):
                found += [str(path) for path in folder.iterdir()]
        found += [f"group {path}" for path in self._groups()]
        found += [f"process {pid} {_name(pid)}" for pid in self._processes()]
        ours = (str(self.root), str(self.run))
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
        found += [line for line in mounts if any(path in line for path in ours)]
        return found

    def containers(self, seconds: float = DEADLINE) -> list[str]:
        """What a caller that lives and rests still has of containers, after a while."""

        def found() -> list[str]:
            groups = [path for group in self._groups() for path in group.iterdir() if path.is_dir()]
            # A drawer, the one in use, may be there and empty.
            uppers = [*(self.root / "run").glob("*/[!d]*"), *(self.root / "run").glob("*/d*/*")]
            drawers = [*(self.root / "run").glob("*/d*")]
            uppers += [path for path in drawers if len(path.name) > 20 or len(drawers) > 1]
            names = [*(self.run / "names").glob("*")]
            paths = [*groups, *uppers, *names]
            kept = ("plan-", "pid")  # what an owner itself has there
            return [str(path) for path in paths if not path.name.startswith(kept)]

        self.owners()
        until(lambda: not found(), seconds)
        return found()

    def left(self, seconds: float = DEADLINE) -> list[str]:
        """What is left after a while, which ends as soon as nothing is."""
        until(lambda: not self.remains(), seconds)
        return self.remains()

    def _processes(self) -> list[int]:
        me, found = os.getpid(), []
        parents = {child: parent for parent, list_ in _children().items() for child in list_}
        for pid in _descendants(me) - self._strangers:
            if parents.get(pid) == me and _state(pid) == "Z":
                # Adopted, and ended.
                with suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
            elif lives(pid):
                found.append(pid)
        return found

    def _groups(self) -> list[Path]:
        tops = []
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            words = line.split()
            if words[words.index("-") + 1] in ("cgroup", "cgroup2"):
                tops.append(Path(words[4]))
        own = {line.split(":", 2)[2].strip("/") for line in _own_groups()}
        return [
            path
            for top in tops
            for below in {"", *own}
            for path in (top / below / "fastbox").glob("*")
            if path.name[:16] in self._known_owners
        ]


def _own_groups() -> list[str]:
    return Path("/proc/self/cgroup").read_text().splitlines()


def _stat(pid: int | str) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _state(pid: int) -> str:
    return next(iter(_stat(pid)), "")


def _name(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode() or _comm(pid)
    return ""


def _comm(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def _children() -> dict[int, list[int]]:
    below: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*"):
        if fields := _stat(path.name):
            below.setdefault(int(fields[1]), []).append(int(path.name))
    return below


def _descendants(pid: int) -> set[int]:
    below, found, todo = _children(), set(), [pid]
    while todo:
        new = below.get(todo.pop(), [])
        found.update(new)
        todo += new
    return found
