"""An ordinary user: the same command line, what that user may have, and notes of the rest."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cli
import fastbox
import power
import pytest
import roots
from needs import missing, needs, needs_root
from terminal import Caller, within

pytestmark = pytest.mark.both_ways

USER = 54321


_DROP = ["setpriv", "--reuid", str(USER), "--regid", str(USER), "--clear-groups"]


def _as_user(command: list[str], **more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*_DROP, *command], capture_output=True, text=True, timeout=60, **more)


class User:
    """A home, and fastbox as this user calls it."""

    def __init__(self, home: Path, python: str) -> None:
        self.home = home
        self._python = python
        self._environment = {
            "HOME": str(home),
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONPATH": str(Path(fastbox.__file__).parents[1]),
            "PYTHONDONTWRITEBYTECODE": "1",
            # Short, and not the one of another run of these tests.
            "XDG_RUNTIME_DIR": str(home),
        }

    def fastbox(self, *args: str, **more: object) -> subprocess.CompletedProcess[str]:
        return self.python("-m", "fastbox", *args, **more)

    def caller(self, *args: str) -> Caller:
        """The same on a terminal."""
        command = [*_DROP, self._python, "-m", "fastbox", *args]
        return Caller(command, env=self._environment, cwd=self.home)

    def python(self, *args: str, **more: object) -> subprocess.CompletedProcess[str]:
        if "input" not in more:
            more.setdefault("stdin", subprocess.DEVNULL)
        command = [self._python, *args]
        return _as_user(command, env=self._environment, cwd=self.home, **more)


@pytest.fixture(scope="module")
def user() -> Iterator[User]:
    needs_root()
    needs("setpriv")
    home = Path(tempfile.mkdtemp(prefix="fastbox-user-"))
    os.chown(home, USER, USER)
    check = "import sys; sys.exit(sys.version_info < (3, 11))"
    for python in (sys.executable, "/usr/bin/python3"):
        try:
            if _as_user([python, "-c", check], cwd=home).returncode == 0:
                break
        except PermissionError:
            continue
    else:
        missing("no Python 3.11 or later that an ordinary user may run")
    yield User(home, python)
    while home.exists():  # the last watchdog may still be at it
        shutil.rmtree(home, ignore_errors=True)


def test_host_image(user: User) -> None:
    done = user.fastbox("run", "host", "sh", "-c", "id -u; echo $$; hostname; exit 3")
    assert done.returncode == 3, done
    number, pid, hostname = done.stdout.split()
    assert (number, pid, len(hostname)) == ("0", "1", 12)


def test_notes_say_what_is_missing(user: User) -> None:
    done = user.fastbox("run", "host", "true")
    assert done.returncode == 0
    assert done.stderr.startswith("fastbox: note: ")
    quiet = user.fastbox("run", "--quiet", "host", "true")
    assert quiet.stderr == ""
    cli.refused(user.fastbox("run", "--strict", "host", "true"), 125, "strict")


def test_imported_image(user: User) -> None:
    with roots.busybox().open("rb") as archive:
        done = user.fastbox("import", "-", "box", stdin=archive)
    assert done.returncode == 0, done
    assert "box" in user.fastbox("images").stdout
    run = user.fastbox(
        "run", "-i", "-q", "box", "sh", "-c", "cat; touch /new; ls /new", input="in\n"
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "in\n/new\n", "")
    power.fails(user.home / ".local/share/fastbox")
    run = user.fastbox("run", "-q", "box", "cat", "/etc/group")
    assert (run.returncode, run.stdout.splitlines()[0]) == (0, "root:x:0:"), run
    assert user.fastbox("rmi", "box").returncode == 0


def test_errors(user: User) -> None:
    cli.refused(user.fastbox("run", "-q", "host", "no-such-program"), 127, "no-such-program")
    cli.refused(user.fastbox("run", "-q", "no-such-image", "true"), 125, "no such image")


def test_timeout_kills_all(user: User) -> None:
    done = user.fastbox("run", "-q", "--timeout", "0.5", "host", "sh", "-c", "sleep 77 & sleep 77")
    assert done.returncode == 124
    assert _as_user(["pgrep", "-u", str(USER), "sleep"]).stdout == ""


def test_demo(user: User) -> None:
    done = user.python("-m", "fastbox.demo")
    assert done.returncode == 0, done
    assert "in a container" in done.stdout
    assert "note: " in done.stdout


def test_nothing_stays(user: User) -> None:
    assert user.fastbox("run", "-q", "host", "true").returncode == 0
    left = [path for path in user.home.rglob("*") if len(path.name) == 64 and path.is_dir()]
    assert not [path for path in left if "layers" not in path.parts]


def test_doctor_and_info(user: User) -> None:
    done = user.fastbox("doctor")
    assert done.returncode == 0, done
    assert f"no range for {USER} in /etc/subuid" in done.stdout
    assert f"usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {USER}" in done.stdout
    rows = dict(line.split(": ", 1) for line in user.fastbox("info").stdout.splitlines())
    assert rows["User"] == "an ordinary one"
    assert rows["Root"].startswith(str(user.home))


def test_a_terminal(user: User) -> None:
    script = "stty size; tty; read x; echo got $x >/dev/tty; exit 4"
    with user.caller("run", "-q", "-it", "host", "sh", "-c", script) as caller:
        caller.expect("24 80\r\n/dev/pts/0\r\n")
        assert within(60, caller.is_raw)
        caller.send("typed\n")
        caller.expect("got typed\r\n")
        assert caller.end()[0] == 4
        assert caller.settings() == caller.before


def test_a_terminal_after_kill_9(user: User) -> None:
    with user.caller("run", "-q", "-it", "host", "sh", "-c", "echo ready; read x") as caller:
        caller.expect("ready")
        assert within(60, caller.is_raw)
        caller.kill(signal.SIGKILL)
        assert within(60, lambda: caller.settings() == caller.before)


def test_bench(user: User) -> None:
    """What works for an ordinary user is measured, and the rest is named with its reason."""
    needs("bwrap", "runc")
    done = user.fastbox("bench", "--rounds", "2")
    assert done.returncode == 0, done
    for name in ("bare process", "fastbox from Python", "bwrap --unshare-all"):
        assert f"| {name} |" in done.stdout
    assert "absent: runc run (needs root)" in done.stdout
