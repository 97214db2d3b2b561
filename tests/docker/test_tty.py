"""The same keys typed at both, and the same bytes shown."""

from __future__ import annotations

import re
import signal
import subprocess

import pytest
from compare import Both
from terminal import PATIENCE, Caller, within

flag = pytest.mark.docker_flag

WAIT = "while :; do sleep 0.05; done"


class Shown:
    """What one of the two made of it."""

    def __init__(self, both: Both, line: list[str], steps: list[tuple[str, object]]) -> None:
        with Caller(line, rows=30, columns=100, env=both.environment) as caller:
            self.parts: list[str] = []
            for pattern, then in steps:
                self.parts.append(caller.expect(pattern))
                if isinstance(then, signal.Signals):
                    caller.kill(then)
                elif isinstance(then, tuple):
                    caller.resize(*then)
                elif then is not None:
                    # Both clients make the terminal raw a little after the program has begun.
                    assert within(PATIENCE, lambda: caller.is_raw() or "-i" not in line)
                    caller.send(str(then))
            self.code, rest = caller.end()
            self.parts.append(rest)
            self.restored = caller.settings() == caller.before


def same(both: Both, *words: str, steps: list[tuple[str, object]]) -> Shown:
    """Checks exit code, bytes, and that the terminal is as before."""
    docker, fastbox = (Shown(both, line, steps) for line in both.commands(*words))
    assert (docker.code, docker.parts) == (fastbox.code, fastbox.parts)
    assert docker.restored
    assert fastbox.restored
    return fastbox


@flag("tty", "interactive")
def test_names_and_environment(both: Both) -> None:
    script = "tty; ls -1 /dev/pts; stat -c '%t:%T %u:%g %a' /dev/pts/0 /dev/console; echo $TERM"
    script += (
        "; for fd in 0 1 2; do readlink /proc/self/fd/$fd; done; cut -d' ' -f5-8 /proc/$$/stat"
    )
    script += "; stty -g; echo err >&2; exit 3"
    for words in (["-it"], ["-t"], ["-it", "-u", "user"], ["-it", "-e", "TERM=vt100"]):
        assert same(both, *words, "IMAGE", "sh", "-c", script, steps=[]).code == 3


@flag("tty", "interactive")
def test_typing(both: Both) -> None:
    script = "echo ready; read x; echo got $x; cat; exit 4"
    steps = [("ready\r\n", "typed\n"), ("got typed\r\n", "more\n"), ("more\r\nmore\r\n", "\x04")]
    assert same(both, "-it", "IMAGE", "sh", "-c", script, steps=steps).code == 4


@flag("tty", "interactive")
@pytest.mark.parametrize(("key", "name"), [("\x03", "INT"), ("\x1c", "QUIT"), ("\x1a", "TSTP")])
def test_keys_that_are_signals(both: Both, key: str, name: str) -> None:
    script = f"trap 'echo {name}; exit 5' {name}; echo ready; {WAIT}"
    steps: list[tuple[str, object]] = [("ready\r\n", key), (f"{name}\r\n", None)]
    assert same(both, "-it", "IMAGE", "sh", "-c", script, steps=steps).code == 5


@flag("tty")
def test_the_size(both: Both) -> None:
    script = f"trap 'stty size' WINCH; trap 'exit 6' USR1; echo ready; {WAIT}"
    steps: list[tuple[str, object]] = [
        ("ready\r\n", (41, 99)),
        ("41 99\r\n", (20, 70)),
        ("20 70\r\n", signal.SIGUSR1),
    ]
    for line in both.commands("-it", "IMAGE", "sh", "-c", script):
        assert Shown(both, line, steps).code == 6


@flag("sig-proxy", "tty")
@pytest.mark.parametrize("words", [["-it"], ["-t"], []])
@pytest.mark.parametrize("name", ["TERM", "INT", "HUP", "USR1", "QUIT"])
def test_signals_are_passed_on(both: Both, words: list[str], name: str) -> None:
    script = f"trap 'echo {name}; exit 7' {name}; echo ready; {WAIT}"
    number = getattr(signal, f"SIG{name}")
    steps: list[tuple[str, object]] = [("ready\r*\n", number), (f"{name}\r*\n", None)]
    assert same(both, *words, "IMAGE", "sh", "-c", script, steps=steps).code == 7


@flag("sig-proxy")
@pytest.mark.parametrize("name", ["TSTP", "CONT", "WINCH"])
def test_stops_are_passed_on_without_a_terminal(both: Both, name: str) -> None:
    script = f"trap 'echo {name}; exit 7' {name}; echo ready; {WAIT}"
    number = getattr(signal, f"SIG{name}")
    for line in both.commands("IMAGE", "sh", "-c", script):
        with subprocess.Popen(line, stdout=subprocess.PIPE, env=both.environment) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            process.send_signal(number)
            assert process.stdout.read() == f"{name}\n".encode()
            assert process.wait() == 7


@flag("detach-keys")
def test_detach_keys(both: Both) -> None:
    script = "echo ready; read x; echo got $x"
    for keys in ("ctrl-a,x", "a", "ctrl-@", "DEL", ""):
        steps: list[tuple[str, object]] = [("ready\r\n", "typed\n")]
        words = ["-it", "--detach-keys", keys]
        shown = same(both, *words, "IMAGE", "sh", "-c", script, steps=steps)
        assert "got typed" in shown.parts[-1]
    for keys in ("ctrl-", "xx", "ctrl-A"):
        # Docker's daemon says so only when it is attached to, and leaves the container behind.
        done = both("-t", "--detach-keys", keys, "IMAGE", "true")
        left = both.docker("ps", "--all", "--quiet", "--filter", "status=created").stdout.split()
        both.docker("rm", *left)
        assert done.docker.code == 1
        assert done.fastbox.code == 125
        assert "detach-keys" in done.fastbox.stderr


@flag("tty", "interactive")
def test_input_that_is_no_terminal(both: Both) -> None:
    done = both("-it", "IMAGE", "true")
    assert done.docker.code == done.fastbox.code == 1
    assert done.fastbox.stderr == f"fastbox: {done.docker.stderr}"
    both("-t", "IMAGE", "sh", "-c", "tty; [ -t 0 ] && echo err >&2").same()


@flag("tty")
def test_escape_sequences_pass(both: Both) -> None:
    shown = same(
        both, "-it", "IMAGE", "sh", "-c", "printf '\\033[31mred\\033[0m\\a\\t|\\r\\n'", steps=[]
    )
    assert re.search("\x1b\\[31mred\x1b\\[0m\a\t\\|\r\r\n", shown.parts[-1])


@flag("tty")
def test_full_output(both: Both) -> None:
    script = "i=0; while [ $i -lt 5000 ]; do echo line $i; i=$((i+1)); done"
    shown = same(both, "-t", "IMAGE", "sh", "-c", script, steps=[])
    assert shown.parts[-1].endswith("line 4999\r\r\n")
