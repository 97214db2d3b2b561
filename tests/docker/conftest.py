"""Docker beside fastbox: see tests/support/compare.py."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import roots
from compare import IMAGE, Both
from needs import docker_daemon, needs, needs_root


@pytest.fixture(scope="session")
def both() -> Iterator[Both]:
    """Docker and fastbox, compared; a daemon of the session's own, unless DOCKER_HOST names one."""
    needs_root()
    needs("docker", "dockerd", "busybox")
    with ExitStack() as stack:
        host = os.environ.get("DOCKER_HOST") or stack.enter_context(docker_daemon())
        both = Both(host)
        both.image(roots.busybox(), IMAGE)
        yield both
        if "DOCKER_HOST" in os.environ:
            both.docker("rmi", "--force", IMAGE)
        else:
            both.leave_nothing()


def pytest_report_header() -> str:
    """Which Docker there is."""
    try:
        found = subprocess.run(["docker", "--version"], capture_output=True, text=True).stdout
    except OSError:
        found = "none"
    return f"docker: {found.strip()}"
