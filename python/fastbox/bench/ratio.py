"""How many times longer one thing takes than another, and what the measurement cannot tell apart.

Times come in rounds: within one, everything is measured once, so that what the machine does
meanwhile strikes all alike, and a round gives one ratio. Rounds come in sets, each with processes
of its own, because two processes of one program differ too: a set gives the median of its rounds'
ratios. The answer is the median of the sets, with a percentile bootstrap interval of 99 % (Efron
1979) over sets. What the measurement itself cannot tell apart comes from the same rounds: a second
copy of the base, measured against the base.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

LEVEL = 0.99
_RESAMPLES = 2_000
# Of how many parts a session is looked at for drift.
_PARTS = 5


@dataclass(frozen=True)
class Ratio:
    """A median of ratios and the interval around it."""

    median: float
    low: float
    high: float

    @property
    def off_one(self) -> float:
        """How far from 1 it may be."""
        return max(self.high - 1, 1 - self.low)

    @property
    def width(self) -> float:
        """How far the interval reaches, to the side where it reaches farther."""
        return max(self.high - self.median, self.median - self.low)

    def __str__(self) -> str:
        return f"{self.median:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True)
class Verdict:
    """Whether something got slower, beyond what two copies of the same differ by."""

    change: Ratio
    # The farthest from 1 that something unchanged was, or may have been.
    margin: float

    @property
    def slower(self) -> bool:
        """A regression."""
        return self.change.low > 1 + self.margin

    @property
    def faster(self) -> bool:
        """The opposite of one."""
        return self.change.high < 1 - self.margin

    @property
    def word(self) -> str:
        """What it comes to."""
        return "SLOWER" if self.slower else "faster" if self.faster else "same"

    @property
    def seen_from(self) -> float:
        """The smallest slowdown that would have been called one, as a part of 1."""
        return self.margin + self.change.median - self.change.low


Sets = Sequence[Sequence[float]]


def ratio(above: Sets, below: Sets) -> Ratio:
    """How many times longer one takes: the sets of both are of the same rounds."""
    return median(
        [
            _middle(sorted(one / other for one, other in zip(*rounds, strict=True)))
            for rounds in zip(above, below, strict=True)
        ]
    )


def median(values: Sequence[float]) -> Ratio:
    """The median of values and its interval. Raises ValueError where there is none."""
    return Ratio(_middle(sorted(values)), *_interval(_resampled(values, random.Random(0))))


def paired(base: Sets, again: Sets, head: Sets) -> Verdict:
    """The same rounds of the base, of its copy and of what is compared with it."""
    return Verdict(ratio(head, base), ratio(again, base).off_one)


def unpaired(base: Sequence[float], head: Sequence[float]) -> Verdict:
    """The rounds of two sessions, each a ratio to something measured in the same round.

    No copy of the base tells the noise here: it is taken from how far a fifth of a session, of
    rounds one after the other, is from the whole. Raises ValueError below 5 rounds.
    """
    chance = random.Random(0)
    quotients = [
        one / other
        for one, other in zip(_resampled(head, chance), _resampled(base, chance), strict=True)
    ]
    change = Ratio(_middle(sorted(head)) / _middle(sorted(base)), *_interval(quotients))
    return Verdict(change, max(_drift(base), _drift(head)))


def _middle(ordered: Sequence[float]) -> float:
    if not ordered:
        raise ValueError("nothing was measured")
    return ordered[(len(ordered) - 1) // 2]


def _resampled(values: Sequence[float], chance: random.Random) -> list[float]:
    """The medians of bootstrap resamples.

    A resample's median is the value whose rank is the middle one of as many random ranks; that one
    follows the beta distribution, so that no resample has to be drawn.
    """
    ordered, count = sorted(values), len(values)
    middle = (count + 1) // 2
    ranks = (chance.betavariate(middle, count + 1 - middle) for _ in range(_RESAMPLES))
    return [ordered[min(int(rank * count), count - 1)] for rank in ranks]


def _interval(medians: Sequence[float]) -> tuple[float, float]:
    outside = int((1 - LEVEL) / 2 * len(medians))
    ordered = sorted(medians)
    return ordered[outside], ordered[-1 - outside]


def _drift(values: Sequence[float]) -> float:
    if len(values) < _PARTS:
        raise ValueError(f"{len(values)} rounds are too few: {_PARTS} at least")
    size = len(values) // _PARTS
    parts = [sorted(values[at * size : (at + 1) * size]) for at in range(_PARTS)]
    whole = _middle(sorted(values))
    return max(abs(_middle(part) / whole - 1) for part in parts)
