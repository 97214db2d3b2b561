"""Processes forked from a caller: each has containers of its own, and only those."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE, Popen
from textwrap import dedent

import pytest
from killing import Place, adopting, finished, lives, read_pid, until
from needs import needs_root


@pytest.fixture(autouse=True)
def _adopting() -> Iterator[None]:
    with adopting():
        yield


@pytest.fixture
def place(tmp_path: Path) -> Place:
    needs_root()
    return Place(tmp_path)


def test_fork_disowns_the_childs_view(place: Place) -> None:
    output = finished(
        place.python(
            """
            import gc, os, sys, fastbox
            plan = fastbox.prepare("host")
            container = plan.start(["cat"], stdin=fastbox.PIPE)
            child = os.fork()
            if child == 0:
                for call in (container.kill, container.wait, lambda: plan.run(["true"])):
                    try:
                        call()
                        print("the child may", call)
                    except fastbox.FastboxError as error:
                        assert "fork" in str(error), error
                del container, plan
                gc.collect()
                print(fastbox.run("host", ["echo", "child's own"], text=True).stdout, end="")
                sys.exit(0)
            assert os.waitpid(child, 0)[1] == 0
            print(plan.run(["echo", "parent's next"], text=True).stdout, end="")
            container.stdin.write(b"parent's first")
            container.stdin.close()
            print(container.wait(10).stdout)
            """
        )
    )
    assert output == "child's own\nparent's next\nb\"parent's first\"\n"
    assert place.left() == []


def test_fork_during_starts_in_other_threads(place: Place) -> None:
    """Whatever lock a thread holds at that moment, the child gets along without it."""
    output = finished(
        place.python(
            """
            import os, threading, fastbox
            plan = fastbox.prepare("host")
            going = True
            def loop():
                while going:
                    assert plan.run(["true"]).exit_code == 0
            threads = [threading.Thread(target=loop) for _ in range(3)]
            for thread in threads:
                thread.start()
            for _ in range(8):
                child = os.fork()
                if child == 0:
                    os._exit(fastbox.run("host", ["sh", "-c", "exit 7"]).exit_code)
                assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
            going = False
            for thread in threads:
                thread.join()
            print("done")
            """
        )
    )
    assert output == "done\n"
    assert place.left() == []


def test_forked_child_is_killed_and_the_parent_goes_on(place: Place) -> None:
    code = """
    import os, time, fastbox
    first = fastbox.prepare("host").start(["sleep", "infinity"])
    print(first.pid)
    child = os.fork()
    if child == 0:
        second = fastbox.prepare("host").start(["sleep", "infinity"])
        print(second.pid)
        time.sleep(1000)
    print(child)
    os.waitpid(child, 0)
    assert fastbox.run("host", ["true"]).exit_code == 0
    print(0)
    time.sleep(1000)
    """
    with place.python(code) as caller:
        assert caller.stdout is not None
        first = read_pid(caller)
        child, second = sorted(int(caller.stdout.readline()) for _ in range(2))
        place.owners()
        os.kill(child, signal.SIGKILL)
        assert until(lambda: not lives(second))
        assert caller.stdout.readline() == "0\n"
        assert lives(first)
        caller.kill()
    assert until(lambda: not lives(first))
    assert place.left() == []


def test_parent_is_killed_and_the_forked_child_goes_on(place: Place) -> None:
    code = """
    import os, time, fastbox
    first = fastbox.prepare("host").start(["sleep", "infinity"])
    print(first.pid)
    if os.fork() == 0:
        plan = fastbox.prepare("host")
        second = plan.start(["cat"], stdin=fastbox.PIPE)
        print(second.pid)
        while os.getppid() == PARENT:
            time.sleep(0.01)
        time.sleep(0.5)
        assert plan.run(["true"]).exit_code == 0
        second.stdin.close()
        print(second.wait(10).exit_code)
        os._exit(0)
    time.sleep(1000)
    """.replace("PARENT", "int(os.environ['PARENT'])")
    code = "import os; os.environ['PARENT'] = str(os.getpid())\n" + dedent(code)
    with place.python(code) as caller:
        assert caller.stdout is not None
        first, second = read_pid(caller), read_pid(caller)
        place.owners()
        caller.kill()
        assert until(lambda: not lives(first))
        assert lives(second)
        assert caller.stdout.readline() == "0\n"
    assert place.left() == []


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(place: Place, method: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        dedent(
            """
            import multiprocessing, sys, fastbox

            def task(number):
                done = fastbox.run("host", ["sh", "-c", f"echo {number}; exit {number}"], text=True)
                return done.exit_code, done.stdout

            if __name__ == "__main__":
                container = fastbox.prepare("host").start(["cat"], stdin=fastbox.PIPE)
                with multiprocessing.get_context(sys.argv[1]).Pool(3) as pool:
                    results = pool.map(task, range(12))
                assert results == [(n, f"{n}\\n") for n in range(12)], results
                container.stdin.write(b"unharmed")
                container.stdin.close()
                print(container.wait(10).stdout)
            """
        )
    )
    code = "import runpy, sys; runpy.run_path(sys.argv.pop(1), run_name='__main__')"
    if method != "fork":  # these import the program anew, by its file's name
        with Popen(
            [*place.interpreter, str(program), method],
            env=place.environment,
            stdout=PIPE,
            text=True,
        ) as caller:
            output = finished(caller)
    else:
        output = finished(place.python(code, str(program), method))
    assert output == "b'unharmed'\n"
    assert place.left() == []
