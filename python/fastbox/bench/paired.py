"""Two versions, or two images, measured in the same rounds: `compare`.

Three processes take part: one of the base, a second one of the same base, and one of what is
compared with it (head). Every round asks each once, in an order shuffled anew; every set of rounds
has new processes. There are as many sets as it takes to know both ratios well enough, or as fit
into the time allowed.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fastbox.bench.ratio import Verdict, paired, ratio
from fastbox.exceptions import FastboxError

WORKER = Path(__file__).with_name("worker.py")
WAYS = ("cold", "pool", "command")
# A ratio is known well enough when its interval reaches this far to either side.
CLOSE = 0.02
SECONDS = 60.0
ROUNDS = 40
WARM_UPS = 3
# It is looked at after so many sets, an interval of fewer says little, and after each few more.
LEAST_SETS = 12
LOOK_EVERY = 4


@dataclass(frozen=True)
class Side:
    """One of the two that are compared."""

    name: str
    image: str
    command: Sequence[str]
    python: str = sys.executable
    environment: Mapping[str, str] = field(default_factory=dict)
    worker: Path = WORKER


@dataclass(frozen=True)
class Compared:
    """What came out for one way to run: times in seconds, a list for each set of rounds."""

    way: str
    base: list[list[float]] = field(default_factory=list)
    again: list[list[float]] = field(default_factory=list)
    head: list[list[float]] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """Slower, faster or the same."""
        return paired(self.base, self.again, self.head)

    @property
    def known(self) -> bool:
        """Whether more sets would not tell much more."""
        count = len(self.base)
        if count < LEAST_SETS or count % LOOK_EVERY:
            return False
        return all(ratio(other, self.base).width <= CLOSE for other in (self.again, self.head))


Ask = Callable[[str], float]


def compare(
    base: Side,
    head: Side,
    ways: Sequence[str] = WAYS,
    seed: int = 0,
    seconds: float = SECONDS,
) -> list[Compared]:
    """Measures each way to run for `seconds` at most, but 12 sets. Raises FastboxError."""
    chance = random.Random(seed)
    results = []
    for way in ways:
        compared = Compared(way)
        end = time.monotonic() + seconds
        while not compared.known and (time.monotonic() < end or len(compared.base) < LEAST_SETS):
            times = _set(base, head, way, chance)
            for taken, kept in zip(
                times, (compared.base, compared.again, compared.head), strict=True
            ):
                kept.append(taken)
        results.append(compared)
    return results


def _set(base: Side, head: Side, way: str, chance: random.Random) -> list[list[float]]:
    """One set of rounds: times of the base, of its copy and of the head."""
    with ExitStack() as stack:
        sides = list(enumerate((base, base, head)))
        chance.shuffle(sides)  # no side always starts first
        asks = {place: stack.enter_context(_worker(side)) for place, side in sides}
        times: list[list[float]] = [[] for _ in asks]
        order = list(asks)
        for number in range(-WARM_UPS, ROUNDS):
            chance.shuffle(order)
            for place in order:
                took = asks[place](way)
                if number >= 0:
                    times[place].append(took)
    return times


@contextmanager
def _worker(side: Side) -> Iterator[Ask]:
    # -P: the folder of the worker is no place to import from.
    command = [side.python, "-P", str(side.worker), side.image, *side.command]
    environment = {**os.environ, **side.environment}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment) as process:
        requests, answers = process.stdin, process.stdout
        assert requests is not None
        assert answers is not None

        def ask(way: str) -> float:
            try:
                print(way, file=requests, flush=True)
            except BrokenPipeError:
                raise FastboxError(f"{side.name}: {side.python} has ended") from None
            line = answers.readline().strip()
            if line.startswith("error: ") or not line:
                said = line.removeprefix("error: ") or f"{side.python} has ended"
                raise FastboxError(f"{side.name}, {way}: {said}")
            return float(line)

        yield ask
        requests.close()
