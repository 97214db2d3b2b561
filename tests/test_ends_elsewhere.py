"""Callers that lose what others take for granted: their children's status, their streams."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE, Popen

import pytest
from killing import Place, adopting, finished
from needs import needs_root


@pytest.fixture(autouse=True)
def _adopting() -> Iterator[None]:
    with adopting():
        yield


@pytest.fixture
def place(tmp_path: Path) -> Place:
    needs_root()
    return Place(tmp_path)


# The kernel tells an exit status that somebody else has taken from 6.15 on.
KNOWN_AFTERWARDS = tuple(map(int, os.uname().release.split("-")[0].split(".")[:2])) >= (6, 15)


@pytest.mark.parametrize("when", ["before the import", "after a run"])
def test_sigchld_ignored(place: Place, when: str) -> None:
    ignore = "signal.signal(signal.SIGCHLD, signal.SIG_IGN)"
    first, second = (ignore, "") if when == "before the import" else ("", ignore)
    output = finished(
        place.python(
            f"""
            import signal
            {first}
            import fastbox
            plan = fastbox.prepare("host")
            plan.run(["true"])
            {second}
            codes = [plan.run(["sh", "-c", f"exit {{n}}"]).exit_code for n in range(10)]
            killed = plan.start(["sleep", "infinity"])
            killed.kill()
            print(codes, killed.wait(10).signal)
            """
        )
    )
    if KNOWN_AFTERWARDS:
        assert output == f"{list(range(10))} 9\n"
    else:
        assert output == f"{[255] * 10} None\n"
    assert place.left() == []


def test_statuses_taken_elsewhere(place: Place) -> None:
    output = finished(
        place.python(
            """
            import os, threading, time, fastbox
            taken = []
            def take():
                while True:
                    try:
                        taken.append(os.wait())
                    except ChildProcessError:
                        time.sleep(0.0002)
            threading.Thread(target=take, daemon=True).start()
            plan = fastbox.prepare("host")
            codes = [plan.run(["sh", "-c", f"exit {n}"]).exit_code for n in range(40)]
            wrong = [(n, code) for n, code in enumerate(codes) if n != code]
            print(wrong if WRONG else [pair for pair in wrong if pair[1] != 255])
            assert taken
            """.replace("WRONG", str(KNOWN_AFTERWARDS))
        )
    )
    assert output == "[]\n"
    assert place.left() == []


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"])
def test_standard_streams_closed(place: Place, closed: str, tmp_path: Path) -> None:
    answer = tmp_path / "answer"
    code = f"""
import fastbox
plan = fastbox.prepare("host")
program = "cat; echo out; echo err >&2; ls -l /proc/self/fd | grep -c -- '->' || true"
done = plan.run(["sh", "-c", program], input=b"in\\n")
silent = plan.run(["sh", "-c", program], stdout=fastbox.DEVNULL, stderr=fastbox.DEVNULL)
container = plan.start(["cat"], stdin=fastbox.PIPE)
container.stdin.write(b"more")
container.stdin.close()
results = done.stdout, done.stderr, silent.exit_code, container.wait().stdout
open({str(answer)!r}, "w").write(repr(results))
"""
    command = [*place.interpreter, "-c", code]
    with Popen(
        ["sh", "-c", f'exec "$@" {closed}', "sh", *command], env=place.environment
    ) as caller:
        assert caller.wait(60) == 0
    # Its own three streams, and the directory that ls reads.
    assert answer.read_text() == repr((b"in\nout\n4\n", b"err\n", 0, b"more"))
    assert place.left() == []


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_command_line_with_standard_streams_closed(place: Place, closed: str) -> None:
    command = [*place.interpreter, "-m", "fastbox", "run", "-i", "host", "sh", "-c", "cat; exit 5"]
    with Popen(
        ["sh", "-c", f'exec "$@" {closed}', "sh", *command],
        env=place.environment,
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
    ) as caller:
        output, _ = caller.communicate(b"through", timeout=60)
    assert caller.returncode == 5
    assert output == (b"through" if closed == "2>&-" else b"")
    assert place.left() == []
