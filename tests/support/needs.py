"""What a test needs of the machine: a skip that says what to install, a failure where CI=true."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

# Debian's package for each command that is not named like its package.
_PACKAGES = {
    "bwrap": "bubblewrap",
    "busybox": "busybox-static",
    "docker": "docker.io",
    "dockerd": "docker.io",
    "ip": "iproute2",
    "mkfs.ext4": "e2fsprogs",
    "newuidmap": "uidmap",
    "xz": "xz-utils",
}


def in_ci() -> bool:
    """Whether everything must be there and run."""
    return os.environ.get("CI") == "true"


def find(command: str) -> str | None:
    """The path of a command, looked for where Debian keeps an administrator's programs too."""
    return shutil.which(command, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")


def missing(why: str) -> None:
    """Skips the test for a reason; fails it where CI=true."""
    if in_ci():
        pytest.fail(f"CI must not skip this: {why}")
    pytest.skip(why)


def needs(*commands: str) -> None:
    """Skips the test where one of the commands is not installed."""
    for command in commands:
        if find(command) is None:
            missing(f"{command} is not installed (Debian: {_PACKAGES.get(command, command)})")


def needs_root() -> None:
    """Skips the test for anyone but root."""
    if os.geteuid() != 0:
        missing("needs root")


@contextmanager
def docker_daemon() -> Iterator[str]:
    """A Docker daemon of its own for the time of the block; yields the value for DOCKER_HOST."""
    script = Path(__file__).parents[2] / "scripts" / "dockerd"
    # It stays as long as the command it runs, and cat stays as long as its standard input.
    command = [str(script), "sh", "-c", 'echo "$DOCKER_HOST"; exec cat']
    with Popen(command, stdin=PIPE, stdout=PIPE, text=True) as daemon:
        assert daemon.stdin is not None
        assert daemon.stdout is not None
        host = daemon.stdout.readline().strip()
        if not host:
            raise RuntimeError(f"scripts/dockerd ended with status {daemon.wait()}")
        try:
            yield host
        finally:
            daemon.stdin.close()
