"""How many programs a second: bare processes, and containers, with several callers at once."""

from __future__ import annotations

import random
import statistics
import subprocess
import threading
import time
from collections.abc import Callable

CALLERS = (2, 4, 8)
# What it takes to start eight callers before they begin together.
START_SECONDS = 0.2
READY = 16


def rates(
    image: str, program: str, bare: str, rounds: int, seed: int, seconds: float = 1.0
) -> dict[str, dict[int, float]]:
    """Programs a second, by way and number of callers: medians of slices of time in random order.

    `program` is the same program on the host, `bare` spawns it (rust/engine/examples/bare.rs).
    """
    import fastbox

    plan = fastbox.prepare(image)
    with fastbox.Pool(plan, READY) as pool:
        ways: dict[str, Callable[[int], float]] = {
            "bare": lambda callers: _processes([bare, program], callers, seconds),
            "pool": lambda callers: _threads(lambda: pool.run(["/bin/true"]), callers, seconds),
            "cold": lambda callers: _threads(lambda: plan.run(["/bin/true"]), callers, seconds),
        }
        slices: dict[tuple[str, int], list[float]] = {
            (way, callers): [] for way in ways for callers in CALLERS
        }
        chance = random.Random(seed)
        for _ in range(rounds):
            for way, callers in chance.sample(sorted(slices), len(slices)):
                slices[way, callers].append(ways[way](callers))
    return {
        way: {callers: statistics.median(slices[way, callers]) for callers in CALLERS}
        for way in ways
    }


def _processes(words: list[str], callers: int, seconds: float) -> float:
    start = time.monotonic() + START_SECONDS
    caller, program = words
    command = [caller, str(start), str(seconds), program]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(callers)]
    return sum(int(one.communicate()[0]) for one in running) / seconds


def _threads(run: Callable[[], object], callers: int, seconds: float) -> float:
    counts: list[int] = []
    start = time.monotonic() + 0.05
    threads = [
        threading.Thread(target=lambda: counts.append(_count(run, start, seconds)))
        for _ in range(callers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(counts) < callers:
        raise RuntimeError("a caller failed")
    return sum(counts) / seconds


def _count(run: Callable[[], object], start: float, seconds: float) -> int:
    time.sleep(max(start - time.monotonic(), 0))
    ended = 0
    while True:
        run()
        if time.monotonic() > start + seconds:
            return ended
        ended += 1
