"""Many runs at once, without a thread for each; the same under event loops."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import anyio
import fastbox
import pytest
from fastbox import Job, Pool, aio, run_many


@pytest.fixture(scope="module")
def plan(busybox: str) -> fastbox.Plan:
    return fastbox.prepare(busybox)


def completed(result: fastbox.Completed[Any] | Exception) -> fastbox.Completed[Any]:
    assert not isinstance(result, Exception), result
    return result


def test_results_come_as_runs_end(plan: fastbox.Plan) -> None:
    jobs = [Job(plan, ["sh", "-c", f"sleep {wait}; echo {wait}"]) for wait in (1.2, 0)]
    outputs = [completed(done).stdout for _, done in run_many(jobs, concurrency=2)]
    assert outputs == [b"0\n", b"1.2\n"]


def test_each_run_keeps_its_own(plan: fastbox.Plan, busybox: str) -> None:
    with Pool(plan, 2) as pool:
        jobs = (
            [Job(plan, ["cat"], input=f"{n}", text=True) for n in range(20)]
            + [
                Job(pool, ["sh", "-c", "echo $N $(cat f)"], env={"N": str(n)}, files={"f": f"f{n}"})
                for n in range(20)
            ]
            + [
                Job(busybox, ["sh", "-c", "cat f; pwd"], files={"f": f"{n}"}, cwd="/w")
                for n in range(5)
            ]
        )
        done = {job: completed(result).stdout for job, result in run_many(jobs, concurrency=8)}
    want = [f"{n}" for n in range(20)] + [f"{n} f{n}\n".encode() for n in range(20)]
    want += [f"{n}/w\n".encode() for n in range(5)]
    assert [done[job] for job in jobs] == want


def test_errors_are_results(plan: fastbox.Plan) -> None:
    jobs = [
        Job(plan, ["nonesuch"]),
        Job(plan, ["sleep", "60"], timeout=0.2),
        Job(plan, ["false"], check=True),
        Job(plan, ["yes"], max_output=1000),
        Job("no-such-image", ["true"]),
        Job(plan, ["true"], timeout="never"),
        Job(plan, ["true"]),
    ]
    done = dict(run_many(jobs))
    kinds = [type(done[job]) for job in jobs]
    assert kinds == [
        fastbox.SpawnError,
        fastbox.ContainerTimeout,
        fastbox.ExitError,
        fastbox.Completed,
        fastbox.ImageNotFound,
        fastbox.SpecError,
        fastbox.Completed,
    ]
    assert completed(done[jobs[3]]).truncated
    with pytest.raises(ValueError, match="concurrency"):
        run_many([], concurrency=0)
    assert list(run_many([])) == []


def test_no_thread_for_each(plan: fastbox.Plan) -> None:
    jobs = [Job(plan, ["sleep", "1"]) for _ in range(60)]
    before = threads()
    most = 0
    results = run_many(jobs, concurrency=60)
    watcher_done = threading.Event()

    def watch() -> None:
        nonlocal most
        while not watcher_done.wait(0.02):
            most = max(most, threads())

    watcher = threading.Thread(target=watch)
    watcher.start()
    assert len(list(results)) == 60
    watcher_done.set()
    watcher.join()
    # Starters, two for each processor; the poller; who watches.
    assert most - before <= 2 * (os.cpu_count() or 1) + 2


def threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


def test_endless_jobs_and_an_iterator_dropped_early(plan: fastbox.Plan) -> None:
    jobs = (Job(plan, ["echo", str(n)]) for n in itertools.count())
    results = run_many(jobs, concurrency=3)
    assert len([next(results) for _ in range(10)]) == 10
    results.close()  # type: ignore[attr-defined]
    # One that is dropped with everything still running: what is left is for the audit to find.
    next(run_many((Job(plan, ["sleep", str(n * 600)]) for n in range(3)), concurrency=3))


def test_more_than_the_file_limit_has_room_for_waits(busybox: str) -> None:
    script = f"""
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (160, 160))
import fastbox
plan = fastbox.prepare({busybox!r})
script = "sleep 0.3; read inside outside count < /proc/self/uid_map; echo $outside"
jobs = [fastbox.Job(plan, ["sh", "-c", script]) for _ in range(90)]
results = [result for _, result in fastbox.run_many(jobs, concurrency=90)]
# Whatever failed on the way, each has ids of its own.
bad = [r for r in results if isinstance(r, Exception) or int(r.stdout) < 0x40000000]
print(len(results), bad)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=100)
    assert done.stdout == b"90 []\n", (done.stdout, done.stderr)


Loop = Callable[[Callable[[], Coroutine[Any, Any, None]]], None]


@pytest.fixture(params=["asyncio", "trio"])
def loop(request: pytest.FixtureRequest) -> Loop:
    return lambda main: anyio.run(main, backend=request.param)


def test_awaited_runs(loop: Loop, plan: fastbox.Plan, busybox: str) -> None:
    async def main() -> None:
        done = await aio.run(plan, ["cat"], input=b"x")
        assert done.stdout == b"x"
        done = await aio.run(busybox, ["hostname"], config={"hostname": "h"})
        assert done.stdout == b"h\n"
        with pytest.raises(fastbox.ContainerTimeout):
            await aio.run(plan, ["sleep", "60"], timeout=0.2)
        with pytest.raises(fastbox.ExitError):
            await aio.run(plan, ["false"], check=True)
        with pytest.raises(fastbox.SpawnError):
            await aio.run(plan, ["nonesuch"])
        with pytest.raises(fastbox.ImageNotFound):
            await aio.run("no-such-image", ["true"])
        async with aio.Pool(plan, 2) as pool:
            done = await pool.run(["sh", "-c", "echo $A"], env={"A": "1"})
            assert done.stdout == b"1\n"
        with pytest.raises(RuntimeError):
            await pool.run(["true"])

    loop(main)


def test_cancelling_kills_and_waits(loop: Loop, plan: fastbox.Plan) -> None:
    def sleepers() -> int:
        found = 0
        for line in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                found += line.read_bytes() == b"sleep\x001234.5\0"
            except OSError:
                continue
        return found

    async def main() -> None:
        began = time.monotonic()
        with anyio.move_on_after(0.5) as scope:
            await aio.run(plan, ["sleep", "1234.5"])
        assert scope.cancelled_caught
        assert sleepers() == 0
        assert time.monotonic() - began < 60

    loop(main)


def test_many_awaited_at_once(loop: Loop, plan: fastbox.Plan) -> None:
    count = 100
    outputs: list[bytes] = []
    most = 0

    async def one(n: int) -> None:
        done = await aio.run(plan, ["sh", "-c", f"sleep 0.5; echo {n}"])
        outputs.append(done.stdout)

    async def main() -> None:
        nonlocal most
        async with anyio.create_task_group() as group:
            for n in range(count):
                group.start_soon(one, n)
            while len(outputs) < count:
                most = max(most, threads())
                await anyio.sleep(0.05)

    before = threads()
    loop(main)
    assert sorted(map(int, outputs)) == list(range(count))
    assert most - before < 20


def test_awaited_containers(loop: Loop, plan: fastbox.Plan) -> None:
    async def main() -> None:
        async with await aio.start(plan, ["cat"], stdin=fastbox.PIPE) as container:
            assert container.stdin is not None
            assert container.stdout is not None
            blob = os.urandom(1 << 20)
            got = bytearray()

            async def feed() -> None:
                await container.stdin.send(blob)
                container.stdin.close()

            async with anyio.create_task_group() as group:
                group.start_soon(feed)
                async for chunk in container.stdout:
                    got += chunk
            assert got == blob
            assert (await container.wait()).exit_code == 0
        async with await aio.start(plan, ["sleep", "60"]) as container:
            container.kill()
            assert (await container.wait()).signal == 9

    loop(main)


def test_the_loop_is_not_held_up(plan: fastbox.Plan) -> None:
    """The loop thread's CPU time for each of our calls: a coroutine's steps, timed one by one."""
    spent: list[float] = []

    async def timed(coroutine: Coroutine[Any, Any, Any]) -> None:
        class Steps:
            def __await__(self) -> Any:
                value = None
                while True:
                    began = time.thread_time()
                    try:
                        future = coroutine.send(value)
                    except StopIteration:
                        return
                    finally:
                        spent.append(time.thread_time() - began)
                    value = yield future

        await Steps()

    async def main() -> None:
        for _ in range(20):
            await timed(aio.run(plan, ["true"]))

    anyio.run(main)
    spent.sort()
    # Not the largest: what the interpreter or the kernel does between is not ours.
    assert spent[len(spent) * 9 // 10] < 0.001, spent[-10:]
