"""Thousands of runs from one process: nothing is left of them, and the process does not grow."""

from __future__ import annotations

import json
import os
from pathlib import Path
from subprocess import PIPE

import pytest
from killing import Place, adopting, finished, slab, until
from needs import needs, needs_root
from roots import busybox

LONG = os.environ.get("FASTBOX_LONG") == "1"
RUNS = 10_000 if LONG else 300

# Every kind of run that there is, in turn; then what the process holds.
PROGRAM = """
import glob, json, os, sys, threading, time, fastbox
runs, box = int(sys.argv[1]), "box"
pages = os.sysconf("SC_PAGE_SIZE")

def held():
    time.sleep(1)  # until what has ended is cleared away
    # Threads of the engine have tables of open files of their own.
    files = {task: len(os.listdir(f"{task}/fd")) for task in glob.glob("/proc/self/task/*")}
    return {
        "files": len(os.listdir("/proc/self/fd")),
        "engine's files": max(files.values()),
        "threads": len(files),
        "memory": int(open("/proc/self/statm").read().split()[1]) * pages,
    }

plain = fastbox.prepare(box)
limited = fastbox.prepare(box, memory="32m", pids_limit=20, cpus=0.5, tmpfs=["/scratch"])
small = fastbox.prepare(box, storage_opt=["size=4m"], volumes=["/usr:/usr:ro"])
bare = fastbox.prepare(box, network="host", userns="host", read_only=True)
host = fastbox.prepare("host")

def one(number):
    kind = number % 10
    if kind == 0:
        assert limited.run(["sh", "-c", "echo > /scratch/file"]).exit_code == 0
    elif kind == 1:
        assert small.run(["sh", "-c", "mkdir -p a/b; echo > a/b/c"]).exit_code == 0
    elif kind == 2:
        assert bare.run(["true"], name="bare").exit_code == 0
    elif kind == 3:
        assert host.run(["cat"], input=b"x" * 1000).stdout == b"x" * 1000
    elif kind == 4:
        try:
            plain.run(["/no/such/program"])
            raise AssertionError
        except fastbox.SpawnError as error:
            assert error.exit_code == 127
    elif kind == 5:
        # Closed while it runs, with a process of its own that nobody waited for.
        with plain.start(["sh", "-c", "sleep 1000 & sleep 1000"]):
            pass
    elif kind == 6 and number % 100 == 6:
        assert fastbox.run(box, ["true"], env={"A": str(number)}).exit_code == 0
    elif kind == 7 and number % 100 == 7:
        try:
            plain.run(["sleep", "1000"], timeout=0.01)
            raise AssertionError
        except fastbox.ContainerTimeout:
            pass
    elif kind == 8 and number % 100 == 8:
        threads = [threading.Thread(target=plain.run, args=(["true"],)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    else:
        assert plain.run(["sh", "-c", "echo > /file"], max_output="1m").exit_code == 0

# Plans keep kernel objects for their next containers, and the engine keeps plans; each has a most.
for number in range(20):
    fastbox.run(box, ["true"], env={"A": f"first {number}"})
for plan in (plain, limited, small, bare, host):
    for container in [plan.start(["sleep", "1000"]) for _ in range(24)]:
        container.close()
for number in range(max(runs // 5, 110)):
    one(number)
before = held()
for number in range(runs):
    one(number)
print(json.dumps([before, held()]))
sys.stdin.read()
"""


@pytest.mark.parametrize("runs", [RUNS])
def test_many_runs_leave_nothing(tmp_path: Path, runs: int) -> None:
    needs_root()
    needs("busybox")
    with adopting():
        place = Place(tmp_path)
        finished(place.fastbox("import", "-q", str(busybox()), "box", stdout=PIPE))
        assert place.left() == []
        slab_before = slab()
        with place.python(PROGRAM, str(runs), stdin=PIPE) as caller:
            assert caller.stdout is not None
            line = caller.stdout.readline()
            assert line, "the program failed"
            before, after = json.loads(line)
            # All that may be there of a caller at rest: its directories, its watchdog, itself.
            assert place.containers() == []
            place.owners()
            caller.communicate("", timeout=60)
        assert caller.returncode == 0
        assert place.left() == []
        growth = {name: after[name] - before[name] for name in before}
        assert growth["threads"] == 0, (before, after)
        assert growth["files"] <= 0, (before, after)
        assert growth["engine's files"] <= 0, (before, after)
        assert growth["memory"] < 4 << 20, (before, after)
        kernel = slab_growth(slab_before, runs)
        print(f"\nREPORT: {runs} runs: {growth} more held; kernel objects {kernel}; nothing left")


def slab_growth(before: dict[str, int], runs: int) -> dict[str, int]:
    """How many more namespaces and groups the kernel holds; fails at nearly one for each run."""
    few = max(runs // 20, 250)  # what others on this machine do meanwhile counts too

    def growth() -> dict[str, int]:
        now = slab()
        return {name: now[name] - count for name, count in before.items()}

    until(lambda: max(growth().values(), default=0) < few, 30)
    grown = growth()
    assert max(grown.values(), default=0) < few, grown
    return grown
