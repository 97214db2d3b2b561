"""Answers each line of its standard input, the name of a way to run, with the seconds of one run.

Usage: python -P worker.py IMAGE COMMAND [ARG...]
It runs in the Python of whatever version is measured, so it imports nothing but that fastbox, and
uses of it only what every version has. A line that begins with `error:` says what went wrong.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import fastbox

# Containers that a pool has waiting before the clock starts.
READY = 2


class Worker:
    """The ways to run one command in one image; each is prepared when it is first asked for."""

    def __init__(self, image: str, command: list[str]) -> None:
        self.image = image
        self.command = command
        self.prepared: dict[str, Callable[[], float]] = {}

    def once(self, way: str) -> float:
        """Seconds of one run."""
        if way not in self.prepared:
            ways = {"cold": self.cold, "pool": self.pool, "command": self.whole}
            self.prepared[way] = ways[way]()
        return self.prepared[way]()

    def cold(self) -> Callable[[], float]:
        """From a Plan: the whole container is made at the request."""
        plan = fastbox.prepare(self.image)
        return lambda: self.timed(lambda: plan.run(self.command).exit_code)

    def pool(self) -> Callable[[], float]:
        """From a Pool; it is full again before anything else is measured."""
        pool = fastbox.Pool(self.image, READY)

        def run() -> float:
            while pool.waiting < READY:
                time.sleep(0.001)
            took = self.timed(lambda: pool.run(self.command).exit_code)
            while pool.waiting < READY:
                time.sleep(0.001)
            return took

        return run

    def whole(self) -> Callable[[], float]:
        """The command of the shell, as a whole process."""
        program = str(Path(sys.executable).with_name("fastbox"))
        words = [program, "run", "--rm", "--network", "none", self.image, *self.command]

        def run() -> int:
            pid = os.posix_spawn(program, words, os.environ)
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

        return lambda: self.timed(run)

    def timed(self, run: Callable[[], int]) -> float:
        """Seconds of a call that gives an exit code."""
        began = time.perf_counter()
        code = run()
        took = time.perf_counter() - began
        if code != 0:
            raise RuntimeError(f"{' '.join(self.command)} ended with exit code {code}")
        return took


def answer(worker: Worker) -> None:
    """Answers until standard input ends."""
    for line in sys.stdin:
        try:
            print(worker.once(line.strip()), flush=True)
        except Exception as error:
            print(f"error: {type(error).__name__}: {error}".replace("\n", " "), flush=True)


if __name__ == "__main__":
    answer(Worker(sys.argv[1], sys.argv[2:]))
