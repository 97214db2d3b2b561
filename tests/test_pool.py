"""A pool's containers: each used once, replaced, and gone with the pool."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fastbox
import pytest
from fastbox import PIPE, STDOUT, Pool


@pytest.fixture(scope="module")
def pool(busybox: str) -> Iterator[Pool]:
    with Pool(busybox, 2) as pool:
        yield pool


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


def waiting_pids() -> set[int]:
    """This process's children that are stubs which wait."""
    found = set()
    for process in Path("/proc").iterdir():
        try:
            parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
            words = (process / "cmdline").read_bytes().split(b"\0")
        except (OSError, IndexError):
            continue
        if int(parent) == os.getpid() and words[1:2] == [b"wait"]:
            found.add(int(process.name))
    return found


def test_a_job_brings_its_own(pool: Pool) -> None:
    script = 'echo "$A $B"; pwd; cat sub/file; cat; echo err >&2; exit 3'
    done = pool.run(
        ["sh", "-c", script],
        input=b"in",
        env={"A": "1", "B": "x y"},
        cwd="/made/here",
        files={"sub/file": b"one\n", "/absolute": "two"},
    )
    assert done.stdout == b"1 x y\n/made/here\none\nin"
    assert (done.stderr, done.exit_code) == (b"err\n", 3)
    assert pool.run(["cat", "/absolute"], files={"/absolute": "two"}).stdout == b"two"


def test_what_a_plan_gives_a_pool_gives(busybox: str) -> None:
    plan = fastbox.prepare(busybox, hostname="h", env={"E": "5"}, user="7:8", workdir="/tmp")
    script = "id -u; id -g; hostname; echo $E $PWD; env | grep -v SHLVL | sort; ls /proc/self/fd;"
    script += "cat /proc/self/status | grep -E '^(Cap|Seccomp|NoNew|Groups)'; ulimit -a"
    script += "; echo out > /dev/stdout; cat /proc/1/cmdline"
    command = ["sh", "-c", script]
    with Pool(plan, 1) as pool:
        assert pool.run(command).stdout == plan.run(command).stdout


def test_a_pool_of_the_callers_ids(busybox: str) -> None:
    with Pool(busybox, 1, userns="host", network="host") as pool:
        done = pool.run(["sh", "-c", "cat /proc/self/uid_map; pwd"], cwd="/tmp/x")
        assert done.stdout.split() == [b"0", b"0", b"4294967295", b"/tmp/x"]
        with pytest.raises(fastbox.SpawnError) as caught:
            pool.run(["nonesuch"])
        assert caught.value.exit_code == 127


def test_a_filter_that_forbids_what_the_stub_needs(busybox: str, tmp_path: Path) -> None:
    profile = tmp_path / "profile.json"
    rule = {"names": ["recvmsg"], "action": "SCMP_ACT_KILL_PROCESS"}
    profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}))
    plan = fastbox.prepare(busybox, security_opt=[f"seccomp={profile}"])
    assert plan.run(["true"]).exit_code == 0
    with Pool(plan, 1) as pool:
        for _ in range(20):
            with pytest.raises(fastbox.FastboxError, match="seccomp"):
                pool.run(["true"])


def test_each_container_is_used_once(pool: Pool) -> None:
    script = "ls /left 2>/dev/null; echo x > /left; echo $(hostname)"
    seen = [pool.run(["sh", "-c", script]).stdout for _ in range(8)]
    assert len(set(seen)) == 8
    assert all(line.count(b"\n") == 1 for line in seen)


def test_streams(pool: Pool) -> None:
    with pool.start(["cat"], stdin=PIPE) as container:
        assert container.stdin is not None
        assert container.stdout is not None
        container.stdin.write(b"hello")
        container.stdin.close()
        assert container.stdout.read() == b"hello"
        assert container.wait().exit_code == 0
    joined = pool.run(["sh", "-c", "echo a; echo b >&2"], stderr=STDOUT)
    assert joined.stdout == b"a\nb\n"
    assert joined.stderr is None
    read, write = os.pipe()
    assert pool.run(["echo", "x"], stdout=write).exit_code == 0
    os.close(write)
    assert os.read(read, 10) == b"x\n"
    os.close(read)


def test_time_output_and_exit_codes(pool: Pool) -> None:
    with pytest.raises(fastbox.ContainerTimeout) as caught:
        pool.run(["sh", "-c", "echo so far; sleep 60"], timeout=0.3)
    assert caught.value.completed is not None
    assert caught.value.completed.stdout == b"so far\n"
    flooded = pool.run(["yes"], max_output=5000)
    assert flooded.truncated
    assert flooded.stdout is not None
    assert len(flooded.stdout) == 5000
    assert pool.run(["sh", "-c", "kill -9 $$"]).exit_code == 0  # pid 1 is immune
    with pytest.raises(fastbox.ExitError):
        pool.run(["false"], check=True)


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [(["nonesuch"], 127, "not found"), (["/etc"], 126, "denied")],
)
def test_programs_that_cannot_be(pool: Pool, command: list[str], code: int, words: str) -> None:
    with pytest.raises(fastbox.SpawnError, match=words) as caught:
        pool.run(command)
    assert caught.value.exit_code == code


def test_senseless_jobs(pool: Pool) -> None:
    for bad in ({"env": {"A=": "1"}}, {"env": {"": "1"}}, {"env": {"A": "\0"}}, {"cwd": "a\0b"}):
        with pytest.raises(fastbox.FastboxError):
            pool.run(["true"], **bad)  # type: ignore[arg-type]
    with pytest.raises(fastbox.FastboxError, match="NUL"):
        pool.run(["true"], files={"a\0": b""})
    with pytest.raises(fastbox.SpawnError, match="/proc/none"):
        pool.run(["true"], files={"/proc/none": b""})
    with pytest.raises(fastbox.SpawnError, match="/etc/passwd/x"):
        pool.run(["true"], cwd="/etc/passwd/x")
    with pytest.raises(fastbox.SpecError):
        pool.run()


def test_senseless_pools(busybox: str) -> None:
    for ready in (0, 5000):
        with pytest.raises(fastbox.FastboxError, match="ready must be"):
            Pool(busybox, ready)
    with pytest.raises(OverflowError):
        Pool(busybox, -1)
    with pytest.raises(fastbox.ImageNotFound):
        Pool("no-such-image")
    with pytest.raises(ValueError, match="idle_timeout"):
        Pool(busybox, 1, idle_timeout=-1)
    with pytest.raises(TypeError):
        Pool(fastbox.prepare(busybox), 1, memory="64m")


def test_large_files_and_arguments(pool: Pool) -> None:
    blob = os.urandom(3 << 20)
    done = pool.run(["sh", "-c", "sha256sum < f; echo ${#0}", "x" * 100_000], files={"f": blob})
    assert done.stdout == f"{hashlib.sha256(blob).hexdigest()}  -\n100000\n".encode()


def test_a_dead_one_is_replaced(busybox: str) -> None:
    before = waiting_pids()
    with Pool(busybox, 2) as pool:
        until(lambda: pool.waiting == 2)
        mine = waiting_pids() - before
        assert len(mine) == 2
        for pid in mine:
            os.kill(pid, signal.SIGKILL)
        assert [pool.run(["echo", "x"]).stdout for _ in range(4)] == [b"x\n"] * 4


def test_many_threads_all_get_one(busybox: str) -> None:
    with Pool(busybox, 3) as pool, ThreadPoolExecutor(24) as threads:
        done = list(threads.map(lambda n: pool.run(["echo", str(n)]).stdout, range(120)))
    assert done == [f"{n}\n".encode() for n in range(120)]


def test_first_come_first_served(busybox: str) -> None:
    """One that waits is not passed by those that come later, however many."""
    with Pool(busybox, 1) as pool:
        counts = [0] * 8
        stop = time.monotonic() + 2.0

        def work(me: int) -> None:
            while time.monotonic() < stop:
                pool.run(["true"])
                counts[me] += 1

        threads = [threading.Thread(target=work, args=(me,)) for me in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert min(counts) > 0
    assert min(counts) * 4 > max(counts), counts


def test_idle_pools_shrink_and_grow_again(busybox: str) -> None:
    with Pool(busybox, 3, idle_timeout=0.3) as pool:
        until(lambda: pool.waiting == 3)
        until(lambda: pool.waiting == 1)
        assert pool.run(["true"]).exit_code == 0
        until(lambda: pool.waiting == 3)


def filled(image: str) -> Pool:
    pool = Pool(image, 3)
    until(lambda: pool.waiting == 3)
    return pool


def test_closed_and_dropped_pools_leave_nothing(busybox: str) -> None:
    before = waiting_pids()
    pool = filled(busybox)
    running = pool.start(["sleep", "60"])
    pool.close()
    pool.close()
    with pytest.raises(fastbox.FastboxError, match="closed"):
        pool.run(["true"])
    until(lambda: waiting_pids() == before)
    running.kill()
    assert running.wait().signal == signal.SIGKILL
    pool = filled(busybox)
    del pool
    gc.collect()
    until(lambda: waiting_pids() == before)


def test_who_waits_when_it_closes_is_told(busybox: str) -> None:
    with Pool(busybox, 1) as pool, ThreadPoolExecutor(16) as threads:
        futures = [threads.submit(pool.run, ["true"]) for _ in range(64)]
        pool.close()
        for future in futures:
            error = future.exception()
            assert error is None or "closed" in str(error)


def test_a_fork_has_no_part_in_it(busybox: str) -> None:
    script = f"""
import os, sys, fastbox
pool = fastbox.Pool({busybox!r}, 2)
child = os.fork()
if child == 0:
    try:
        pool.run(["true"])
    except fastbox.FastboxError as error:
        del pool
        os._exit(0 if "fork" in str(error) else 1)
    os._exit(2)
_, status = os.waitpid(child, 0)
assert status == 0, status
print(pool.run(["echo", "x"]).stdout)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, b"b'x\\n'\n"), done.stderr


def test_the_interpreter_may_end_with_a_pool_open(busybox: str) -> None:
    script = f"""
import fastbox
pool = fastbox.Pool({busybox!r}, 3)
print(pool.run("true").exit_code)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"0\n", b"")


def test_usage_is_the_programs_own(pool: Pool) -> None:
    idle = pool.run(["true"]).usage
    busy = pool.run(["sh", "-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"]).usage
    if idle.cpu_total_ns is None or busy.cpu_total_ns is None:
        pytest.skip("no cpu controller here")
    assert 0 < idle.cpu_total_ns < busy.cpu_total_ns


def test_map_keeps_the_order(pool: Pool) -> None:
    commands = (["sh", "-c", f"sleep 0.0{9 - n % 10}; echo {n}"] for n in range(30))
    results = pool.map(commands, concurrency=4, text=True)
    assert [done.stdout for done in results] == [f"{n}\n" for n in range(30)]
    with pytest.raises(fastbox.SpawnError):
        list(pool.map([["true"], ["nonesuch"], ["true"]]))
    with pytest.raises(ValueError, match="concurrency"):
        list(pool.map([["true"]], concurrency=-1))
