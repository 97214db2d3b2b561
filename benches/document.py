"""Results as pytest-benchmark's JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest_benchmark
from fastbox.bench.report import p99
from pytest_benchmark.plugin import pytest_benchmark_generate_machine_info
from pytest_benchmark.stats import Stats
from pytest_benchmark.utils import get_commit_info

_FIELDS = [
    "min",
    "max",
    "mean",
    "stddev",
    "rounds",
    "median",
    "iqr",
    "q1",
    "q3",
    "iqr_outliers",
    "stddev_outliers",
    "outliers",
    "ld15iqr",
    "hd15iqr",
    "ops",
    "total",
]


def machine() -> dict[str, Any]:
    """This machine in pytest-benchmark's words, without its name."""
    return {**pytest_benchmark_generate_machine_info(), "node": ""}


def document(group: str, results: Mapping[str, Sequence[float]], extra: Any) -> dict[str, Any]:
    """The rounds of each name, in seconds, as `pytest-benchmark compare` reads them.

    `extra` maps a name to what its extra_info holds beside p99.
    """
    benchmarks = []
    for name, seconds in results.items():
        stats = Stats()
        for value in seconds:
            stats.update(value)
        benchmarks.append(
            {
                "group": group,
                "name": name,
                "fullname": f"{group}::{name}",
                "params": None,
                "param": None,
                "extra_info": {"p99": p99(seconds), **extra.get(name, {})},
                "options": {"disable_gc": False, "timer": "perf_counter", "warmup": True},
                "stats": {
                    **{field: getattr(stats, field) for field in _FIELDS},
                    "data": list(seconds),
                    "iterations": 1,
                },
            }
        )
    return {
        "machine_info": machine(),
        "commit_info": get_commit_info(),
        "benchmarks": benchmarks,
        "datetime": datetime.now(UTC).isoformat(),
        "version": pytest_benchmark.__version__,
    }


def write(path: Path, content: dict[str, Any]) -> None:
    """Writes such a document."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1))
