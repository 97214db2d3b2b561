"""The command `fastbox`: a native program that runs containers itself, and hands the rest over."""

from __future__ import annotations

import os
import random
import shlex
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import cli
import fastbox.cli
import pytest
from audit import Audit
from killing import pauses, until
from test_bad import LINES

LAUNCHER = Path(sys.executable).with_name("fastbox")
PYTHON = Path(sys.executable).with_name("fastbox-cli")
# What the programs of the container and of the launcher are told apart by.
TOLD = "fastbox-cli was here"


@pytest.fixture
def alone(tmp_path: Path) -> Path:
    """The launcher beside a `fastbox-cli` that tells what it was given, and nothing else."""
    launcher = tmp_path / "bin" / "fastbox"
    launcher.parent.mkdir()
    launcher.write_bytes(LAUNCHER.read_bytes())
    launcher.chmod(0o755)
    told = tmp_path / "bin" / "fastbox-cli"
    told.write_text(f'#!/bin/sh\necho "{TOLD}"; printf "<%s>" "$@"; echo; ls /proc/self/fd\n')
    told.chmod(0o755)
    return launcher


def said(*command: str | Path, **more: object) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=60, **more)
    return done.stdout + done.stderr


def left(audit: Audit) -> list[str]:
    """What carries our names; the session's end looks for namespaces too."""
    return [*audit.mounts(), *audit.cgroups(), *audit.processes(), *audit.directories()]


@pytest.mark.parametrize(
    "words",
    [
        "",
        "--help",
        "--version",
        "run --help",
        "run",
        "run --bogus host true",
        "run -m lots host true",
        "run -p 80:80 host true",
        "run -t host true",
        "run -it host true",
        "--bogus run host true",
        "--root",
        "-l loud run host true",
        "images",
        "container run host true",
        "rnu host true",
        "__complete run",
    ],
)
def test_what_it_does_not_know_it_hands_over(alone: Path, words: str) -> None:
    """Untouched, and before anything was done."""
    args = shlex.split(words)
    home = alone.parents[1] / "store"
    environment = {**os.environ, "FASTBOX_ROOT": str(home / "root"), "FASTBOX_RUN": str(home)}
    lines = said(alone, *args, env=environment).splitlines()
    assert lines[0] == TOLD
    assert lines[1] == "".join(f"<{arg}>" for arg in args) or (not args and lines[1] == "<>")
    assert lines[2:] == ["0", "1", "2", "3"]  # 3 is ls's own
    assert not home.exists()


def test_the_rest_needs_nothing_beside_it(alone: Path, busybox: str) -> None:
    """No Python, and no program but the launcher itself."""
    (alone.parent / "fastbox-cli").unlink()
    for args in (["run"], ["-l", "error", "run", "--init"], ["run", "-q", "--rm", "-m", "64m"]):
        done = subprocess.run([alone, *args, busybox, "echo", "hello"], capture_output=True)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"hello\n", b"")
    assert "fastbox-cli, a part of fastbox" in said(alone, "images")


def test_through_a_link(alone: Path, tmp_path: Path) -> None:
    link = tmp_path / "elsewhere"
    link.symlink_to(alone)
    assert said(link, "images").startswith(TOLD)


def test_installed_beside_python() -> None:
    for program in (LAUNCHER, PYTHON):
        assert stat.S_IMODE(program.stat().st_mode) & 0o111 == 0o111, program
    assert LAUNCHER.read_bytes()[:4] == b"\x7fELF"


def test_the_same_words_for_every_mistake(busybox: str, capsys: pytest.CaptureFixture[str]) -> None:
    """By both ways, whether it is one of the words or shows only at the start."""
    for args, _ in LINES:
        words = shlex.split(args)
        done = subprocess.run([LAUNCHER, *words], capture_output=True, text=True, timeout=60)
        if args.startswith("-"):  # settings are read once in a process
            other = subprocess.run(
                [*cli.WAYS["python"], *words], capture_output=True, text=True, timeout=60
            )
            code, out, error = other.returncode, other.stdout, other.stderr
        else:
            code = fastbox.cli.main(words)
            out, error = capsys.readouterr()
        assert (done.returncode, done.stdout, done.stderr) == (code, out, error), args


def test_killed_it_leaves_nothing(busybox: str, audit: Audit) -> None:
    before = set(left(audit))  # a daemon of Docker's that tests compare with, for example
    command = [LAUNCHER, "run", busybox, "sh", "-c", "echo ready; sleep 600"]
    with subprocess.Popen(command, stdout=-1, stdin=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGKILL)
        assert process.wait(timeout=20) == -signal.SIGKILL
        # Closed by the container's end, and by nobody before: the watchdog has no copy.
        assert process.stdout.read() == b""
    assert until(lambda: set(left(audit)) <= before), left(audit)


def test_its_output_ends_with_it(busybox: str) -> None:
    """Nothing that outlives it, such as the watchdog, holds the pipe open."""
    reading, writing = os.pipe()
    done = subprocess.run([LAUNCHER, "run", busybox, "true"], stdout=writing, timeout=60)
    os.close(writing)
    assert (done.returncode, os.read(reading, 1)) == (0, b"")
    os.close(reading)


def test_size_and_start(alone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Small; how long it takes to hand over is said, since that depends on the machine."""
    size = LAUNCHER.stat().st_size
    (alone.parent / "fastbox-cli").unlink()
    took = []
    for _ in range(20):
        began = time.perf_counter()
        subprocess.run([alone, "images"], stderr=subprocess.DEVNULL)
        took.append(time.perf_counter() - began)
    with capsys.disabled():
        print(f" [{size >> 10} KiB, starts in {min(took) * 1000:.2f} ms] ", end="")
    assert size < 8 << 20


def test_killed_at_any_step_it_leaves_nothing(
    busybox: str, audit: Audit, dice: random.Random
) -> None:
    """Steps are those of a plan; before and between them the kill comes at a random moment."""
    before = set(left(audit))
    command = [LAUNCHER, "run", "--rm", "-v", "/usr:/u:ro", busybox, "true"]
    for step in dice.sample(range(50), 6):
        environment = {**os.environ, "FASTBOX_TEST_PAUSE_AT": str(step)}
        with subprocess.Popen(command, env=environment) as process:
            until(lambda: pauses(process.pid) or process.poll() is not None)
            process.kill()
    for _ in range(20):
        with subprocess.Popen(command) as process:
            time.sleep(dice.uniform(0, 0.01))
            process.kill()
    assert until(lambda: set(left(audit)) <= before), left(audit)
