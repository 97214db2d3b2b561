"""Processes that answer each line of their input with seconds, asked in shuffled rounds."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

WARM_UPS = 3


def ask(
    commands: Mapping[str, Sequence[str | Path]], rounds: int, seed: int
) -> dict[str, list[float]]:
    """The seconds that each of the commands answered with."""
    chance = random.Random(seed)
    results: dict[str, list[float]] = {name: [] for name in commands}
    pipe = subprocess.PIPE
    with ExitStack() as stack:
        callers = {
            name: stack.enter_context(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True))
            for name, command in commands.items()
        }
        for number in range(-WARM_UPS, rounds):
            for name in chance.sample(sorted(callers), len(callers)):
                caller = callers[name]
                assert caller.stdin is not None
                assert caller.stdout is not None
                try:
                    print(file=caller.stdin, flush=True)
                    answer = caller.stdout.readline()
                except BrokenPipeError:
                    answer = ""
                if not answer:
                    raise SystemExit(f"the caller “{name}” has ended")
                if number >= 0:
                    results[name].append(float(answer))
    return results
