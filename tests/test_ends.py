"""Who dies with whom: callers, their threads and interpreters, and their containers."""

from __future__ import annotations

import io
import os
import signal
import tarfile
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE

import pytest
from killing import Place, adopting, finished, lives, read_pid, until
from needs import needs, needs_root
from roots import busybox

# Starts a container that would run for ever, and says its pid.
START = """
import os, sys, threading, time, signal, fastbox
plan = fastbox.prepare("host")
container = plan.start(["sleep", "infinity"])
print(container.pid)
"""


@pytest.fixture(autouse=True)
def _adopting() -> Iterator[None]:
    with adopting():
        yield


@pytest.fixture
def place(tmp_path: Path) -> Place:
    needs_root()
    return Place(tmp_path)


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_container_ends_with_a_caller_that_a_signal_ends(place: Place, by: signal.Signals) -> None:
    with place.python(START + "time.sleep(1000)") as caller:
        pid = read_pid(caller)
        place.owners()
        caller.send_signal(by)
        assert caller.wait(10) == -by
    assert until(lambda: not lives(pid))
    assert place.left() == []


@pytest.mark.parametrize(
    "ending",
    [
        "pass",
        "sys.exit(0)",
        "os._exit(0)",
        "del container, plan",
        "del plan; del container",
        "threading.Thread(target=container.wait, daemon=True).start(); time.sleep(.1)",
        "import atexit; atexit.register(lambda: container.kill())",
        "sys.stdout.flush(); sys.modules.clear()",
    ],
)
def test_container_ends_with_the_interpreter(place: Place, ending: str) -> None:
    with place.python(START + ending) as caller:
        pid = int(caller.stdout.readline()) if caller.stdout else 0
        place.owners()
        assert caller.wait(10) == 0
    assert until(lambda: not lives(pid))
    assert place.left() == []


@pytest.mark.parametrize("ending", ["pass", "sys.exit(3)", "raise RuntimeError", "del plan"])
def test_container_outlives_the_thread_that_started_it(place: Place, ending: str) -> None:
    output = finished(
        place.python(
            f"""
            import os, sys, threading, time, fastbox
            threading.excepthook = lambda args: None
            kept = []
            def start():
                plan = fastbox.prepare("host")
                kept.append(plan.start(["cat"], stdin=fastbox.PIPE))
                {ending}
            thread = threading.Thread(target=start)
            thread.start()
            thread.join()
            time.sleep(0.3)
            container = kept[0]
            container.stdin.write(b"still here")
            container.stdin.close()
            done = container.wait(10)
            print(done.exit_code, done.stdout)
            """
        )
    )
    assert output == "0 b'still here'\n"
    assert place.left() == []


def test_threads_that_start_at_once_all_end_with_the_caller(place: Place) -> None:
    code = """
    import os, threading, time, fastbox
    plan = fastbox.prepare("host", memory="64m")
    kept = [None] * 24
    def start(number):
        kept[number] = plan.start(["sleep", "infinity"])
        os.write(1, b"%d\\n" % kept[number].pid)
    for number in range(24):
        threading.Thread(target=start, args=(number,)).start()
    time.sleep(1000)
    """
    with place.python(code) as caller:
        pids = [read_pid(caller) for _ in range(24)]
        place.owners()
        caller.kill()
    assert until(lambda: not any(map(lives, pids)))
    assert place.left() == []


def test_caller_becomes_another_program(place: Place) -> None:
    """The process goes on as an owner, but its threads end, and so do their containers."""
    code = START + "os.execvp('sh', ['sh', '-c', 'echo replaced; read line'])"
    with place.python(code, stdin=PIPE) as caller:
        assert caller.stdout is not None
        pid = int(caller.stdout.readline())
        assert caller.stdout.readline() == "replaced\n"
        place.owners()
        assert until(lambda: not lives(pid))
        caller.communicate("\n", timeout=10)
    assert place.left() == []


@pytest.fixture
def image(place: Place, tmp_path: Path) -> str:
    """busybox with a program that has the setuid bit: its exec clears the parent-death signal."""
    needs("busybox")
    archive = tmp_path / "image.tar"
    archive.write_bytes(busybox().read_bytes())
    with tarfile.open(archive) as tar:
        program = tar.extractfile("bin/busybox")
        assert program is not None
        data = program.read()
    with tarfile.open(archive, "a") as tar:
        member = tarfile.TarInfo("setuid/sleep")
        member.mode = 0o4755
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    with place.fastbox("import", "-q", str(archive), "setuid") as command:
        assert command.wait(60) == 0
    assert place.left() == []  # nor the watchdog of this
    return "setuid"


START_IN = """
import time, fastbox
container = fastbox.prepare(IMAGE, user="user").start([PROGRAM, "100000"])
print(container.pid)
time.sleep(1000)
"""


@pytest.mark.parametrize("program", ["/bin/sleep", "/setuid/sleep"])
def test_setuid_program_ends_with_the_caller(place: Place, image: str, program: str) -> None:
    code = START_IN.replace("IMAGE", repr(image)).replace("PROGRAM", repr(program))
    with place.python(code) as caller:
        pid = read_pid(caller)
        place.owners()
        caller.kill()
    assert until(lambda: not lives(pid))
    assert place.left() == []


@pytest.mark.parametrize("program", ["/bin/sleep", "/setuid/sleep"])
def test_belt_without_the_watchdog(place: Place, image: str, program: str) -> None:
    """Then the parent-death signal ends what has it; the next command ends the rest."""
    code = START_IN.replace("IMAGE", repr(image)).replace("PROGRAM", repr(program))
    with place.python(code) as caller:
        pid = read_pid(caller)
        place.owners()
        assert place.kill_watchdogs() == 1
        caller.kill()
    if program == "/bin/sleep":
        assert until(lambda: not lives(pid))
    else:
        assert not until(lambda: not lives(pid), 0.5)
    assert place.remains() != []
    place.next_command()
    assert not lives(pid)
    assert place.left() == []


def test_watchdog_outlives_a_group_that_is_asked_to_end(place: Place) -> None:
    """As a service manager does it: SIGTERM to all, then SIGKILL to whoever is still there."""
    with place.python(START + "time.sleep(1000)", start_new_session=True) as caller:
        pid = read_pid(caller)
        place.owners()
        os.killpg(caller.pid, signal.SIGTERM)
        os.killpg(caller.pid, signal.SIGKILL)
    assert until(lambda: not lives(pid))
    assert place.left() == []
