"""What fastbox is compared with: each peer starts the same program in the same root and reaps it.

A peer is opened once, outside the clock, and then called again and again; a call returns the
seconds from the request to the end of the program and all cleaning up that its caller waits for.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import ClassVar

import bundle
import spawn
from needs import docker_daemon, find
from spawn import spawned

Run = Callable[[], float]
PROGRAM = "/bin/true"


@dataclass(frozen=True)
class Bench:
    """Where a comparison takes place."""

    archive: Path  # the root filesystem as a tar
    root: Path  # the same, unpacked
    scratch: Path  # an empty folder, removed afterwards


class Peer(ABC):
    """One way to run a program."""

    name: ClassVar[str]
    gives: ClassVar[str]
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
        said = subprocess.run([self.path(), "--version"], stdout=subprocess.PIPE, text=True)
        return said.stdout.splitlines()[0].strip() if said.stdout else ""

    @abstractmethod
    @contextmanager
    def open(self, bench: Bench) -> Iterator[Run]:
        """Prepares what may be prepared; yields the call that is measured."""
        yield lambda: 0.0


class Bare(Peer):
    name = "bare process"
    gives = "nothing: posix_spawn of the same static program"

    @contextmanager
    def open(self, bench: Bench) -> Iterator[Run]:
        program = f"{bench.root}{PROGRAM}"
        yield lambda: spawned([program])


class Unshare(Peer):
    name = "unshare"
    gives = "new namespaces and a chroot; no mounts but proc, no cgroup, no seccomp"
    command = "unshare"
    needs_root = True

    @contextmanager
    def open(self, bench: Bench) -> Iterator[Run]:
        command = [self.path(), "--mount", "--pid", "--fork", "--ipc", "--uts", "--net", "--cgroup"]
        command += ["--root", str(bench.root), "--mount-proc=/proc", PROGRAM]
        yield lambda: spawned(command)


class Bubblewrap(Peer):
    name = "bwrap --unshare-all"
    gives = "no cgroup, no seccomp, no capabilities, read-only root"
    command = "bwrap"

    @contextmanager
    def open(self, bench: Bench) -> Iterator[Run]:
        command = [self.path(), "--unshare-all", "--ro-bind", str(bench.root), "/"]
        command += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", PROGRAM]
        yield lambda: spawned(command)


class Runc(Peer):
    name = "runc run"
    gives = "Docker's capabilities and seccomp, cgroups, read-only root"
    command = "runc"
    needs_root = True

    @contextmanager
    def open(self, bench: Bench) -> Iterator[Run]:
        folder = bench.scratch / f"bundle-{self.command}"
        folder.mkdir()
        bundle.write(folder, bench.root, [PROGRAM], self.path())
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
        helper = ["unshare", "--mount", "sh", "-c", inside, "sh", sys.executable, spawn.__file__]
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
    name = "docker run"
    gives = "everything of Docker's, without a network"
    command = "docker"
    needs_root = True

    def missing(self) -> str | None:
        if find("dockerd") is None:
            return "dockerd is not installed"
        return super().missing()

    @contextmanager
    def open(self, bench: Bench) -> Iterator[Run]:
        with docker_daemon() as host:
            environment = {**os.environ, "DOCKER_HOST": host}
            docker = self.path()
            load = [docker, "import", str(bench.archive), "fastbox-bench"]
            subprocess.run(load, check=True, env=environment, stdout=subprocess.DEVNULL)
            command = [docker, "run", "--rm", "--network", "none", "fastbox-bench", PROGRAM]
            yield lambda: spawned(command, environment)


class Podman(Peer):
    name = "podman run"
    gives = "everything of podman's, without a network"
    command = "podman"

    @contextmanager
    def open(self, bench: Bench) -> Iterator[Run]:
        command = [self.path(), "run", "--rm", "--network", "none"]
        # crun refuses hybrid control groups; its own limits may be more than this machine has.
        command += ["--runtime", "runc", "--ulimit", "nofile=1024:1024"]
        command += ["--ulimit", "nproc=1024:1024", "--rootfs", f"{bench.root}:O", PROGRAM]
        yield lambda: spawned(command)


class Nsjail(Peer):
    name = "nsjail"
    gives = "namespaces, no cgroup, no seccomp"
    command = "nsjail"

    @contextmanager
    def open(self, bench: Bench) -> Iterator[Run]:
        command = [self.path(), "--mode", "o", "--really_quiet", "--chroot", str(bench.root)]
        yield lambda: spawned([*command, "--", PROGRAM])


def import_image(bench: Bench) -> str:
    """The image of the bench's root in fastbox's store, which the environment places in scratch."""
    os.environ["FASTBOX_ROOT"] = str(bench.scratch / "fastbox-root")
    os.environ["FASTBOX_RUN"] = str(bench.scratch / "fastbox-run")
    name = "fastbox-bench:latest"
    subprocess.run(
        [Fastbox().path(), "import", str(bench.archive), name],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return name


class Fastbox(Peer):
    name = "fastbox run"
    gives = "Docker's defaults and its own user namespace; the command, cold"
    command = "fastbox"

    def path(self) -> str:
        """The one of this interpreter's environment."""
        beside = Path(sys.executable).with_name("fastbox")
        return str(beside) if beside.exists() else super().path()

    def missing(self) -> str | None:
        try:
            self.path()
        except FileNotFoundError:
            return "fastbox is not installed"
        return None

    @contextmanager
    def open(self, bench: Bench) -> Iterator[Run]:
        command = [self.path(), "run", "--rm", "--network", "none", import_image(bench), PROGRAM]
        yield lambda: spawned(command)


class FastboxPython(Fastbox):
    name = "fastbox from Python"
    gives = "the same from a Plan; everything made at the request"

    @contextmanager
    def open(self, bench: Bench) -> Iterator[Run]:
        image = import_image(bench)
        import fastbox  # here, so that the rest works without it

        plan = fastbox.prepare(image)

        def run() -> float:
            began = time.perf_counter()
            done = plan.run([PROGRAM])
            took = time.perf_counter() - began
            if done.exit_code != 0:
                raise RuntimeError(f"{PROGRAM} ended with exit code {done.exit_code}")
            return took

        yield run


class FastboxPool(Fastbox):
    name = "fastbox pool"
    gives = "the same from a Pool: the container was made ahead, but for its program"

    @contextmanager
    def open(self, bench: Bench) -> Iterator[Run]:
        image = import_image(bench)
        import fastbox

        with fastbox.Pool(image, 2) as pool:

            def filled() -> None:
                # Outside the clock, so that nobody else is measured meanwhile.
                while pool.waiting < 2:
                    time.sleep(0.001)

            def run() -> float:
                began = time.perf_counter()
                done = pool.run([PROGRAM])
                took = time.perf_counter() - began
                if done.exit_code != 0:
                    raise RuntimeError(f"{PROGRAM} ended with exit code {done.exit_code}")
                filled()
                return took

            filled()
            yield run


PEERS: tuple[Peer, ...] = (
    Bare(),
    FastboxPool(),
    FastboxPython(),
    Fastbox(),
    Unshare(),
    Bubblewrap(),
    Crun(),
    Runc(),
    Youki(),
    Nsjail(),
    Podman(),
    Docker(),
)
