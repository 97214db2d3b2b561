"""Starts the same program in the same root by fastbox and its peers, side by side.

Every round runs each peer once, in an order shuffled anew, so that what the machine does meanwhile
strikes all alike: trust the ratios of one run, not the milliseconds of two.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
import document
import roots
from fastbox.bench import report
from needs import in_ci
from peers import PEERS, Bench, Run

# CI must have these, so that the comparison is never lost unseen.
REQUIRED = ("bwrap", "runc", "docker", "fastbox")
BESIDE = ("bare process", "bwrap --unshare-all", "runc run")
WARM_UPS = 3


def measure(runs: dict[str, Run], rounds: int, seed: int) -> dict[str, list[float]]:
    """Seconds of each peer's rounds."""
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


def main() -> int:
    """Exit status 1 where CI lacks a peer it must have."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=250)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--only", nargs="*", metavar="NAME", help="peers by name")
    parser.add_argument("--json", type=Path, default=Path(".benchmarks/side_by_side.json"))
    parser.add_argument("--markdown", type=Path, help="write the table there too")
    options = parser.parse_args()
    seed = random.randrange(1 << 32) if options.seed is None else options.seed

    chosen = [peer for peer in PEERS if not options.only or peer.name in options.only]
    absent = {peer.name: why for peer in chosen if (why := peer.missing())}
    present = [peer for peer in chosen if peer.name not in absent]
    with ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="fastbox-bench-"))
        archive = roots.busybox()
        root = roots.unpacked(archive)
        runs: dict[str, Run] = {}
        versions = {}
        for peer in present:
            folder = Path(scratch) / peer.name.replace(" ", "-")
            folder.mkdir()
            versions[peer.name] = peer.version()
            runs[peer.name] = stack.enter_context(peer.open(Bench(archive, root, folder)))
        results = measure(runs, options.rounds, seed)

    gives = {peer.name: peer.gives for peer in PEERS}
    state = "page cache warm, nothing prepared but the image, the Plan (from Python) and the Pool"
    extra = {
        name: {"version": versions[name], "gives": gives[name], "seed": seed, "state": state}
        for name in results
    }
    document.write(options.json, document.document("side by side", results, extra))
    lines = [
        f"{options.rounds} rounds, seed {seed}; {state}; {report.machine()}",
        "",
        report.side_by_side(results, BESIDE, gives),
        "",
        *(f"{name}: {version}" for name, version in versions.items() if version),
        *(f"absent: {name} ({why})" for name, why in absent.items()),
    ]
    text = "\n".join(lines)
    print(text)
    if options.markdown:
        options.markdown.write_text(text + "\n")
    lost = [name for name in absent if name.split()[0] in REQUIRED]
    if lost and in_ci() and os.geteuid() == 0:
        print(f"CI must measure: {', '.join(lost)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
