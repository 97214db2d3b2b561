"""What starts must show, in one table: each number beside its goal and the least that will do.

Usage: python benches/goals.py [--rounds 250] [--markdown FILE] [--only WORD...]. Needs root.
Each row is a ratio of things measured in the same rounds. A row that cannot be measured here says
why. Exit status 1 where a row misses its “at least”, with 100 rounds or more.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
import caller
import fastbox
import parked
import roots
import throughput
from asked import ask
from fastbox.bench import report, root
from fastbox.bench.clock import spawned
from fastbox.bench.own import timed
from fastbox.bench.peer import Bench, Run
from fastbox.bench.peers import PEERS
from fastbox.bench.root import PROGRAM
from fastbox.bench.rounds import measure
from needs import docker_daemon, find

ROOT = Path(__file__).parents[1]
ENOUGH_ROUNDS = 100
BARE, BWRAP = "bare process", "bwrap --unshare-all"
COLD, POOL, COMMAND = "fastbox from Python", "fastbox pool", "fastbox run"
STARTS = (BARE, BWRAP, COLD, POOL, COMMAND, "runc run", "crun run", "docker run")
Medians = Mapping[str, float]


class Absent(Exception):
    """Why a row has no number here."""


@dataclass(frozen=True)
class Row:
    """One line of the table: what must be at most, or at least where more is better."""

    what: str
    goal: float
    least: float
    value: float | str
    more_is_better: bool = False

    @property
    def word(self) -> str:
        """How it stands."""
        if isinstance(self.value, str):
            return f"absent: {self.value}"
        if self.value <= 0:
            return "lost in the noise of this run"
        for bound, word in ((self.goal, "goal"), (self.least, "at least")):
            if self.value >= bound if self.more_is_better else self.value <= bound:
                return word
        return "MISSED"


def main() -> int:
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=250)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--markdown", type=Path, help="write the table there too")
    parser.add_argument("--only", nargs="*", choices=[one.__name__ for one in PARTS])
    given = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("needs root")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="fastbox-goals-") as folder:
        place = Place(Path(folder), given.rounds, given.seed)
        for part in PARTS:
            if not given.only or part.__name__ in given.only:
                rows += part(place)
    lines = [["", "goal", "at least", "here", ""]]
    for row in rows:
        value = "" if isinstance(row.value, str) else f"{row.value:.3g}"
        lines.append([row.what, f"{row.goal:g}", f"{row.least:g}", value, row.word])
    about = f"{given.rounds} rounds, seed {given.seed}; {report.machine()}"
    head = "# What a start must show\n\nWritten by `python benches/goals.py --markdown`."
    text = f"{head}\n\n{about}\n\n{report.markdown(lines, (0, 4))}\n"
    print(text)
    if given.markdown:
        given.markdown.write_text(text)
    missed = any(row.word == "MISSED" for row in rows)
    return int(missed and given.rounds >= ENOUGH_ROUNDS)


class Place:
    """Where it is measured: a root and an image of a dynamic and of a static /bin/true."""

    def __init__(self, scratch: Path, rounds: int, seed: int) -> None:
        self.scratch, self.rounds, self.seed = scratch, rounds, seed
        os.environ["FASTBOX_ROOT"] = str(scratch / "store")
        os.environ["FASTBOX_RUN"] = str(scratch / "run")
        self.roots = {
            "dynamic": scratch / "dynamic",
            "static": scratch / "static",
            "busybox": roots.unpacked(roots.busybox()),
        }
        root.own(self.roots["dynamic"])
        program = self.roots["static"] / "bin" / "true"
        program.parent.mkdir(parents=True)
        (scratch / "true.c").write_text("int main(void) { return 0; }")
        compile = ["musl-gcc", "-static", "-Os", "-s", "-o", program, scratch / "true.c"]
        subprocess.run(compile, check=True)
        for kind, folder in self.roots.items():
            root.imported(folder, f"{kind}:latest", scratch)


def starts(place: Place) -> Iterator[Row]:
    """Whole starts beside peers; all run the same dynamic /bin/true in the same root."""
    absent: dict[str, str] = {}
    with ExitStack() as stack:
        if find("dockerd") and "DOCKER_HOST" not in os.environ:
            os.environ["DOCKER_HOST"] = stack.enter_context(docker_daemon())
        runs: dict[str, Run] = {}
        for peer in PEERS:
            if peer.name not in STARTS:
                continue
            if why := peer.missing():
                absent[peer.name] = why
                continue
            scratch = place.scratch / peer.name.replace(" ", "-")
            scratch.mkdir()
            bench = Bench(place.roots["dynamic"], "dynamic", [PROGRAM], scratch)
            runs[peer.name] = stack.enter_context(peer.open(bench))
        taken = measure(runs, place.rounds, place.seed)
    medians = {name: statistics.median(seconds) for name, seconds in taken.items()}

    def over(above: str, below: str) -> float | str:
        for name in (above, below):
            if name in absent:
                return absent[name]
        return medians[above] / medians[below]

    yield Row("cold full container ÷ bare process", 2.5, 3.6, over(COLD, BARE))
    yield Row("… ÷ bwrap --unshare-all", 0.35, 0.5, over(COLD, BWRAP))
    yield Row("… ÷ runc run", 0.06, 0.09, over(COLD, "runc run"))
    recycled = "a pool parks whole containers; none is set up from recycled parts at the request"
    yield Row("pool, from recycled parts ÷ bare process", 1.6, 2.3, recycled)
    yield Row("pool, parked ÷ bare process", 1.08, 1.25, over(POOL, BARE))
    tail = report.p99(taken[POOL]) / medians[POOL]
    yield Row("p99 ÷ median, pool, one caller", 2.5, 4, tail)
    yield Row("fastbox run ÷ bwrap --unshare-all", 0.7, 1.0, over(COMMAND, BWRAP))
    yield Row("… ÷ runc run", 0.12, 0.2, over(COMMAND, "runc run"))
    yield Row("… ÷ docker run", 0.02, 0.05, over(COMMAND, "docker run"))
    yield Row("… ÷ crun run", 0.25, 0.4, over(COMMAND, "crun run"))


def callers(place: Place) -> Iterator[Row]:
    """A large caller beside a small one, and Python beside Rust."""
    commands = {size: caller.command("static", size) for size in ("small", "large")}
    rust: str | None = None
    try:
        programs = f"FASTBOX_PROGRAMS={Path(fastbox.__file__).with_name('bin')}"
        commands["rust"] = ["env", programs, example("caller"), "static"]
    except Absent as why:
        rust = str(why)
    taken = ask(commands, place.rounds, place.seed)
    medians = {name: statistics.median(seconds) for name, seconds in taken.items()}
    large = medians["large"] / medians["small"]
    yield Row("from 2 GB, 10,000 files, 200 threads ÷ from small", 1.1, 1.3, large)
    extra = rust or 1e6 * (medians["small"] - medians["rust"])
    yield Row("Python's own overhead over the Rust call, µs", 60, 150, extra)


def example(name: str) -> str:
    """One of the engine's examples, built as the wheel was."""
    if shutil.which("cargo") is None:
        raise Absent("cargo is not installed")
    # Of the whole workspace, as the tests build it: then it is there already.
    command = ["cargo", "build", "-q", "--release", "--locked", "--workspace"]
    command += ["--example", name, "--message-format", "json-render-diagnostics"]
    made = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    messages = map(json.loads, made.stdout.splitlines())
    return next(found for message in messages if (found := message.get("executable")))


def throughputs(place: Place) -> Iterator[Row]:
    """Containers a second beside bare processes a second, each at its best number of callers."""
    slices = max(place.rounds // 50, 1)
    bare = example("bare")
    bounds = {
        "dynamic": {"pool": (0.5, 0.3), "cold": (0.22, 0.15)},
        "static": {"pool": (0.12, 0.08), "cold": (0.036, 0.025)},
    }
    for kind, ways in bounds.items():
        program = f"{place.roots[kind]}{PROGRAM}"
        rates = throughput.rates(kind, program, bare, slices, place.seed)
        best = {way: max(by_callers.values()) for way, by_callers in rates.items()}
        for way, (goal, least) in ways.items():
            what = f"{way}, a second ÷ bare processes a second, {kind} ({best['bare']:.0f}/s)"
            yield Row(what, goal, least, best[way] / best["bare"], more_is_better=True)


def memory(place: Place) -> Iterator[Row]:
    """A container that waits."""
    each = parked.kib_each("static", max(place.rounds // 50, 1))
    yield Row("memory of an idle parked container, KiB", 400, 520, each)


def executing(place: Place) -> Iterator[Row]:
    """A program in a container that runs."""
    value: float | str = "there is no Container.exec"
    if hasattr(fastbox.Container, "exec"):
        plan = fastbox.prepare("busybox")
        program = f"{place.roots['busybox']}{PROGRAM}"
        with plan.start(["/bin/sleep", "3600"]) as container:
            runs = {
                "exec": lambda: timed(lambda: container.exec([PROGRAM])),
                BARE: lambda: spawned([program]),
            }
            taken = measure(runs, place.rounds, place.seed)
            container.kill()
        value = statistics.median(taken["exec"]) / statistics.median(taken[BARE])
    yield Row("exec into a running container ÷ bare process", 1.5, 2.5, value)


def importing(place: Place) -> Iterator[Row]:
    """The package, in an interpreter that has just begun."""
    python = sys.executable
    runs = {
        name: lambda program=program: spawned([python, "-c", program])
        for name, program in (("bare", "pass"), ("import", "import fastbox"))
    }
    taken = measure(runs, place.rounds, place.seed)
    extra = 1e3 * (statistics.median(taken["import"]) - statistics.median(taken["bare"]))
    yield Row("import fastbox beyond a bare interpreter, ms", 2, 6, extra)


PARTS: tuple[Callable[[Place], Iterator[Row]], ...] = (
    starts,
    callers,
    throughputs,
    memory,
    executing,
    importing,
)


if __name__ == "__main__":
    sys.exit(main())
