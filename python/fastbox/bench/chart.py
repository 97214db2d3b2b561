"""The latencies of two sides as an SVG: for each way to run, how many runs took how long."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from html import escape
from itertools import chain

from fastbox.bench.paired import Compared

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 720, 200, 20, 34, 30
BINS = 90
COLORS = ("#4477aa", "#cc6677", "#228833", "#ccbb44")
Panel = Mapping[str, Sequence[float]]


def svg(panels: Mapping[str, Panel], unit: str = "ms") -> str:
    """A panel below the other, each with its sides' distributions; values in the unit."""
    height = HEIGHT * len(panels)
    drawn = [
        f'<g transform="translate(0 {HEIGHT * place})">{_panel(title, sides, unit)}</g>'
        for place, (title, sides) in enumerate(panels.items())
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="12">'
        f'<rect width="100%" height="100%" fill="white"/>{"".join(drawn)}</svg>\n'
    )


def latencies(results: Sequence[Compared], base: str, head: str) -> str:
    """The same for what was compared, in milliseconds."""
    return svg(
        {
            one.way: {
                name: [1e3 * seconds for seconds in chain.from_iterable(sets)]
                for name, sets in ((base, one.base), (head, one.head))
            }
            for one in results
        }
    )


def _panel(title: str, sides: Panel, unit: str) -> str:
    every = sorted(value for seconds in sides.values() for value in seconds)
    # The slowest hundredth would squeeze all others together.
    low, high = every[0], every[int(0.99 * (len(every) - 1))]
    span = math.log(high / low) or 1.0

    def across(seconds: float) -> float:
        return LEFT + math.log(seconds / low) / span * (WIDTH - 2 * LEFT)

    floor = HEIGHT - BOTTOM
    heights = {name: _bins(seconds, low, span) for name, seconds in sides.items()}
    most = max(max(bins) for bins in heights.values()) or 1.0
    parts = [f'<text x="{LEFT}" y="16" font-weight="bold">{escape(title)}</text>']
    step = (WIDTH - 2 * LEFT) / BINS
    for (name, bins), color, place in zip(heights.items(), COLORS, range(4), strict=False):
        tops = " ".join(
            f"{LEFT + (at + 0.5) * step:.1f},{floor - share / most * (floor - TOP):.1f}"
            for at, share in enumerate(bins)
        )
        middle = statistics.median(sides[name])
        x = across(middle)
        parts += [
            f'<polygon points="{LEFT},{floor} {tops} {WIDTH - LEFT},{floor}" fill="{color}" '
            f'fill-opacity="0.3" stroke="{color}"/>',
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{floor}" stroke="{color}" '
            'stroke-dasharray="4 3"/>',
            f'<text x="{WIDTH - LEFT}" y="{16 + 15 * place}" text-anchor="end" fill="{color}">'
            f"{escape(name)}: median {middle:.3f} {escape(unit)}</text>",
        ]
    parts.append(f'<line x1="{LEFT}" x2="{WIDTH - LEFT}" y1="{floor}" y2="{floor}" stroke="#888"/>')
    for at in range(5):
        seconds = low * math.exp(span * at / 4)
        parts.append(
            f'<text x="{across(seconds):.1f}" y="{floor + 16}" text-anchor="middle" '
            f'fill="#555">{seconds:.3g} {escape(unit)}</text>'
        )
    return "".join(parts)


def _bins(seconds: Sequence[float], low: float, span: float) -> list[float]:
    """The part of the runs in each bin, by the logarithm, a little smoothed."""
    counts = [0.0] * BINS
    for value in seconds:
        place = math.log(value / low) / span * BINS
        if place < BINS:
            counts[int(place)] += 1 / len(seconds)
    padded = [counts[0], *counts, counts[-1]]
    return [sum(padded[at : at + 3]) / 3 for at in range(BINS)]
