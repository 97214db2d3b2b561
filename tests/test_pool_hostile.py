"""Jobs of a pool that misbehave, and callers that are killed: the next job knows nothing of it."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE as SUBPROCESS_PIPE

import pytest
from fastbox import PIPE, ContainerTimeout, Pool
from killing import Place, adopting, finished
from needs import needs, needs_root
from roots import busybox as busybox_root

LONG = os.environ.get("FASTBOX_LONG") == "1"
KILLS = 200 if LONG else 6
MINUTES = 10.0 if LONG else 0.1
LIMITS = {"memory": "64m", "pids_limit": 24, "storage_opt": ["size=8m"]}


@pytest.fixture(scope="module")
def pool(busybox: str) -> Iterator[Pool]:
    needs_root()
    with Pool(busybox, 2, **LIMITS) as pool:
        yield pool


def fine(pool: Pool) -> None:
    """Some jobs more, which have all that they are promised."""
    for _ in range(3):
        script = (
            "echo fine; (sleep 0.01 & wait); dd if=/dev/zero of=/file bs=1M count=6 2>/dev/null"
        )
        done = pool.run(["sh", "-c", script])
        assert (done.stdout, done.exit_code) == (b"fine\n", 0)


def test_fork_bombs(pool: Pool) -> None:
    # The first shell only counts: the kernel refuses the others their children at the limit.
    with pytest.raises(ContainerTimeout) as caught:
        pool.run(["sh", "-c", "b() { b & b & wait; }; b & while :; do :; done"], timeout=1)
    assert b"fork" in caught.value.completed.stderr
    fine(pool)


def test_full_disks(pool: Pool) -> None:
    done = pool.run(["sh", "-c", "dd if=/dev/zero of=/file bs=1M; mkdir /a && echo x > /a/b"])
    assert b"No space left on device" in done.stderr
    fine(pool)


def test_memory(pool: Pool) -> None:
    done = pool.run(["sh", "-c", "x=xxxxxxxx; while :; do x=$x$x$x$x; done"])
    assert done.exit_code == 137
    assert done.usage.oom_killed
    fine(pool)


def test_input_that_nobody_reads(pool: Pool) -> None:
    flood = b"x" * (20 << 20)
    assert pool.run(["true"], input=flood).exit_code == 0
    assert pool.run(["sh", "-c", "exec 0<&-; sleep 0.1"], input=flood).exit_code == 0
    with pytest.raises(ContainerTimeout):
        pool.run(["sleep", "1000"], input=flood, timeout=0.3)
    fine(pool)


def test_floods_of_output(pool: Pool) -> None:
    done = pool.run(["sh", "-c", "yes & yes >&2"], max_output="1m", timeout=60)
    assert done.truncated
    assert done.exit_code == 137
    assert 0 < len(done.stdout) + len(done.stderr) <= 1 << 20
    fine(pool)


def test_descriptors_closed(pool: Pool) -> None:
    script = 'for fd in 0 1 2 3 4 5 6 7 8 9; do eval "exec $fd>&-"; done; sleep 0.1; exit 7'
    assert pool.run(["sh", "-c", script], input=b"in").exit_code == 7
    fine(pool)


def test_signals_ignored(pool: Pool) -> None:
    script = "trap '' TERM INT HUP QUIT; echo up; while :; do sleep 0.1; done"
    with pool.start(["sh", "-c", script], stdout=PIPE) as container:
        assert container.stdout is not None
        assert container.stdout.readline() == b"up\n"
        container.kill(signal.SIGTERM)
        with pytest.raises(ContainerTimeout):
            container.wait(0.3)
        container.kill()
        assert container.wait(60).signal == signal.SIGKILL
    fine(pool)


CALLER = """
import sys, threading, time, fastbox
pool = fastbox.Pool("box", 3, memory="64m", pids_limit=50)
pool.run(["true"])
print("begins")
def work():
    while True:
        pool.run(["sh", "-c", "echo > /file; sleep 1000 & cat"], input=b"x" * 100_000)
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
"""


def test_callers_killed(tmp_path: Path, dice: random.Random) -> None:
    needs_root()
    needs("busybox")
    with adopting():
        place = Place(tmp_path)
        finished(place.fastbox("import", "-q", str(busybox_root()), "box", stdout=SUBPROCESS_PIPE))
        for number in range(KILLS):
            with place.python(CALLER) as caller:
                assert caller.stdout is not None
                assert caller.stdout.readline() == "begins\n"
                time.sleep(dice.uniform(0, 0.05))
                place.owners()
                watchdog = number % 3 != 0
                if not watchdog:
                    place.kill_watchdogs()
                os.kill(caller.pid, signal.SIGKILL)
            if not watchdog:
                place.next_command()
            assert place.left() == []
        print(f"\nREPORT: {KILLS} kills of callers with a pool at work; nothing left")


# What jobs do in turn, from several threads, until the time is over; then what the process holds.
LOAD = """
import json, os, random, sys, threading, time, fastbox
seconds, seed = float(sys.argv[1]), sys.argv[2]
pages = os.sysconf("SC_PAGE_SIZE")
config = dict(memory="64m", pids_limit=24, storage_opt=["size=8m"])
plan = fastbox.prepare("box", **config)
pool = fastbox.Pool(plan, 6)
done = [0]
lock = threading.Lock()

def job(dice):
    kind = dice.randrange(10)
    if kind == 0:
        try:
            pool.run(["sh", "-c", "b() { b & b & wait; }; b"], timeout=0.2)
        except fastbox.ContainerTimeout:
            pass
    elif kind == 1:
        assert b"No space" in pool.run(["dd", "if=/dev/zero", "of=/file", "bs=1M"]).stderr
    elif kind == 2:
        assert pool.run(["yes"], max_output="256k").truncated
    elif kind == 3:
        files = {"/in": os.urandom(dice.randrange(100_000))}
        assert pool.run(["cat", "/in"], files=files).stdout == files["/in"]
    elif kind == 4:
        with pool.start(["sh", "-c", "sleep 1000 & sleep 1000"]):
            pass
    elif kind == 5:
        assert plan.run(["cat"], input=b"x" * 50_000).stdout == b"x" * 50_000
    elif kind == 6:
        try:
            pool.run(["/no/such/program"])
            raise AssertionError
        except fastbox.SpawnError:
            pass
    else:
        assert pool.run(["true"]).exit_code == 0

def work(number, until):
    dice = random.Random(f"{seed} {number}")
    while time.monotonic() < until:
        job(dice)
        with lock:
            done[0] += 1

def phase(length):
    until = time.monotonic() + length
    threads = [threading.Thread(target=work, args=(n, until)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not fastbox_failed, fastbox_failed
    time.sleep(2)
    tasks = [f"/proc/self/task/{task}" for task in os.listdir("/proc/self/task")]
    files = [len(os.listdir(f"{task}/fd")) for task in tasks]
    return {
        "files": max(files),
        "threads": len(files),
        "memory": int(open("/proc/self/statm").read().split()[1]) * pages,
    }

fastbox_failed = []
threading.excepthook = lambda args: fastbox_failed.append(repr(args.exc_value))
before = phase(max(seconds / 5, 3))
after = phase(seconds)
print(json.dumps([before, after, done[0]]))
sys.stdin.read()
"""


def test_mixed_load(tmp_path: Path, dice: random.Random) -> None:
    needs_root()
    needs("busybox")
    with adopting():
        place = Place(tmp_path)
        finished(place.fastbox("import", "-q", str(busybox_root()), "box", stdout=SUBPROCESS_PIPE))
        assert place.left() == []
        seconds, seed = str(MINUTES * 60), str(dice.random())
        with place.python(LOAD, seconds, seed, stdin=SUBPROCESS_PIPE) as caller:
            assert caller.stdout is not None
            line = caller.stdout.readline()
            assert line, "the program failed"
            before, after, jobs = json.loads(line)
            caller.communicate("", timeout=60)
        assert caller.returncode == 0
        assert place.left() == []
    growth = {name: after[name] - before[name] for name in before}
    held = f"{growth} more held; nothing left"
    print(f"\nREPORT: {MINUTES:g} minutes of mixed load, {jobs} jobs: {held}")
    # What waits comes and goes: a pool's six containers have a few files each.
    assert growth["files"] <= 8 * 6, (before, after)
    assert growth["threads"] <= 0, (before, after)
    assert growth["memory"] < 4 << 20, (before, after)
