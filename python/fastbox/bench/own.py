"""fastbox itself, in three ways."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fastbox.bench.clock import spawned
from fastbox.bench.peer import ISOLATES, Bench, Peer, Run
from fastbox.containers import Completed, prepare
from fastbox.exceptions import FastboxError
from fastbox.pool import Pool

READY = 2


class Fastbox(Peer):
    name = "fastbox run"
    isolates = frozenset(ISOLATES)
    note = "the command, everything made at the request"
    command = "fastbox"

    def path(self) -> str:
        """The one of this interpreter's environment."""
        beside = Path(sys.executable).with_name("fastbox")
        return str(beside) if beside.exists() else super().path()

    def missing(self) -> str | None:
        """Only where the package lies somewhere without its command."""
        try:
            self.path()
        except FileNotFoundError:
            return "the command fastbox is not installed"
        return None

    @contextmanager
    def open(self, bench: Bench) -> Iterator[Run]:
        """Nothing is prepared but the image."""
        command = [self.path(), "run", "--rm", "--network", "none", bench.image, *bench.command]
        yield lambda: spawned(command)


class FastboxPython(Fastbox):
    name = "fastbox from Python"
    note = "from a Plan; everything made at the request"

    def missing(self) -> str | None:
        """It is here."""
        return None

    @contextmanager
    def open(self, bench: Bench) -> Iterator[Run]:
        """Of the image and the options there is a Plan."""
        plan = prepare(bench.image)
        yield lambda: timed(lambda: plan.run(bench.command))


class FastboxPool(FastboxPython):
    name = "fastbox pool"
    note = "from a Pool: the container was made ahead, but for its program"

    @contextmanager
    def open(self, bench: Bench) -> Iterator[Run]:
        """The pool is filled outside the clock, so that nobody else is measured meanwhile."""
        with Pool(bench.image, READY) as pool:

            def filled() -> None:
                while pool.waiting < READY:
                    time.sleep(0.001)

            def run() -> float:
                took = timed(lambda: pool.run(bench.command))
                filled()
                return took

            filled()
            yield run


def timed(run: Callable[[], Completed[bytes]]) -> float:
    """Seconds of a run. Raises FastboxError where it does not succeed."""
    began = time.perf_counter()
    done = run()
    took = time.perf_counter() - began
    if done.exit_code != 0:
        raise FastboxError(f"{' '.join(done.args)} ended with exit code {done.exit_code}")
    return took
