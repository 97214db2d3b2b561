"""What fastbox is compared with: each peer starts the same program in the same root and reaps it.

A peer is opened once, outside the clock, and then called again and again; a call returns the
seconds from the request to the end of the program and all cleaning up that its caller waits for.
"""

from __future__ import annotations

from fastbox.bench.own import Fastbox, FastboxPool, FastboxPython
from fastbox.bench.peer import Bare, Peer
from fastbox.bench.runtimes import Crun, Docker, Podman, Runc, Youki
from fastbox.bench.sandboxes import Bubblewrap, GoJudge, Nsjail, Sandlock, Unshare

PEERS: tuple[Peer, ...] = (
    Bare(),
    FastboxPool(),
    FastboxPython(),
    Fastbox(),
    Unshare(),
    Bubblewrap(),
    Nsjail(),
    GoJudge(),
    Sandlock(),
    Crun(),
    Runc(),
    Youki(),
    Podman(),
    Docker(),
)
