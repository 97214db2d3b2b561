"""What each stage of a start costs, by the engine's own clock."""

from __future__ import annotations

import pytest
from fastbox.bench import report
from pytest_benchmark.fixture import BenchmarkFixture

# The first words of the step labels that make up a stage. A label belongs to the first that fits.
STAGES: dict[str, tuple[str, ...]] = {
    "clone": ("clone",),
    "network namespace": ("network namespace",),
    "root filesystem": ("make upper", "root file system", "enter root"),
    "pseudo filesystems": ("mount", "mask", "make read-only"),
    "cgroup": ("cgroup", "join cgroup", "unshare cgroup"),
    "seccomp": ("seccomp",),
    "exec": ("exec",),
    "teardown": ("reap",),
}


class StageClock:
    """A clock that stands still but for the stage: pytest-benchmark's timer here."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


CLOCK = StageClock()


def stage_of(label: str) -> str | None:
    """The stage that a step belongs to."""
    for stage, beginnings in STAGES.items():
        if label.startswith(beginnings):
            return stage
    return None


@pytest.mark.benchmark(group="stages", timer=CLOCK, disable_gc=True)
@pytest.mark.parametrize("stage", STAGES)
def test_stage(benchmark: BenchmarkFixture, image: str, rounds: int, stage: str) -> None:
    import fastbox

    plan = fastbox.prepare(image)
    labels: set[str] = set()

    def run() -> None:
        done = plan.run(["/bin/true"], timings=True)
        assert done.exit_code == 0
        assert done.timings
        for label, _, microseconds in done.timings:
            if stage_of(label) == stage:
                labels.add(label)
                CLOCK.now_s += microseconds / 1e6

    benchmark.pedantic(run, rounds=rounds, iterations=1, warmup_rounds=3)
    assert labels, f"no step of a run belongs to the stage {stage}"
    benchmark.extra_info["steps"] = sorted(labels)
    if benchmark.stats is not None:
        benchmark.extra_info["p99"] = report.p99(benchmark.stats.stats.data)


def test_whole_container(benchmark: BenchmarkFixture, image: str, rounds: int) -> None:
    import fastbox

    plan = fastbox.prepare(image)
    benchmark.pedantic(plan.run, args=(["/bin/true"],), rounds=rounds, warmup_rounds=3)
    if benchmark.stats is not None:
        benchmark.extra_info["p99"] = report.p99(benchmark.stats.stats.data)
