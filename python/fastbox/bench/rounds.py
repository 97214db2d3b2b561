"""Rounds: everything once in each, in an order shuffled anew."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

WARM_UPS = 3


def measure(
    runs: Mapping[str, Callable[[], float]], rounds: int, seed: int
) -> dict[str, list[float]]:
    """What each of the runs returned in each of the rounds, a few before them left out."""
    chance = random.Random(seed)
    results: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(-WARM_UPS, rounds):
        order = list(runs)
        chance.shuffle(order)
        for name in order:
            took = runs[name]()
            if number >= 0:
                results[name].append(took)
    return results
