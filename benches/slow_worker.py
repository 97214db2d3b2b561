"""A worker whose runs take 10 % longer: what `compare` must find. FASTBOX_BENCH_SLOWER says how
much else, as a part of 1.

Usage as of fastbox/bench/worker.py, which it runs. It waits busily after each run, inside the
clock, for that part of the median of its latest runs.
"""

from __future__ import annotations

import os
import runpy
import statistics
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import fastbox.bench

PART = float(os.environ.get("FASTBOX_BENCH_SLOWER", "0.1"))
worker = runpy.run_path(str(Path(fastbox.bench.__file__).with_name("worker.py")), run_name="worker")


class Slow(worker["Worker"]):
    """The worker, slower."""

    def __init__(self, image: str, command: list[str]) -> None:
        super().__init__(image, command)
        self.latest: deque[float] = deque(maxlen=101)

    def timed(self, run: Callable[[], int]) -> float:
        """Its seconds and the wait's."""
        took = super().timed(run)
        self.latest.append(took)
        began = time.perf_counter()
        end = began + PART * statistics.median(self.latest)
        while time.perf_counter() < end:
            pass
        return took + time.perf_counter() - began


if __name__ == "__main__":
    worker["answer"](Slow(sys.argv[1], sys.argv[2:]))
