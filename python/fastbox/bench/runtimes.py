"""Peers that run OCI bundles or images: runc, crun, youki, podman, docker."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from fastbox.bench import bundle, clock
from fastbox.bench.clock import spawned
from fastbox.bench.peer import NAMESPACES, Bench, Peer, Run

DOCKERS = NAMESPACES | {"cgroup", "seccomp", "caps"}


class Runc(Peer):
    name = "runc run"
    isolates = DOCKERS
    note = "Docker's capabilities and seccomp profile, read-only root"
    command = "runc"
    needs_root = True

    @contextmanager
    def open(self, bench: Bench) -> Iterator[Run]:
        folder = bench.scratch / f"bundle-{self.command}"
        folder.mkdir()
        bundle.write(folder, bench.root, list(bench.command), self.path())
        numbers = count()
        base = [self.path(), "--root", str(bench.scratch / f"state-{self.command}"), "run"]
        base += ["--bundle", str(folder)]
        with self.spawner() as start:
            yield lambda: start([*base, f"fastbox-bench-{os.getpid()}-{next(numbers)}"])

    @contextmanager
    def spawner(self) -> Iterator[Callable[[list[str]], float]]:
        """What the runtime is spawned by."""
        yield spawned


class Crun(Runc):
    name = "crun run"
    command = "crun"

    @contextmanager
    def spawner(self) -> Iterator[Callable[[list[str]], float]]:
        """Itself, or a helper that does not see the unified hierarchy of a hybrid host.

        crun refuses hosts that have both kinds of cgroups.
        """
        hybrid = Path("/sys/fs/cgroup/unified")
        if not hybrid.is_dir():
            yield spawned
            return
        inside = f'umount {hybrid} && exec "$@"'
        helper = ["unshare", "--mount", "sh", "-c", inside, "sh", sys.executable, clock.__file__]
        pipe = subprocess.PIPE
        with subprocess.Popen(helper, stdin=pipe, stdout=pipe, text=True) as process:
            requests, answers = process.stdin, process.stdout
            if requests is None or answers is None:
                raise RuntimeError("the helper has no pipes")

            def ask(command: list[str]) -> float:
                print(json.dumps(command), file=requests, flush=True)
                return float(answers.readline())

            yield ask
            requests.close()


class Youki(Runc):
    name = "youki run"
    command = "youki"


class Docker(Peer):
    """By the daemon that runs here, or that DOCKER_HOST names."""

    name = "docker run"
    isolates = DOCKERS
    note = "without a network"
    command = "docker"

    def missing(self) -> str | None:
        """Also where no daemon answers."""
        why = super().missing()
        if why is None:
            asked = subprocess.run([self.path(), "version"], capture_output=True, text=True)
            if asked.returncode != 0:
                why = "no daemon answers: " + (asked.stderr.strip().splitlines() or [""])[-1]
        return why

    @contextmanager
    def open(self, bench: Bench) -> Iterator[Run]:
        """The root becomes an image of the daemon's for the time."""
        docker, image = self.path(), f"fastbox-bench-{os.getpid()}"
        archive = bench.scratch / "root.tar"
        with tarfile.open(archive, "w") as packed:
            packed.add(bench.root, ".")
        quiet = subprocess.DEVNULL
        subprocess.run([docker, "import", str(archive), image], check=True, stdout=quiet)
        command = [docker, "run", "--rm", "--network", "none", image, *bench.command]
        try:
            yield lambda: spawned(command)
        finally:
            subprocess.run([docker, "rmi", "--force", image], check=True, stdout=quiet)


class Podman(Peer):
    name = "podman run"
    isolates = DOCKERS
    note = "without a network"
    command = "podman"

    @contextmanager
    def open(self, bench: Bench) -> Iterator[Run]:
        # State of its own: for an ordinary user podman leaves a process there that holds his
        # namespaces, and which of several bears his name cannot be told. No path of over 50 bytes.
        with tempfile.TemporaryDirectory(prefix="podman-") as state:
            command = [self.path(), "--root", str(bench.scratch / "podman"), "--runroot", state]
            command += ["--tmpdir", state, "run", "--rm", "--network", "none"]
            # crun refuses hybrid control groups; its own limits may be more than this machine has.
            command += ["--runtime", "runc", "--ulimit", "nofile=1024:1024"]
            command += ["--ulimit", "nproc=1024:1024"]
            command += ["--rootfs", f"{bench.root}:O", *bench.command]
            try:
                yield lambda: spawned(command)
            finally:
                pause = Path(state, "pause.pid")
                # It ends by itself where it could not make namespaces.
                with suppress(FileNotFoundError, ProcessLookupError):
                    os.kill(int(pause.read_text()), signal.SIGKILL)
