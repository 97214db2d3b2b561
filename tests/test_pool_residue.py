"""What a pool's earlier job left, looked for by later ones."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import fastbox
import pytest
from fastbox import Pool

OBSERVE = (Path(__file__).parent / "support/observe.py").read_text()


def settled(pool: Pool) -> None:
    """Waits until what the last jobs left is cleared away and new containers are made."""
    deadline = time.monotonic() + 30
    while pool.waiting < 1:
        assert time.monotonic() < deadline, "no container came"
        time.sleep(0.01)
    time.sleep(0.1)


def looked(run: Any, *args: str) -> dict[str, Any]:
    done = run(["python3", "-c", OBSERVE, *args], timeout=60)
    assert done.exit_code == 0, done.stderr.decode()
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_nothing_of_an_earlier_job_is_seen() -> None:
    plan = fastbox.prepare("host", memory="256m", pids_limit=64)
    if plan.run(["python3", "-c", "pass"]).exit_code != 0:
        pytest.skip("the host has no python3 in /usr")
    # What a container shows that had none before it.
    fresh = looked(plan.run)
    with Pool(plan, 1) as pool:
        first = looked(pool.run)
        unlike = [fresh["unlike"], first["unlike"]]
        for _ in range(3):
            settled(pool)
            left = pool.run(["python3", "-c", OBSERVE, "leave"], timeout=60)
            assert left.stdout == b"left\n", left.stderr.decode()
            for _ in range(3):
                settled(pool)
                later = looked(pool.run)
                unlike.append(later["unlike"])
                for what, shown in first["seen"].items():
                    assert later["seen"][what] == shown, what
                # What left the marks used a second, and 40 MiB.
                assert later["used"].keys() == first["used"].keys()
                for what, most in (("cpu", 900_000), ("memory", 36 << 20)):
                    assert later["used"].get(what, 0) < most, what
        for what in ("random", "urandom", "address"):
            assert len({one[what] for one in unlike}) == len(unlike), what
    # And a pool's container is like one of its own.
    assert fresh["seen"].keys() == first["seen"].keys()
    for what in fresh["seen"].keys() - {"fds"}:
        assert fresh["seen"][what] == first["seen"][what], what


def test_the_marks_are_seen_by_whom_they_are_left_for() -> None:
    """So that the test above can fail: within one job they are all there."""
    plan = fastbox.prepare("host", memory="256m", pids_limit=64)
    before = looked(plan.run)["seen"]
    both = OBSERVE.replace('    print("left")\nelse:', "if True:")
    done = plan.run(["python3", "-c", both, "leave"], timeout=60)
    after = json.loads(done.stdout)["seen"]
    same = {what for what in before if before[what] == after.get(what)}
    for what in ["/tmp", "/dev", "shm", "sem", "msg", "pids", "net/dev", "net/snmp", "net/snmp6"]:
        assert what not in same, what
    for what in ["environment", "limits", "slack", "status", "name", "net/tcp", "net/unix", "top"]:
        assert what not in same, what
