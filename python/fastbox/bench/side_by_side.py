"""fastbox beside its peers on this machine: what each takes, and what each isolates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from subprocess import CalledProcessError

from fastbox.bench import report
from fastbox.bench.peer import ISOLATES, Bench, Peer, Run
from fastbox.bench.rounds import measure

BESIDE = ("bare process", "bwrap --unshare-all", "runc run")
STATE = "page cache warm; prepared are the image, the Plan (from Python) and the Pool"


@dataclass(frozen=True)
class SideBySide:
    """What came out."""

    peers: Mapping[str, Peer]  # those that took part
    seconds: Mapping[str, Sequence[float]]
    versions: Mapping[str, str]
    absent: Mapping[str, str]  # why the others did not
    about: str

    def text(self) -> str:
        """The table in Markdown, the fastest first, with what it takes to read it."""
        marks = {
            name: ["yes" if one in peer.isolates else "-" for one in ISOLATES] + [peer.note]
            for name, peer in self.peers.items()
        }
        return "\n".join(
            [
                self.about,
                "",
                report.side_by_side(self.seconds, BESIDE, (*ISOLATES, ""), marks),
                "",
                *(f"{name}: {version}" for name, version in self.versions.items() if version),
                *(f"absent: {name} ({why})" for name, why in self.absent.items()),
            ]
        )


def measured(
    peers: Sequence[Peer],
    root: Path,
    image: str,
    command: Sequence[str],
    scratch: Path,
    rounds: int,
    seed: int,
) -> SideBySide:
    """Runs a command by each of the peers that can take part here."""
    absent: dict[str, str] = {}
    present: dict[str, Peer] = {}
    with ExitStack() as stack:
        runs: dict[str, Run] = {}
        for peer in peers:
            if why := peer.missing():
                absent[peer.name] = why
                continue
            folder = scratch / peer.name.replace(" ", "-")
            folder.mkdir()
            try:
                run = stack.enter_context(peer.open(Bench(root, image, command, folder)))
                run()
            except (OSError, RuntimeError, CalledProcessError) as error:
                absent[peer.name] = f"does not run here: {error}"
                continue
            present[peer.name], runs[peer.name] = peer, run
        seconds = measure(runs, rounds, seed)
    about = f"{rounds} rounds, seed {seed}; {' '.join(command)}; {STATE}; {report.machine()}"
    versions = {name: peer.version() for name, peer in present.items()}
    return SideBySide(present, seconds, versions, absent, about)
