"""A start costs a large process about what it costs a small one."""

from __future__ import annotations

import random
import statistics
from pathlib import Path

import document
from asked import ask
from caller import command
from fastbox.bench import report

MOST_TIMES = 1.3
# Fewer rounds show that it runs, and say too little about time to be held to it.
ENOUGH_ROUNDS = 100


def test_large_caller_against_small(image: str, rounds: int) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    results = ask({size: command(image, size) for size in ("small", "large")}, rounds, seed)
    ratio = statistics.median(results["large"]) / statistics.median(results["small"])
    extra = {size: {"seed": seed, "ratio_of_medians": ratio} for size in results}
    written = document.document("caller size", results, extra)
    document.write(Path(".benchmarks/caller_size.json"), written)
    print(f"large ÷ small: {ratio:.2f}")
    print(report.side_by_side(results, ["small"]))
    if rounds >= ENOUGH_ROUNDS:
        assert ratio <= MOST_TIMES
