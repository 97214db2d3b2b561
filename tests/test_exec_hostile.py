"""Containers that lie in wait for what is executed in them."""

from __future__ import annotations

import select
import time
from collections.abc import Iterator
from textwrap import dedent
from typing import Any

import fastbox
import pytest
from fastbox import PIPE
from needs import needs_root

# Stops each process as soon as it may, looks at it from all sides, and lets it go on. What it then
# tells of is what no program of the container's can show; "hidden" is one that showed nothing.
WATCHER = """
    import ctypes, os, time
    libc = ctypes.CDLL(None)
    root = os.stat("/")
    seen, hidden = set(), []
    end = time.monotonic() + 30

    def looked(call, *words):
        try:
            return call(*words)
        except OSError:
            return None

    def read(path):
        with open(path) as file:
            return file.read()

    def look(number):
        at = f"/proc/{number}/"
        stat = looked(read, at + "stat") or ""
        program = looked(os.readlink, at + "exe")
        if program and "/usr/bin/" not in program:
            seen.add(f"program {program}")
        for fd in looked(os.listdir, at + "fd") or []:
            target = looked(os.readlink, at + "fd/" + fd) or "pipe:"
            if not target.startswith(("pipe:", "/null", "/usr/", "/etc/")):
                seen.add(f"file {fd} {target}")
        for name in ("root/.", "cwd/."):
            there = looked(os.stat, at + name)
            if there and (there.st_dev, there.st_ino) != (root.st_dev, root.st_ino):
                seen.add(f"directory {name}")
        maps = looked(read, at + "maps") or ""
        if "memfd" in maps:
            seen.add("memory")
        if not os.fork():
            # Its hold on the other ends with it.
            traced = libc.ptrace(0x4206, number, 0, 0) == 0
            os._exit(traced and "/usr/bin/" not in (looked(os.readlink, at + "exe") or "/usr/bin/"))
        if os.wait()[1]:
            seen.add("traced")
        if program is None and ") T " in stat and ") T " in (looked(read, at + "stat") or ""):
            seen.add("hidden")
            hidden.append(number)

    print("ready", flush=True)
    last = os.getpid()
    while len(hidden) < 20 and time.monotonic() < end:
        # Numbers are given out in turn.
        for number in range(last + 1, last + 4):
            if not os.path.exists(f"/proc/{number}"):
                continue
            while os.path.exists(f"/proc/{number}") and time.monotonic() < end:
                try:
                    os.kill(number, 19)
                    break
                except OSError:
                    look(number)
            look(number)
            looked(os.kill, number, 18)
            last = number
        last = max(last, int(read("/proc/loadavg").split()[4]) - 2)
    for line in sorted(seen):
        print(line)
"""

# Stops every process that appears, as early as it may.
STOPPER = """
    import os
    known = {os.getpid(), 1}
    print("ready", flush=True)
    while True:
        for name in os.listdir("/proc"):
            if name.isdigit() and int(name) not in known:
                try:
                    os.kill(int(name), 19)
                except OSError:
                    pass
"""


@pytest.fixture(autouse=True)
def as_root() -> None:
    needs_root()


def hostile(program: str, **options: Any) -> fastbox.Container:
    command = ["/usr/bin/python3", "-IS", "-c", dedent(program)]
    container = fastbox.prepare("host", **options).start(["sleep", "1000"], stdin=PIPE)
    watcher = container.exec_start(command, text=True)
    assert watcher.stdout is not None
    if watcher.stdout.readline() != "ready\n":
        pytest.skip(f"no Python in the container: {watcher.wait(10).stderr}")
    _watchers[container.id] = watcher
    return container


_watchers: dict[str, Any] = {}


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    yield
    for watcher in _watchers.values():
        watcher.close()
    _watchers.clear()


@pytest.mark.parametrize(
    "options", [{}, {"cap_add": ["SYS_PTRACE"]}, {"cap_add": ["SYS_ADMIN", "SYS_PTRACE"]}], ids=str
)
def test_nothing_of_the_host_is_within_reach(options: dict[str, Any]) -> None:
    with hostile(WATCHER, **options) as container:
        watcher = _watchers[container.id]
        while watcher.stdout not in select.select([watcher.stdout], [], [], 0)[0]:
            assert container.exec(["/usr/bin/true"], timeout=60).exit_code == 0
        assert watcher.stdout.read().splitlines() == ["hidden"]
        done = watcher.wait(60)
        assert (done.exit_code, done.stderr) == (0, "")


def test_who_stops_it_stops_nobody_else(busybox: str) -> None:
    """What is stopped on its way keeps its own caller waiting, as long as that wants to, and no one
    else: neither other programs nor other containers."""
    other = fastbox.prepare(busybox)
    with hostile(STOPPER) as container, other.start(["sleep", "1000"]) as peaceful:
        late = 0
        for _ in range(20):
            began = time.monotonic()
            try:
                container.exec(["/usr/bin/sleep", "0.1"], timeout=0.3)
            except fastbox.ContainerTimeout:
                late += 1
            # Killed, though it was stopped; nothing waits for it to go on.
            assert time.monotonic() - began < 10
            assert other.run(["true"]).exit_code == 0
            assert peaceful.exec(["true"]).exit_code == 0
        assert late > 0
    assert other.run(["true"]).exit_code == 0


@pytest.mark.parametrize("options", [{}, {"userns": "host"}, {"privileged": True}], ids=str)
def test_the_programs_file_is_out_of_reach(busybox: str, options: dict[str, Any]) -> None:
    """A script whose interpreter is /proc/self/exe finds a copy in memory there that nobody can
    write to (CVE-2019-5736)."""
    with fastbox.prepare(busybox, **options).start(["sleep", "1000"]) as container:
        write = (
            "printf '#!/proc/self/exe\\n' > /tmp/x; chmod 755 /tmp/x; ln -s /proc/self/exe /tmp/y"
        )
        container.exec(["sh", "-c", write], check=True)
        for command in ("/tmp/x", "/tmp/y", "/proc/self/exe"):
            try:
                done = container.exec([command, "cat", "/proc/self/maps"], timeout=10)
            except (fastbox.SpawnError, fastbox.ContainerTimeout):
                continue
            # The stub, which does nothing with such words.
            assert done.exit_code == 127, command
            assert done.stdout == b""
