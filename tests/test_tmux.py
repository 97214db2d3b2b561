"""A real terminal emulator: tmux shows what a user would see."""

from __future__ import annotations

import hashlib
import random
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli import command
from needs import needs
from terminal import within


class Tmux:
    """A server of its own with one window."""

    def __init__(self, home: Path) -> None:
        self._socket = home / "tmux"

    def __call__(self, *words: str) -> str:
        line = ["tmux", "-S", str(self._socket), "-f", "/dev/null", *words]
        return subprocess.run(line, check=True, capture_output=True, text=True).stdout

    def start(self, *words: str) -> None:
        """Runs `fastbox run WORDS` in it; what stays when that has ended is seen."""
        line = shlex.join(command("run", "-q", *words))
        self("new-session", "-d", "-x", "100", "-y", "30", f"{line}; echo code $?; exec sleep 600")

    def keys(self, *keys: str) -> None:
        self("send-keys", *keys)

    def text(self) -> str:
        return self("capture-pane", "-p", "-J")

    def shows(self, text: str) -> None:
        """Waits until it is on the screen."""
        assert within(60, lambda: text in self.text()), self.text()


@pytest.fixture
def tmux(tmp_path: Path, busybox: str) -> Iterator[Tmux]:
    needs("tmux")
    server = Tmux(tmp_path)
    try:
        yield server
    finally:
        server("kill-server")


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A directory that the container writes to."""
    path = tmp_path / "shared"
    path.mkdir()
    return path


def test_vi(tmux: Tmux, shared: Path) -> None:
    (shared / "text").write_text("one\ntwo\n")
    tmux.start("-it", "-v", f"{shared}:/s", "busybox", "vi", "/s/text")
    tmux.shows("two\n~")
    tmux.keys("G", "o", "three", "Escape")
    tmux.shows("three\n~")
    tmux("resize-window", "-x", "60", "-y", "15")
    tmux.keys("g", "g", "i", "zero ", "Escape")
    tmux.shows("zero one")
    tmux.keys(":wq", "Enter")
    tmux.shows("code 0")
    assert (shared / "text").read_text() == "zero one\ntwo\nthree\n"


def test_the_window_is_resized(tmux: Tmux) -> None:
    script = "trap 'stty size' WINCH; trap 'exit 0' INT; stty size; while :; do sleep 0.05; done"
    tmux.start("-it", "busybox", "sh", "-c", script)
    tmux.shows("30 100")
    tmux("resize-window", "-x", "70", "-y", "20")
    tmux.shows("20 70")
    tmux("resize-window", "-x", "133", "-y", "50")
    tmux.shows("50 133")
    tmux.keys("C-c")
    tmux.shows("code 0")


@pytest.mark.parametrize("shell", [("host", "bash", "--norc"), ("busybox", "sh")])
def test_jobs(tmux: Tmux, shell: tuple[str, ...]) -> None:
    tmux.start("-it", "-e", "PS1=ready> ", *shell)
    tmux.shows("ready>")
    assert "job control" not in tmux.text()
    tmux.keys("echo; echo a; cat", "Enter")
    tmux.shows("\na\n")
    tmux.keys("one", "Enter")
    tmux.shows("one\none")
    tmux.keys("C-c")
    tmux.shows("^C\nready>")
    tmux.keys("echo $((6*7))", "Enter")
    tmux.shows("\n42")
    tmux.keys("echo; echo b; cat", "Enter")
    tmux.shows("\nb\n")
    tmux.keys("two", "Enter")
    tmux.shows("two\ntwo")
    tmux.keys("C-z")
    tmux.shows("Stopped")
    tmux.keys("fg", "Enter")
    tmux.shows("fg\ncat\n")
    tmux.keys("back again", "Enter")
    tmux.shows("back again\nback again")
    tmux.keys("C-d")
    tmux.shows("back again\nready>")
    tmux.keys("exit 7", "Enter")
    tmux.shows("code 7")


def test_a_paste_of_ten_megabytes(tmux: Tmux, shared: Path, dice: random.Random) -> None:
    lines = ["".join(dice.choices("abcdefghijklmnop ", k=99)) for _ in range((10 << 20) // 100)]
    text = "".join(f"{line}\n" for line in lines)
    (shared / "pasted").write_text(text)
    script = "stty -echo; echo ready; cat > /s/taken; md5sum < /s/taken"
    tmux.start("-it", "-v", f"{shared}:/s", "busybox", "sh", "-c", script)
    tmux.shows("ready")
    tmux("load-buffer", str(shared / "pasted"))
    tmux("paste-buffer")
    assert within(300, lambda: (shared / "taken").stat().st_size == len(text)), tmux.text()
    tmux.keys("C-d")
    tmux.shows(hashlib.md5(text.encode()).hexdigest())
    tmux.shows("code 0")
