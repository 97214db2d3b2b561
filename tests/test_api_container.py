"""Containers that run while the caller does something else."""

from __future__ import annotations

import gc
import os
import select
import signal
import threading
import time
from pathlib import Path

import fastbox
import pytest
from fastbox import DEVNULL, PIPE


@pytest.fixture(scope="module")
def plan(busybox: str) -> fastbox.Plan:
    return fastbox.prepare(busybox)


def gone(pid: int) -> bool:
    """Whether the process is no more, looked at for a while."""
    deadline = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_streams(plan: fastbox.Plan) -> None:
    with plan.start(["cat"], stdin=PIPE) as container:
        assert container.stdin is not None
        assert container.stdout is not None
        container.stdin.write(b"line\n")
        container.stdin.flush()
        assert container.stdout.readline() == b"line\n"
        assert container.stdin is container.stdin
        container.stdin.close()
        assert container.stdout.read() == b""
        assert container.wait().exit_code == 0


def test_text_streams(plan: fastbox.Plan) -> None:
    with plan.start(["cat"], stdin=PIPE, text=True) as container:
        assert container.stdin is not None
        assert container.stdout is not None
        container.stdin.write("ä\n")
        container.stdin.flush()
        assert container.stdout.readline() == "ä\n"


def test_what_is_no_pipe_is_none(plan: fastbox.Plan) -> None:
    with plan.start(["true"], stdout=DEVNULL) as container:
        assert container.stdin is None
        assert container.stdout is None
        assert container.stderr is not None


def test_identity(plan: fastbox.Plan) -> None:
    with plan.start(["sleep", "60"]) as container:
        assert len(container.id) == 64
        assert container.args == ["sleep", "60"]
        assert Path(f"/proc/{container.pid}/comm").read_text() in ("sleep\n", "busybox\n")
        assert container.id[:12] in repr(container)


def test_wait_collects_what_nobody_took(plan: fastbox.Plan) -> None:
    script = "head -c 500000 /dev/zero; head -c 200000 /dev/zero >&2; exit 3"
    with plan.start(["sh", "-c", script]) as container:
        done = container.wait()
    assert (len(done.stdout), len(done.stderr), done.exit_code) == (500000, 200000, 3)
    assert container.wait() is done
    assert container.stdout is None


def test_wait_with_a_timeout_goes_on(plan: fastbox.Plan) -> None:
    script = "head -c 500000 /dev/zero; sleep 0.5; echo end >&2"
    with plan.start(["sh", "-c", script]) as container:
        with pytest.raises(fastbox.ContainerTimeout) as caught:
            container.wait(timeout=0.1)
        assert caught.value.stdout is None
        done = container.wait(timeout=10)
    assert (len(done.stdout), done.stderr) == (500000, b"end\n")


def test_wait_in_text(plan: fastbox.Plan) -> None:
    with plan.start(["echo", "ä"], text=True) as container:
        assert container.wait().stdout == "ä\n"


def test_wait_ends_input_that_nobody_took(plan: fastbox.Plan) -> None:
    with plan.start(["cat"], stdin=PIPE) as container:
        assert container.wait(timeout=10).exit_code == 0


def test_leaving_kills(plan: fastbox.Plan) -> None:
    with plan.start(["sh", "-c", "sleep 100 & sleep 100"]) as container:
        pid = container.pid
    assert gone(pid)
    done = container.wait()
    assert (done.exit_code, done.signal) == (137, signal.SIGKILL)
    container.close()


def test_an_error_inside_kills_and_goes_on(plan: fastbox.Plan) -> None:
    with pytest.raises(ZeroDivisionError), plan.start(["sleep", "100"]) as container:
        raise ZeroDivisionError
    assert gone(container.pid)


def test_dropping_kills(plan: fastbox.Plan) -> None:
    container = plan.start(["sleep", "100"])
    pid = container.pid
    del container
    gc.collect()
    assert gone(pid)


def test_kill(plan: fastbox.Plan) -> None:
    with plan.start(["sleep", "100"]) as container:
        container.kill()
        assert container.wait(timeout=10).signal == signal.SIGKILL
        container.kill()


def test_kill_with_a_handler(plan: fastbox.Plan) -> None:
    script = "trap 'echo term; exit 7' TERM; echo ready; while :; do sleep 0.05; done"
    with plan.start(["sh", "-c", script]) as container:
        assert container.stdout is not None
        assert container.stdout.readline() == b"ready\n"
        container.kill(signal.SIGTERM)
        assert container.stdout.read() == b"term\n"
        assert container.wait(timeout=10).exit_code == 7


def test_first_process_is_immune(plan: fastbox.Plan) -> None:
    with plan.start(["sleep", "100"]) as container:
        container.kill(signal.SIGTERM)
        with pytest.raises(fastbox.ContainerTimeout):
            container.wait(timeout=0.2)


def test_kill_from_another_thread_while_waiting(plan: fastbox.Plan) -> None:
    with plan.start(["sleep", "100"]) as container:
        timer = threading.Timer(0.2, container.kill)
        timer.start()
        assert container.wait(timeout=10).signal == signal.SIGKILL
        timer.join()


def test_close_from_another_thread_while_waiting(plan: fastbox.Plan) -> None:
    container = plan.start(["sleep", "100"])
    timer = threading.Timer(0.2, container.close)
    timer.start()
    assert container.wait(timeout=10).signal == signal.SIGKILL
    timer.join()


def test_outlives_the_thread_that_started_it(plan: fastbox.Plan) -> None:
    started: list[fastbox.Container] = []
    thread = threading.Thread(target=lambda: started.append(plan.start(["sleep", "100"])))
    thread.start()
    thread.join()
    with started[0] as container, pytest.raises(fastbox.ContainerTimeout):
        container.wait(timeout=0.3)


def test_streams_work_with_select(plan: fastbox.Plan) -> None:
    with plan.start(["sh", "-c", "sleep 0.2; echo x; sleep 100"]) as container:
        assert container.stdout is not None
        ready, _, _ = select.select([container.stdout], [], [], 10)
        assert ready
        assert os.read(container.stdout.fileno(), 10) == b"x\n"


def test_name_in_use(plan: fastbox.Plan) -> None:
    with plan.start(["sleep", "100"], name="unique") as container:
        with pytest.raises(fastbox.Conflict, match="unique") as caught:
            plan.run(["true"], name="unique")
        assert container.id[:12] in str(caught.value)
        assert plan.run(["true"], name="another").exit_code == 0
    assert plan.run(["true"], name="unique").exit_code == 0


def test_a_gigabyte_streams_through_without_growth(
    plan: fastbox.Plan, request: pytest.FixtureRequest
) -> None:
    """A sample of it, unless everything is to be run."""
    total = 1 << 30 if os.environ.get("FASTBOX_LONG") else 64 << 20

    def resident() -> int:
        line = Path("/proc/self/statm").read_text().split()
        return int(line[1]) * os.sysconf("SC_PAGE_SIZE")

    chunk = bytes(1 << 16)
    with plan.start(["cat"], stdin=PIPE) as container:
        assert container.stdin is not None
        assert container.stdout is not None
        stdin = container.stdin

        def feed() -> None:
            for _ in range(total // len(chunk)):
                stdin.write(chunk)
            stdin.close()

        feeder = threading.Thread(target=feed)
        before = resident()
        feeder.start()
        seen = 0
        while part := container.stdout.read(1 << 16):
            seen += len(part)
        feeder.join()
        assert seen == total
        assert resident() - before < 16 << 20
        assert container.wait().exit_code == 0
