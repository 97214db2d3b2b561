"""What measurements say, for people: tables in Markdown, and one line on the machine."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

from fastbox.bench.paired import Compared
from fastbox.bench.ratio import Verdict


def p99(seconds: Sequence[float]) -> float:
    """The smallest value that 99 of 100 do not exceed."""
    return sorted(seconds)[-(-99 * len(seconds) // 100) - 1]


def machine() -> str:
    """Kernel, processor, number of cores, Python."""
    processor = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            processor = value.strip()
            break
    cores, python = len(os.sched_getaffinity(0)), platform.python_version()
    return f"Linux {platform.release()}, {processor}, {cores} cores, Python {python}"


def markdown(rows: Sequence[Sequence[str]], text_columns: Sequence[int] = (0,)) -> str:
    """A table, its titles first; columns are numbers unless they are named as text."""
    titles, *others = rows
    ruler = ["---" if place in text_columns else "---:" for place in range(len(titles))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (titles, ruler, *others))


def side_by_side(
    results: Mapping[str, Sequence[float]],
    beside: Sequence[str],
    titles: Sequence[str] = (),
    more: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """Medians, p99, and how many times each name in `beside` a row takes; the fastest first.

    `more` is what else a row has, below `titles`.
    """
    beside = [name for name in beside if name in results]
    medians = {name: statistics.median(seconds) for name, seconds in results.items()}
    rows = [["", "median ms", "p99 ms", *(f"÷ {name}" for name in beside), *titles]]
    for name in sorted(medians, key=medians.__getitem__):
        ratios = [f"{medians[name] / medians[other]:.2f}" for other in beside]
        numbers = [f"{1e3 * medians[name]:.2f}", f"{1e3 * p99(results[name]):.2f}"]
        rows.append([name, *numbers, *ratios, *(more or {}).get(name, ())])
    return markdown(rows, (0, *range(3 + len(beside), len(rows[0]))))


def comparison(results: Sequence[Compared], base: str, head: str) -> str:
    """A row for each way to run."""
    rows = [
        [
            "",
            "rounds",
            f"{base} ms",
            f"{head} ms",
            "ratio",
            "99 % interval",
            "noise",
            "sees from",
            "verdict",
        ]
    ]
    for one in results:
        before, after = (list(chain.from_iterable(sets)) for sets in (one.base, one.head))
        rows.append(
            [
                one.way,
                str(len(before)),
                f"{1e3 * statistics.median(before):.3f}",
                f"{1e3 * statistics.median(after):.3f}",
                *verdict_cells(one.verdict),
            ]
        )
    return markdown(rows)


def verdict_cells(verdict: Verdict) -> list[str]:
    """Ratio, interval, noise, the smallest slowdown that would be seen, and the verdict."""
    change = verdict.change
    return [
        f"{change.median:.3f}",
        f"{change.low:.3f} to {change.high:.3f}",
        f"± {verdict.margin:.1%}",
        f"{verdict.seen_from:.1%}",
        verdict.word,
    ]
