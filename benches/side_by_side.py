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
from fastbox.bench import root, side_by_side
from fastbox.bench.peers import PEERS
from needs import docker_daemon, find, in_ci

# CI must have these, so that the comparison is never lost unseen.
REQUIRED = ("bwrap", "runc", "docker", "fastbox")
IMAGE = "fastbox-bench"


def main() -> int:
    """Exit status 1 where CI lacks a peer it must have."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=250)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--only", nargs="*", metavar="NAME", help="peers by name")
    parser.add_argument("--json", type=Path, default=Path(".benchmarks/side_by_side.json"))
    parser.add_argument("--markdown", type=Path, help="write the table there too")
    given = parser.parse_args()
    chosen = [peer for peer in PEERS if not given.only or peer.name in given.only]
    with ExitStack() as stack:
        if any(peer.command == "docker" for peer in chosen) and find("dockerd"):
            os.environ.setdefault("DOCKER_HOST", stack.enter_context(docker_daemon()))
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fastbox-bench-")))
        os.environ["FASTBOX_ROOT"], os.environ["FASTBOX_RUN"] = (
            str(scratch / "store"),
            str(scratch / "run"),
        )
        folder = roots.unpacked(roots.busybox())
        root.imported(folder, IMAGE, scratch)
        found = side_by_side.measured(
            chosen, folder, IMAGE, [root.PROGRAM], scratch, given.rounds, given.seed
        )
    extra = {
        name: {"version": found.versions[name], "seed": given.seed, "state": side_by_side.STATE}
        for name in found.seconds
    }
    document.write(given.json, document.document("side by side", found.seconds, extra))
    print(found.text())
    if given.markdown:
        given.markdown.write_text(found.text() + "\n")
    lost = [name for name in found.absent if name.split()[0] in REQUIRED]
    if lost and in_ci() and os.geteuid() == 0:
        print(f"CI must measure: {', '.join(lost)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
