"""Is this tree slower than another version? Usage: python benches/versions.py BASE [WAY...]

BASE is a commit, branch or tag: it is built in a work tree of its own and measured in the same
rounds as what is installed here. Or BASE is a file that `make bench` wrote: then what is compared
is each way's ratio to a bare process of its own session, so that most of what changed on the
machine in between cancels out; the rest is in the result, and the table says so.

Writes .benchmarks/compare.{json,md,svg}; exit status 1 where something got slower beyond the noise.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
import document
import roots
from fastbox.bench import chart, paired, report
from fastbox.bench.paired import SECONDS, WAYS, Compared, Side
from fastbox.bench.ratio import unpaired

ROOT = Path(__file__).parents[1]
OUT = ROOT / ".benchmarks"
IMAGE = "fastbox-bench:latest"
PROGRAM = ["/bin/true"]
# What the ways to run are called in `make bench`'s file.
NAMES = {"cold": "fastbox from Python", "pool": "fastbox pool", "command": "fastbox run"}
BARE = "bare process"


def main(arguments: Sequence[str] | None = None) -> int:
    """Compares, writes, and says whether something got slower."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", metavar="BASE")
    parser.add_argument("ways", nargs="*", metavar="WAY", help=f"of {', '.join(WAYS)}; else all")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="at most, for each way")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    given = parser.parse_args(arguments)
    ways = given.ways or list(WAYS)
    if unknown := set(ways) - set(WAYS):
        parser.error(f"{', '.join(unknown)}: the ways are {', '.join(WAYS)}")
    if Path(given.base).is_file():
        return against_file(Path(given.base), ways, given.seed)
    with tempfile.TemporaryDirectory(prefix="fastbox-compare-") as scratch:
        python = built(given.base, Path(scratch))
        return against(python, given.base, ways, given.seconds, given.seed, Path(scratch))


def against(
    python: str,
    name: str,
    ways: Sequence[str],
    seconds: float,
    seed: int,
    scratch: Path,
    **more: Path,
) -> int:
    """Measures the fastbox of another Python beside this one's. `more`: the head's worker."""
    before, now = (stored(python, scratch / "base"), stored(sys.executable, scratch / "head"))
    base = Side(name, IMAGE, PROGRAM, python, before)
    head = Side("this tree", IMAGE, PROGRAM, sys.executable, now, **more)
    results = paired.compare(base, head, ways, seed, seconds)
    table = report.comparison(results, name, "this tree")
    write(f"{report.machine()}; seed {seed}", table, results, name)
    return int(any(one.verdict.slower for one in results))


def write(about: str, table: str, results: Sequence[Compared], name: str) -> None:
    """The table, the plot and all times, beside what was printed."""
    text = f"{about}\n\n{table}\n"
    print(text)
    OUT.mkdir(exist_ok=True)
    (OUT / "compare.md").write_text(text)
    (OUT / "compare.svg").write_text(chart.latencies(results, name, "this tree"))
    times = {
        f"{one.way}: {side}": list(chain(*sets))
        for one in results
        for side, sets in ((name, one.base), ("this tree", one.head))
    }
    document.write(OUT / "compare.json", document.document("compare", times, {}))


def stored(python: str, folder: Path) -> dict[str, str]:
    """The environment of a store with the image in it, which that version itself imported."""
    environment = {"FASTBOX_ROOT": str(folder / "root"), "FASTBOX_RUN": str(folder / "run")}
    command = [str(Path(python).with_name("fastbox")), "import", str(roots.busybox()), IMAGE]
    subprocess.run(
        command, check=True, env={**os.environ, **environment}, stdout=subprocess.DEVNULL
    )
    return environment


def built(ref: str, scratch: Path) -> str:
    """The Python of an environment with that version, its wheel made once for each commit."""
    commit = said("git", "rev-parse", "--verify", f"{ref}^{{commit}}")
    wheels = OUT / "wheels" / commit
    if not list(wheels.glob("*.whl")):
        tree = scratch / "tree"
        said("git", "worktree", "add", "--detach", str(tree), commit)
        try:
            # A folder of its own: this tree's programs must stay this tree's.
            path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"  # maturin
            environment = {**os.environ, "CARGO_TARGET_DIR": str(OUT / "target"), "PATH": path}
            command = [sys.executable, "-m", "pip", "wheel", "-q", "--disable-pip-version-check"]
            command += ["--no-build-isolation", "--no-deps", "-w", str(scratch / "wheel"), "."]
            subprocess.run(command, check=True, cwd=tree, env=environment)
        finally:
            said("git", "worktree", "remove", "--force", str(tree))
        wheels.parent.mkdir(parents=True, exist_ok=True)
        (scratch / "wheel").rename(wheels)
    (wheel,) = wheels.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", scratch / "venv"], check=True)
    python = str(scratch / "venv" / "bin" / "python")
    command = [sys.executable, "-m", "pip", "--python", python, "install", "-q"]
    subprocess.run([*command, "--disable-pip-version-check", "--no-deps", str(wheel)], check=True)
    return python


def said(*command: str) -> str:
    """What a command prints; where it fails, that it did is all there is to say."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"compare: {' '.join(command)}: {done.stderr.strip()}")
    return done.stdout.strip()


def against_file(path: Path, ways: Sequence[str], seed: int, rounds: int = 250) -> int:
    """Measures as `make bench` does, and compares the ratios to a bare process."""
    before = json.loads(path.read_text())
    base = ratios(before, path)
    now = OUT / "side_by_side_now.json"
    names = [BARE, *(NAMES[way] for way in ways)]
    command = [sys.executable, str(ROOT / "benches" / "side_by_side.py"), "--json", str(now)]
    subprocess.run(
        [*command, "--seed", str(seed), "--rounds", str(rounds), "--only", *names],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    after = json.loads(now.read_text())
    head = ratios(after, now)
    rows = [["", "then ÷ bare", "now ÷ bare", "ratio", "99 % interval", "noise", "sees from", ""]]
    slower = False
    for way in ways:
        if NAMES[way] not in base:
            raise SystemExit(f"compare: {path} has no rounds of “{NAMES[way]}”")
        verdict = unpaired(base[NAMES[way]], head[NAMES[way]])
        medians = (sorted(side[NAMES[way]])[len(side[NAMES[way]]) // 2] for side in (base, head))
        rows.append([way, *(f"{one:.3f}" for one in medians), *report.verdict_cells(verdict)])
        slower |= verdict.slower
    about = [
        f"{report.machine()}; seed {seed}; against {path.name} of {before['datetime']}.",
        "Two sessions: what the machine did differently in between is in the ratio.",
    ]
    then, here = before["machine_info"], after["machine_info"]
    if (then["release"], then["cpu"]) != (here["release"], here["cpu"]):
        about.append("**The file is of another machine: its ratios are no measure of this one.**")
    text = "\n".join([*about, "", report.markdown(rows), ""])
    print(text)
    (OUT / "compare.md").write_text(text)
    panels = {way: {"then": base[NAMES[way]], "now": head[NAMES[way]]} for way in ways}
    (OUT / "compare.svg").write_text(chart.svg(panels, "times bare"))
    return int(slower)


def ratios(measured: dict, path: Path) -> dict[str, list[float]]:
    """Each name's rounds as ratios to the bare process of the same round."""
    rounds = {one["name"]: one["stats"].get("data") for one in measured["benchmarks"]}
    if not rounds.get(BARE):
        raise SystemExit(
            f"compare: {path} has no rounds of “{BARE}”: give a file that "
            "benches/side_by_side.py --json wrote"
        )
    return {
        name: [one / bare for one, bare in zip(times, rounds[BARE], strict=True)]
        for name, times in rounds.items()
        if times
    }


if __name__ == "__main__":
    sys.exit(main())
