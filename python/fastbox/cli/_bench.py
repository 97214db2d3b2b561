"""`fastbox bench`."""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from fastbox.bench import paired, report, root, side_by_side
from fastbox.bench.peers import PEERS
from fastbox.cli._arguments import Given, Parser
from fastbox.exceptions import SpecError

DESCRIPTION = """\
Measure how long it takes to start a program in a container and reap it: by fastbox
and by whatever of bwrap, runc, crun, youki, podman, docker, nsjail, go-judge and
sandlock is installed. Without an image it is this machine's /bin/true in a root of
its own. With --base two images are measured beside each other, and the exit code is
1 where starts of IMAGE take longer, beyond what two of the same differ by."""


def bench_parser() -> Parser:
    """How many rounds, of what."""
    parser = Parser("bench", "[OPTIONS] [IMAGE [COMMAND] [ARG...]]", DESCRIPTION)
    parser.add_argument("--base", metavar="IMAGE", help="Compare with this image instead")
    parser.add_argument("--markdown", metavar="FILE", help="Write the table there too")
    parser.add_argument("--plot", metavar="FILE", help="With --base, draw the latencies as SVG")
    parser.add_argument("--rounds", type=int, default=100, help="Rounds (default: 100)")
    parser.add_argument("--seconds", type=float, help="With --base, at most (default: 60)")
    parser.add_argument("--seed", type=int, help="Draw the order of rounds again")
    parser.add_argument("image", metavar="IMAGE", nargs="?")
    parser.add_argument("command", metavar="COMMAND", nargs=argparse.REMAINDER)
    return parser


def bench_command(given: Given) -> int:
    """Prints the table; 1 where --base found starts slower."""
    if given.rounds < 1:
        raise SpecError(f"--rounds {given.rounds}: there must be one at least")
    if given.seed is None:
        given.seed = random.SystemRandom().randrange(1 << 32)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fastbox-bench-")))
        text, code = (_images if given.base else _peers)(given, scratch)
    print(text)
    if given.markdown:
        Path(given.markdown).write_text(text + "\n")
    return code


def _images(given: Given, scratch: Path) -> tuple[str, int]:
    if not given.image:
        raise SpecError("--base needs an image to compare with it; see 'fastbox bench --help'")
    command = given.command or [root.PROGRAM]
    base, head = (paired.Side(name, name, command) for name in (given.base, given.image))
    seconds = paired.SECONDS if given.seconds is None else given.seconds
    results = paired.compare(base, head, ["cold"], given.seed, seconds)
    if given.plot:
        from fastbox.bench import chart

        Path(given.plot).write_text(chart.latencies(results, given.base, given.image))
    about = f"{' '.join(command)}; seed {given.seed}; {report.machine()}"
    table = report.comparison(results, given.base, given.image)
    return f"{about}\n\n{table}", int(any(one.verdict.slower for one in results))


def _peers(given: Given, scratch: Path) -> tuple[str, int]:
    folder = scratch / "root"
    command = given.command or [root.PROGRAM]
    if not command[0].startswith("/"):
        raise SpecError(f"{command[0]}: give the program's whole path, for the others know no PATH")
    if given.image:
        root.of_image(given.image, folder, scratch)
        image = given.image
    else:
        # A store of its own: nothing comes into the user's.
        os.environ["FASTBOX_ROOT"] = str(scratch / "store")
        os.environ["FASTBOX_RUN"] = str(scratch / "run")
        image = "fastbox-bench"
        root.own(folder)
        root.imported(folder, image, scratch)
    print(f"fastbox: {given.rounds} rounds", file=sys.stderr)
    found = side_by_side.measured(PEERS, folder, image, command, scratch, given.rounds, given.seed)
    return found.text(), 0
