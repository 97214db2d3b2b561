"""Terminals that the tests hold the other side of."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import termios
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pexpect
from pexpect import fdpexpect

PATIENCE = 60


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Whether it becomes true in that time."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


class Caller:
    """A terminal with a program on it, in a session of their own."""

    def __init__(
        self, command: Sequence[str | Path], rows: int = 24, columns: int = 80, **more: Any
    ) -> None:
        self.master, self.slave = os.openpty()
        termios.tcsetwinsize(self.slave, (rows, columns))
        self.before = self.settings()
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            **more,
        )
        self.screen = fdpexpect.fdspawn(self.master, timeout=PATIENCE)
        self.screen.delaybeforesend = None

    def settings(self) -> list[Any]:
        """What tcgetattr(3) says of it."""
        return termios.tcgetattr(self.slave)

    def is_raw(self) -> bool:
        """Whether keys are bytes."""
        return not self.settings()[3] & (termios.ICANON | termios.ECHO | termios.ISIG)

    def expect(self, pattern: str) -> str:
        """Reads up to what matches; the text before it."""
        self.screen.expect(pattern)
        return str(self.screen.before.decode(errors="replace"))

    def send(self, text: str | bytes) -> None:
        """Types it."""
        self.screen.send(text)

    def resize(self, rows: int, columns: int) -> None:
        """Another size, of which the foreground is told."""
        termios.tcsetwinsize(self.master, (rows, columns))

    def kill(self, number: int) -> None:
        """A signal for the program."""
        self.process.send_signal(number)

    def end(self) -> tuple[int, str]:
        """Waits for the program's end: exit code, and what it showed until then."""
        shown = b""
        until = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < until, shown
            shown += self._there()
        shown += self._there()
        return self.process.returncode, shown.decode(errors="replace")

    def _there(self) -> bytes:
        try:
            return bytes(self.screen.read_nonblocking(65536, timeout=0.05))
        except pexpect.TIMEOUT:
            return b""

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)
