"""Completion: what can stand where, and bash, zsh and fish asking for it."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import cli
import pytest
from fastbox.cli._complete import complete
from fastbox.cli._verbs import VERBS
from fastbox.command import option_table
from needs import needs


def words(*line: str) -> list[str]:
    return [word for word, _ in complete([*line])]


def test_commands() -> None:
    assert {verb.split()[0] for verb in VERBS} <= {*words("")}
    assert words("ima") == ["image", "images"]
    assert "inspect" in words("image", "")
    assert words("help", "imp") == ["import"]
    assert words("no-such-command", "") == []


def test_global_flags() -> None:
    assert words("--log") == ["--log-level"]
    assert words("--log-level", "de") == ["debug"]
    assert words("--log-level=de") == ["--log-level=debug"]
    assert "images" in words("--root", "/x", "-D", "im")
    assert words("-D", "run", "--memor")[0] == "--memory"


def test_every_flag_of_run() -> None:
    flags = {f"--{row['flag']}" for row in option_table() if row["side"] != "python"}
    assert flags | {"--help"} == {word for word in words("run", "-") if word.startswith("--")}
    assert {"-m", "-e", "-v"} <= {*words("run", "-")}


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (["run", "--network", ""], ["none", "host"]),
        (["run", "--network=h"], ["--network=host"]),
        (["run", "-i", "--preset", "u"], ["untrusted"]),
        (["run", "-m", "1g", "--userns", "a"], ["auto"]),
        (["run", "-im", "1g", "--read"], ["--read-only"]),
        (["run", "-im1g", "--read"], ["--read-only"]),
        (["run", "--memory=1g", "--read"], ["--read-only"]),
        (["run", "-m", ""], []),
        (["run", "-w", "/et"], []),
        (["run", "host", "--ne"], []),
        (["run", "--", "hos"], ["host"]),
        (["rmi", "--for"], ["--force"]),
        (["completion", "z"], ["zsh"]),
        (["completion", "zsh", ""], []),
    ],
)
def test_values(line: list[str], found: list[str]) -> None:
    assert words(*line) == found


def test_images(busybox: str) -> None:
    for line in (["run", "-i"], ["rmi", "-f"], ["image", "inspect"], ["rmi", "other"]):
        assert "busybox:latest" in words(*line, "busy"), line
        assert "host" in words(*line, "")
    assert words("run", "busybox", "busy") == []


def test_files_and_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "root.tar").write_text("")
    (tmp_path / "roots").mkdir()
    assert words("import", f"{tmp_path}/ro") == [f"{tmp_path}/root.tar", f"{tmp_path}/roots/"]
    assert words("run", "-v", f"{tmp_path}/roots") == [f"{tmp_path}/roots/"]
    monkeypatch.setenv("A_VARIABLE_OF_OURS", "1")
    assert words("run", "-e", "A_VARIABLE_OF") == ["A_VARIABLE_OF_OURS"]
    monkeypatch.chdir(tmp_path)
    assert words("--root", "ro") == ["roots/"]
    assert words("--root=ro") == ["--root=roots/"]


def test_an_error_is_silent(tmp_path: Path) -> None:
    environment = {**os.environ, "FASTBOX_ROOT": "relative"}
    done = cli.fastbox("__complete", "run", "bus", env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("shell", ["bash", "fish", "zsh"])
def test_script(shell: str) -> None:
    done = cli.fastbox("completion", shell)
    assert done.returncode == 0
    needs(shell)
    subprocess.run([shell, "-n"], input=done.stdout, text=True, check=True)
    cli.refused(cli.fastbox("completion", "csh"), 125, "csh")


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH on which `fastbox` is this one."""
    program = tmp_path / "bin" / "fastbox"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m fastbox "$@"\n')
    program.chmod(0o755)
    return f"{program.parent}:{os.environ['PATH']}"


SETUP = {
    "bash": (
        ["bash", "--norc", "--noprofile", "-i"],
        "bind 'set enable-bracketed-paste off'; PS1='$ '; source <(fastbox completion bash)\n",
    ),
    "zsh": (
        ["zsh", "-f", "-i"],
        "PS1='$ '; autoload -Uz compinit; compinit -u -D; source <(fastbox completion zsh)\n",
    ),
}


class Typed:
    """A shell on a terminal of its own, in which somebody types."""

    def __init__(self, shell: str, path: str, home: Path) -> None:
        argv, setup = SETUP[shell]
        self.seen = ""
        environment = {**os.environ, "PATH": path, "TERM": "dumb", "HOME": str(home)}
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            os.execvpe(argv[0], argv, environment)
        self.type(setup)
        self.type("echo rea''dy\n")
        self.until("ready\r")

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def until(self, text: str) -> None:
        """Reads until the text is on the screen."""
        deadline = time.monotonic() + 30
        while text not in self.seen:
            left = deadline - time.monotonic()
            assert left > 0, f"{text!r} did not come: {self.seen!r}"
            if select.select([self._terminal], [], [], left)[0]:
                new = os.read(self._terminal, 65536).decode(errors="replace")
                self.seen += new.replace("\a", "")  # the bell, where several are possible

    def completes(self, begun: str, whole: str) -> None:
        """Types, asks for completion, and leaves the line."""
        self.seen = ""
        self.type(f"{begun}\t")
        self.until(whole)
        self.type("\x15")

    def close(self) -> None:
        os.close(self._terminal)
        os.waitpid(self._pid, 0)


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_tabulator(shell: str, path: str, busybox: str, tmp_path: Path) -> None:
    needs(shell)
    typed = Typed(shell, path, tmp_path)
    try:
        typed.completes("fastbox imag", "fastbox image")
        typed.completes("fastbox run --inter", "fastbox run --interactive ")
        typed.completes("fastbox run --network n", "fastbox run --network none ")
        typed.completes("fastbox run --network=n", "fastbox run --network=none ")
        typed.completes("fastbox run -i busybox:l", "fastbox run -i busybox:latest ")
        typed.completes("fastbox run -v /usr/shar", "fastbox run -v /usr/share/")
        typed.completes("fastbox image insp", "fastbox image inspect ")
    finally:
        typed.close()


def test_fish(path: str, busybox: str, tmp_path: Path) -> None:
    needs("fish")

    def asked(line: str) -> list[str]:
        script = f"fastbox completion fish | source; complete -C '{line}'"
        environment = {**os.environ, "PATH": path, "HOME": str(tmp_path)}
        done = subprocess.run(
            ["fish", "--no-config", "-c", script], capture_output=True, env=environment, text=True
        )
        return [row.split("\t")[0] for row in done.stdout.splitlines()]

    assert asked("fastbox imag") == ["image", "images"]
    assert asked("fastbox run --inter") == ["--interactive"]
    assert asked("fastbox run --network=n") == ["--network=none"]
    assert asked("fastbox run -i busybox:l") == ["busybox:latest"]
    assert asked("fastbox run -v /usr/shar") == ["/usr/share/"]
