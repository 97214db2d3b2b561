"""What containers left behind: mounts, control groups, processes, namespaces, directories.

An audit begins with what there is already; `leaks` names what came since and belongs to no living
owner. Owners of one run directory have ids that begin alike, so what other users of fastbox do on
this machine meanwhile is not taken for ours; only namespaces carry no name, which is why they are
looked at again and again until a deadline.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

_KINDS = ("mnt", "pid", "net", "ipc", "uts", "cgroup", "user", "time")
_CONTAINER = re.compile(r"[0-9a-f]{64}")


def _processes() -> Iterator[Path]:
    return (path for path in Path("/proc").iterdir() if path.name.isdigit())


def _read(path: Path) -> str:
    """The text of a file of /proc, empty where the process has gone or is someone else's."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _listed(path: Path) -> list[Path]:
    try:
        return sorted(path.iterdir())
    except OSError:
        return []


def _tag(run: Path) -> str:
    """How the ids of this run directory's owners begin: six digits of its path's FNV-1a hash."""
    hashed = 0xCBF29CE484222325
    for byte in os.fsencode(run.resolve()):
        hashed = (hashed ^ byte) * 0x100000001B3 % (1 << 64)
    return f"{hashed >> 40:06x}"


def namespaces() -> dict[str, str]:
    """Every namespace that a process is in, as `net:[4026531840]`, with one such process."""
    found: dict[str, str] = {}
    for process in _processes():
        for kind in _KINDS:
            try:
                found.setdefault(str((process / "ns" / kind).readlink()), process.name)
            except OSError:
                continue
    return found


class Audit:
    """Compares with what was there when it was made."""

    def __init__(self, root: Path, run: Path) -> None:
        self._root = root
        self._run = run
        self.tag = _tag(run)
        """How the ids of this run directory's owners begin."""
        self._mounts = set(self._mount_lines())
        self._namespaces = set(namespaces())

    def leaks(self, seconds: float = 60.0) -> list[str]:
        """What is left; looked for until nothing is, or the time is over.

        A watchdog waits last for the disk to have the images that were made.
        """
        deadline = time.monotonic() + seconds
        while left := [
            *self.mounts(),
            *self.cgroups(),
            *self.processes(),
            *self.namespaces(),
            *self.directories(),
        ]:
            if time.monotonic() > deadline:
                return left
            time.sleep(0.1)
        return []

    def _alive(self) -> set[str]:
        """Ids of owners whose process lives: their own groups and directories may stay."""
        found = set()
        for owner in _listed(self._run / "owners"):
            pid, started, *_ = [*_read(owner / "pid").split(), "", ""]
            status = _read(Path("/proc", pid, "stat")).rpartition(")")[2].split()
            if len(status) > 19 and status[0] != "Z" and status[19] == started:
                found.add(owner.name)
        return found

    def _mount_lines(self) -> Iterator[str]:
        for line in _read(Path("/proc/self/mountinfo")).splitlines():
            if "fastbox" in line or str(self._root) in line or str(self._run) in line:
                yield line

    def cgroup_tops(self) -> list[Path]:
        """Where `fastbox` groups may be: in every hierarchy that is mounted here."""
        points = [
            Path(line.split()[4])
            for line in _read(Path("/proc/self/mountinfo")).splitlines()
            if line.partition(" - ")[2].startswith(("cgroup ", "cgroup2 "))
        ]
        own = [
            line.split(":", 2)[2].strip("/") for line in _read(Path("/proc/self/cgroup")).split()
        ]
        return sorted({point / below / "fastbox" for point in points for below in ("", *own)})

    def mounts(self) -> list[str]:
        """Mounts in our mount namespace that name fastbox or lie in its directories."""
        return [f"mount: {line}" for line in self._mount_lines() if line not in self._mounts]

    def cgroups(self) -> list[str]:
        """Groups of containers, and of owners that have ended."""
        alive = self._alive()
        groups = [owner for top in self.cgroup_tops() for owner in _listed(top) if owner.is_dir()]
        ours = [owner for owner in groups if owner.name.startswith(self.tag)]
        # An owner has a second group for containers with a device list of their own.
        left = [owner for owner in ours if owner.name.removesuffix(".devices") not in alive]
        for owner in ours:
            left += [path for path in _listed(owner) if _CONTAINER.fullmatch(path.name)]
        return [f"cgroup: {path}" for path in left]

    def _watches_the_dead(self, process: Path) -> bool:
        """Whether it is the watchdog of a launcher, a fork of that, which has ended."""
        if _read(process / "comm") != "fastbox-monitor\n":
            return False
        if f"FASTBOX_RUN={self._run}\0" not in _read(process / "environ"):
            return False
        return any("Pid:\t-1\n" in _read(info) for info in _listed(process / "fdinfo"))

    def processes(self) -> list[str]:
        """Processes of containers, watchdogs without an owner, children nobody waited for."""
        alive = self._alive()
        left = []
        for process in _processes():
            group = re.search(rf"/fastbox/({self.tag}\w+)/", _read(process / "cgroup"))
            command = _read(process / "cmdline").replace("\0", " ").strip()
            watched = re.search(rf"{re.escape(str(self._run))}/owners/(\w+)", command)
            forked = self._watches_the_dead(process)
            status = _read(process / "stat").rpartition(")")[2].split()
            unreaped = status[:1] == ["Z"] and status[1] == str(os.getpid())
            if group or unreaped or forked or (watched and watched[1] not in alive):
                left.append(f"process: {process.name} {command}")
        return left

    def namespaces(self) -> list[str]:
        """Namespaces that were not there before."""
        now = namespaces()
        return [
            f"namespace: {name} of {now[name]} {_read(Path('/proc', now[name], 'comm')).strip()}"
            for name in now.keys() - self._namespaces
        ]

    def directories(self) -> list[str]:
        """Names, owners that have ended, upper directories of containers."""
        alive = self._alive()
        left = _listed(self._run / "names")
        left += [path for path in _listed(self._run / "owners") if path.name not in alive]
        for owner in _listed(self._root / "run"):
            if owner.name not in alive:
                left.append(owner)
            # Those of many containers lie in drawers, and each has a work directory beside it.
            for place in (owner, *owner.glob("d*")):
                left += [path for path in _listed(place) if _CONTAINER.match(path.name)]
        return [f"directory: {path}" for path in left]
