"""An Executor is what concurrent.futures says, but that its callables are commands."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from concurrent import futures
from pathlib import Path

import fastbox
import pytest
from fastbox.executor import Executor


def sleepers(seconds: str) -> int:
    words = b"sleep\0" + seconds.encode() + b"\0"
    found = 0
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += line.read_bytes() == words
        except OSError:
            continue
    return found


def test_futures(busybox: str) -> None:
    with Executor(busybox, concurrency=3, hostname="h") as executor:
        assert isinstance(executor, futures.Executor)
        waiting = {
            executor.submit(["sh", "-c", "echo $N; hostname"], env={"N": str(n)}, text=True): n
            for n in range(12)
        }
        for future in futures.as_completed(waiting):
            assert future.result().stdout == f"{waiting[future]}\nh\n"


def test_errors_are_the_futures(busybox: str) -> None:
    with Executor(busybox) as executor:
        assert isinstance(executor.submit(["nonesuch"]).exception(), fastbox.SpawnError)
        assert isinstance(executor.submit(["false"], check=True).exception(), fastbox.ExitError)
        late = executor.submit(["sleep", "60"], timeout=0.2)
        assert isinstance(late.exception(), fastbox.ContainerTimeout)
        with pytest.raises(TypeError, match="callables"):
            executor.submit(print)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="shutdown"):
        executor.submit(["true"])
    with pytest.raises(fastbox.ImageNotFound):
        Executor("no-such-image")
    with pytest.raises(ValueError, match="concurrency"):
        Executor(busybox, concurrency=0)
    with pytest.raises(TypeError, match="prepare"):
        Executor(fastbox.prepare(busybox), memory="64m")


def test_map_is_in_order(busybox: str) -> None:
    with fastbox.Pool(busybox, 2) as pool, Executor(pool) as executor:
        commands = (["sh", "-c", f"sleep 0.{3 - n}; echo {n}"] for n in range(4))
        assert [done.stdout for done in executor.map(commands)] == [b"0\n", b"1\n", b"2\n", b"3\n"]


def test_cancelling_kills(busybox: str) -> None:
    with Executor(busybox, concurrency=1) as executor:
        running = executor.submit(["sleep", "4321.25"])
        queued = executor.submit(["sleep", "4321.25"])
        while not sleepers("4321.25"):
            time.sleep(0.01)
        assert queued.cancel()
        assert running.cancel()
        assert running.cancelled()
    assert sleepers("4321.25") == 0
    executor = Executor(busybox, concurrency=2)
    several = [executor.submit(["sleep", "4321.5"]) for _ in range(4)]
    executor.shutdown(cancel_futures=True)
    assert all(future.cancelled() for future in several)
    assert sleepers("4321.5") == 0


def test_in_an_event_loop(busybox: str) -> None:
    async def main() -> bytes:
        with Executor(busybox) as executor:
            done = await asyncio.wrap_future(executor.submit(["echo", "x"]))
            return bytes(done.stdout)

    assert asyncio.run(main()) == b"x\n"


def test_the_interpreter_waits_for_what_was_submitted(busybox: str, tmp_path: Path) -> None:
    script = f"""
from fastbox.executor import Executor
future = Executor({busybox!r}).submit(["sh", "-c", "sleep 0.5; echo done"])
future.add_done_callback(lambda future: print(future.result().stdout))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"b'done\\n'\n", b"")
