"""What becomes of containers when something happens to the Python process that has them."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest


def script(source: str, *, fails: bool = False) -> subprocess.CompletedProcess[str]:
    """Runs a Python program that may use fastbox as its `fastbox`."""
    done = subprocess.run(
        [sys.executable, "-c", "import fastbox\n" + textwrap.dedent(source)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert fails or done.returncode == 0, done.stderr
    return done


def gone(pid: int) -> bool:
    """Whether the process is no more, looked at for a while."""
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize(
    "call",
    [
        "plan.run(['sleep', '100'])",
        "plan.start(['sleep', '100']).wait()",
        "plan.start(['sleep', '100']).wait(50)",
        "plan.run(['sh', '-c', 'trap \"\" INT; sleep 100'])",
    ],
)
def test_keyboard_interrupt(busybox: str, call: str) -> None:
    done = script(
        f"""
        import os, signal, threading, time
        plan = fastbox.prepare({busybox!r})
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        began = time.monotonic()
        try:
            {call}
        except KeyboardInterrupt:
            print("interrupted", time.monotonic() - began < 5)
        print(plan.run(["echo", "again"], text=True).stdout)
        """
    )
    assert done.stdout.split() == ["interrupted", "True", "again"]


def test_other_handlers_run_and_the_container_goes_on(busybox: str) -> None:
    done = script(
        f"""
        import os, signal, threading
        signal.signal(signal.SIGUSR1, lambda *_: print("handler", flush=True))
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        print(fastbox.run({busybox!r}, ["sh", "-c", "sleep 1; echo end"], text=True).stdout)
        """
    )
    assert done.stdout.split() == ["handler", "end"]


def test_import_can_be_interrupted() -> None:
    done = script(
        """
        import os, signal, threading
        reader, writer = os.pipe()
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            fastbox.import_image(reader, "never")
        except KeyboardInterrupt:
            print([image.tags for image in fastbox.list_images() if "never:latest" in image.tags])
        """
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("end", ["os._exit(3)", "os.kill(os.getpid(), 9)", "sys.exit(3)"])
def test_caller_ends(busybox: str, end: str) -> None:
    done = script(
        f"""
        import os, sys
        container = fastbox.prepare({busybox!r}).start(["sh", "-c", "sleep 100 & sleep 100"])
        print(container.pid, flush=True)
        {end}
        """,
        fails=True,
    )
    assert done.returncode in (3, -9)
    assert gone(int(done.stdout))


def test_fork(busybox: str) -> None:
    done = script(
        f"""
        import os
        plan = fastbox.prepare({busybox!r})
        container = plan.start(["sh", "-c", "read line; echo $line"], stdin=fastbox.PIPE)
        child = os.fork()
        if child == 0:
            try:
                container.kill()
            except fastbox.FastboxError:
                print("not mine", flush=True)
            print(fastbox.run({busybox!r}, ["echo", "own"], text=True).stdout, end="", flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        container.stdin.write(b"alive")
        container.stdin.close()
        print(container.stdout.read().decode(), end="")
        """
    )
    assert done.stdout.split() == ["not", "mine", "own", "alive"]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(busybox: str, method: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent(
            f"""
            import multiprocessing
            import fastbox

            def work(number):
                return fastbox.run({busybox!r}, ["echo", str(number)], text=True).stdout

            if __name__ == "__main__":
                fastbox.run({busybox!r}, ["true"])
                with multiprocessing.get_context({method!r}).Pool(2) as pool:
                    print(*pool.map(work, range(4)))
            """
        )
    )
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["0", "1", "2", "3"], done.stderr


def test_sigchld_ignored(busybox: str) -> None:
    done = script(
        f"""
        import signal
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        print(fastbox.run({busybox!r}, ["sh", "-c", "exit 7"]).exit_code)
        """
    )
    assert int(done.stdout) in _known_or_unknown(7)


def test_someone_else_waits(busybox: str) -> None:
    done = script(
        f"""
        import os, threading
        def reap():
            while True:
                try:
                    os.wait()
                except ChildProcessError:
                    pass
        threading.Thread(target=reap, daemon=True).start()
        plan = fastbox.prepare({busybox!r})
        print(*[plan.run(["sh", "-c", "exit 7"]).exit_code for _ in range(20)], flush=True)
        os._exit(0)
        """
    )
    assert {int(code) for code in done.stdout.split()} <= _known_or_unknown(7)


def _known_or_unknown(code: int) -> set[int]:
    """Since Linux 6.15 the kernel still knows the exit code; before, fastbox says 255."""
    major, minor = (int(part) for part in os.uname().release.split(".")[:2])
    return {code} if (major, minor) >= (6, 15) else {code, 255}


def test_from_another_thread_than_the_main_one(busybox: str) -> None:
    done = script(
        f"""
        import threading
        def work():
            print(fastbox.run({busybox!r}, ["echo", "x"], text=True).stdout)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        """
    )
    assert done.stdout.split() == ["x"]


def test_the_callers_signals_are_as_before(busybox: str) -> None:
    script(
        f"""
        import signal
        def state():
            handlers = [signal.getsignal(number) for number in signal.valid_signals()]
            return handlers, signal.pthread_sigmask(signal.SIG_BLOCK, [])
        before = state()
        fastbox.run({busybox!r}, ["true"])
        assert state() == before
        """
    )
