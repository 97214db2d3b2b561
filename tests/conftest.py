"""A store and a run directory of the tests' own, the images they use, and the audit at the end."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import cli
import layers
import pytest
import roots
from audit import Audit
from needs import docker_daemon, needs, needs_root

# Before anything starts the engine, and short: a socket's path has room for 107 bytes.
_HOME = Path(tempfile.mkdtemp(prefix="fastbox-tests-"))
os.environ["FASTBOX_ROOT"] = str(_HOME / "root")
os.environ["FASTBOX_RUN"] = str(_HOME / "run")

# A shell without job control has its background ignore Ctrl-C, and that is inherited: not by what
# is tested here.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGQUIT) is signal.SIG_IGN:
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)

_SEED = int(os.environ.get("FASTBOX_SEED") or random.SystemRandom().randrange(1 << 32))


def pytest_report_header() -> str:
    """What to set to draw the same sample again."""
    return f"FASTBOX_SEED={_SEED}"


def pytest_unconfigure() -> None:
    """The directories go when this process's own watchdog, which needs them, has cleaned up."""
    wait = 'n=0; while [ "$(ls "$0/run/owners" 2>/dev/null)" ] && [ $n -lt 300 ]; do'
    wait += ' n=$((n + 1)); sleep 0.1; done; rm -rf "$0"'
    subprocess.Popen(["sh", "-c", wait, _HOME], start_new_session=True)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests with the marker `both_ways` run once by the launcher and once by Python alone."""
    if metafunc.definition.get_closest_marker("both_ways"):
        metafunc.fixturenames.append("way")
        metafunc.parametrize("way", cli.WAYS, indirect=True)


@pytest.fixture
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Which of the two commands `cli` uses."""
    chosen: str = request.param
    monkeypatch.setattr(cli, "way", chosen)
    return chosen


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    """Random numbers of the printed seed, the same for a test whichever others run."""
    return random.Random(f"{_SEED} {request.node.nodeid}")


@pytest.fixture(scope="session")
def audit() -> Audit:
    """What there was before the first container of this session."""
    return Audit(_HOME / "root", _HOME / "run")


@pytest.fixture(scope="session", autouse=True)
def nothing_left(audit: Audit) -> Iterator[None]:
    """Fails the last test if anything of all the session's containers is left."""
    yield
    left = audit.leaks()
    assert not left, "\n".join(left)


@pytest.fixture(scope="session")
def busybox() -> str:
    """The name of an image of a small root."""
    needs("busybox")
    import fastbox

    return fastbox.import_image(roots.busybox(), "busybox").name


@pytest.fixture(scope="session")
def docker_client() -> Iterator[Callable[..., str]]:
    """Docker's command, with a daemon of the session's own unless DOCKER_HOST names one."""
    needs_root()
    needs("docker", "dockerd")
    run = layers.tool(Path("/"))
    if "DOCKER_HOST" in os.environ:
        yield lambda *words: run("docker", *words)
        return
    with docker_daemon() as host:
        environment = {**os.environ, "DOCKER_HOST": host}
        yield lambda *words: run("docker", *words, env=environment)


@pytest.fixture
def podman(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Podman's and buildah's commands, the program's name first, with a store of their own."""
    needs_root()
    run = layers.tool(tmp_path)
    # It takes no path of more than 50 bytes.
    with tempfile.TemporaryDirectory(prefix="podman-") as state:
        places = ["--root", tmp_path / "podman", "--runroot", state, "--storage-driver", "vfs"]

        def command(program: str, *words: str | Path) -> str:
            needs(program)
            return run(program, *places, *words)

        yield command
