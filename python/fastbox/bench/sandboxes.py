"""Peers that isolate a program without being a container engine."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection

from fastbox.bench.clock import spawned
from fastbox.bench.peer import NAMESPACES, Bench, Peer, Run


class Unshare(Peer):
    name = "unshare"
    isolates = NAMESPACES
    note = "a chroot; no mounts but proc"
    command = "unshare"
    needs_root = True

    @contextmanager
    def open(self, bench: Bench) -> Iterator[Run]:
        command = [self.path(), "--mount", "--pid", "--fork", "--ipc", "--uts", "--net", "--cgroup"]
        command += ["--root", str(bench.root), "--mount-proc=/proc", *bench.command]
        yield lambda: spawned(command)


class Bubblewrap(Peer):
    name = "bwrap --unshare-all"
    isolates = NAMESPACES | {"user", "caps"}
    note = "read-only root"
    command = "bwrap"

    @contextmanager
    def open(self, bench: Bench) -> Iterator[Run]:
        command = [self.path(), "--unshare-all", "--ro-bind", str(bench.root), "/"]
        command += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", *bench.command]
        yield lambda: spawned(command)


class Nsjail(Peer):
    name = "nsjail"
    isolates = NAMESPACES | {"user", "caps"}
    note = "read-only root"
    command = "nsjail"

    @contextmanager
    def open(self, bench: Bench) -> Iterator[Run]:
        command = [self.path(), "--mode", "o", "--really_quiet", "--chroot", str(bench.root)]
        yield lambda: spawned([*command, "--", *bench.command])


class GoJudge(Peer):
    name = "go-judge"
    isolates = NAMESPACES | {"user", "cgroup", "caps"}
    note = "a server whose containers serve one program after the other"
    command = "go-judge"

    @contextmanager
    def open(self, bench: Bench) -> Iterator[Run]:
        """Its server, asked over HTTP; the program is the machine's own of the same path."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        address = f"127.0.0.1:{port}"
        command = [self.path(), "-http-addr", address, "-silent", "-dir", str(bench.scratch)]
        command += ["-cgroup-prefix", f"fastbox-bench-{os.getpid()}"]
        job = {
            "args": list(bench.command),
            "files": [{"content": ""}, {"name": "stdout", "max": 4096}],
            "cpuLimit": 10_000_000_000,
            "memoryLimit": 256 << 20,
            "procLimit": 8,
        }
        body = json.dumps({"cmd": [job]})

        def run() -> float:
            connection = HTTPConnection("127.0.0.1", port)
            began = time.perf_counter()
            connection.request("POST", "/run", body, {"Content-Type": "application/json"})
            (result,) = json.load(connection.getresponse())
            took = time.perf_counter() - began
            connection.close()
            if result["status"] != "Accepted":
                raise RuntimeError(f"go-judge says {result}")
            return took

        with subprocess.Popen(command) as server:
            try:
                _listening(port)
                yield run
            finally:
                server.terminate()


class Sandlock(Peer):
    name = "sandlock run"
    isolates = frozenset(("seccomp",))
    note = "Landlock rules for files and network"
    command = "sandlock"

    @contextmanager
    def open(self, bench: Bench) -> Iterator[Run]:
        """The program as it lies in the root, allowed to read that and the system's libraries."""
        program, *words = bench.command
        command = [self.path(), "run"]
        for path in (bench.root, "/usr", "/lib", "/lib64", "/bin", "/etc"):
            command += ["-r", str(path)]
        yield lambda: spawned([*command, "--", f"{bench.root}{program}", *words])


def _listening(port: int) -> None:
    end = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return
