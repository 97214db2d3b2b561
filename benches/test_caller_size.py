"""A start costs a large process about what it costs a small one."""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import document
from fastbox.bench import report

CALLER = Path(__file__).with_name("caller.py")
MOST_TIMES = 1.3
# Fewer rounds show that it runs, and say too little about time to be held to it.
ENOUGH_ROUNDS = 100
WARM_UPS = 3


def test_large_caller_against_small(image: str, rounds: int) -> None:
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    print(f"seed {seed}")
    results: dict[str, list[float]] = {"small": [], "large": []}
    pipe = subprocess.PIPE
    with ExitStack() as stack:
        callers = {
            size: stack.enter_context(
                subprocess.Popen(
                    [sys.executable, CALLER, image, size], stdin=pipe, stdout=pipe, text=True
                )
            )
            for size in results
        }
        for number in range(-WARM_UPS, rounds):
            for size in chance.sample(sorted(callers), len(callers)):
                caller = callers[size]
                assert caller.stdin is not None
                assert caller.stdout is not None
                print(file=caller.stdin, flush=True)
                took = float(caller.stdout.readline())
                if number >= 0:
                    results[size].append(took)
    ratio = statistics.median(results["large"]) / statistics.median(results["small"])
    extra = {size: {"seed": seed, "ratio_of_medians": ratio} for size in results}
    written = document.document("caller size", results, extra)
    document.write(Path(".benchmarks/caller_size.json"), written)
    print(f"large ÷ small: {ratio:.2f}")
    print(report.side_by_side(results, ["small"], {"large": "500 MB, 10,000 files, 200 threads"}))
    if rounds >= ENOUGH_ROUNDS:
        assert ratio <= MOST_TIMES
