"""The command line on a terminal: what passes, and that the terminal is as before after any end."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import threading
from pathlib import Path

import fastbox
import pytest
from cli import command
from terminal import Caller, within

pytestmark = pytest.mark.both_ways

READY = "echo ready; "
WAIT = "while :; do sleep 0.05; done"


def box(*words: str, script: str = "", rows: int = 24, columns: int = 80) -> Caller:
    """`fastbox run WORDS busybox sh -c SCRIPT`."""
    line = command("run", *words, "busybox", *(["sh", "-c", script] if script else ["sh"]))
    return Caller(line, rows, columns)


pytestmark = pytest.mark.usefixtures("busybox")


def test_a_shell() -> None:
    with box("-it", rows=31, columns=97) as caller:
        caller.expect("# ")
        assert caller.is_raw()
        caller.send("stty size; tty; echo $((6 * 7)) >&2\n")
        caller.expect("31 97\r\n/dev/pts/0\r\n42\r\n")
        for key, shown in (("\x03", "# "), ("\x1a", "Stopped")):
            caller.send("echo g''o; cat\n")
            caller.expect("go\r\n")
            caller.send("heard\n")
            # Echoed, and then said by cat, which so has the terminal.
            caller.expect("heard\r\nheard\r\n")
            caller.send(key)
            caller.expect(shown)
        caller.send("exit 3\n")
        caller.send("exit 3\n")
        assert caller.end()[0] == 3
        assert caller.settings() == caller.before


def test_the_size_follows() -> None:
    script = "trap 'stty size' WINCH; stty size; " + WAIT
    with box("-it", script=script) as caller:
        caller.expect("24 80\r\n")
        for rows, columns in ((40, 120), (10, 20)):
            caller.resize(rows, columns)
            caller.expect(f"{rows} {columns}\r\n")
        caller.kill(signal.SIGKILL)


@pytest.mark.parametrize(
    ("words", "script", "sent", "code"),
    [
        ([], "exit 5", [], 5),
        ([], READY + "kill -9 $$; exit 4", [], 4),
        ([], "trap 'exit 6' TERM; " + READY + WAIT, [signal.SIGTERM], 6),
        ([], "trap 'exit 6' HUP; " + READY + WAIT, [signal.SIGHUP], 6),
        ([], "trap '' INT; " + READY + WAIT, [signal.SIGINT] * 3, 137),
        (["--sig-proxy=false"], READY + WAIT, [signal.SIGTERM], 143),
        (["--sig-proxy=false"], READY + WAIT, [signal.SIGINT], 130),
        (["--timeout", "1"], READY + WAIT, [], 124),
        (["--max-output", "100"], READY + "while :; do echo more; done", [], 137),
    ],
)
def test_the_terminal_is_as_before(
    words: list[str], script: str, sent: list[int], code: int
) -> None:
    with box("-it", *words, script=script) as caller:
        if sent:
            caller.expect("ready")
            assert within(60, caller.is_raw)
        for number in sent:
            caller.kill(number)
            # One that comes while the same is pending is lost.
            within(0.2, lambda: False)
        assert caller.end()[0] == code
        assert caller.settings() == caller.before


def test_after_an_error() -> None:
    with Caller(command("run", "-it", "busybox", "no-such-program")) as caller:
        assert caller.end()[0] == 127
        assert caller.settings() == caller.before


def test_after_kill_9() -> None:
    with box("-it", script=READY + WAIT) as caller:
        caller.expect("ready")
        assert within(60, caller.is_raw)
        caller.kill(signal.SIGKILL)
        caller.process.wait()
        assert within(60, lambda: caller.settings() == caller.before)


def test_stopped_and_continued(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    line = command("run", "-it", "busybox", "sh", "-c", f"{READY} read x; echo got $x; exit 7")
    script = 'sh -c \'echo $$ >"$0"; exec "$@"\' "$@"; echo stopped; read x; fg; echo $? ended'
    with Caller(["bash", "-mc", script, "-", str(pid), *line]) as caller:
        caller.expect("ready")
        assert within(60, caller.is_raw)
        os.kill(int(pid.read_text()), signal.SIGTSTP)
        caller.expect("stopped\r\n")
        assert caller.settings() == caller.before
        caller.resize(11, 22)
        caller.send("x\n")
        assert within(60, caller.is_raw)
        caller.send("typed\n")
        caller.expect("got typed\r\n")
        caller.expect("7 ended")
        caller.end()
        assert caller.settings() == caller.before


def test_keys_for_detaching_are_kept() -> None:
    with box("-it", "--detach-keys", "ctrl-a,x", script=READY + "read x; echo got $x") as caller:
        caller.expect("ready")
        assert within(60, caller.is_raw)
        caller.send("\x01")
        within(0.2, lambda: False)
        caller.send("x")
        caller.expect("detaching needs containers that live on")
        caller.send("typed\n")
        caller.expect("got typed\r\n")
        assert caller.end()[0] == 0


def test_without_input() -> None:
    with box("-t", script="trap 'exit 8' INT; tty; " + READY + WAIT) as caller:
        caller.expect("/dev/pts/0\r\r\nready")
        assert caller.settings() == caller.before, "nothing is typed into it"
        caller.send("\x03")
        assert caller.end()[0] == 8


def test_input_that_is_no_terminal() -> None:
    import cli

    done = cli.fastbox("run", "-it", "busybox", "true")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "fastbox: the input device is not a TTY\n"
    line = command("run", "-t", "busybox", "sh", "-c", "tty; echo err >&2")
    run = subprocess.run(line, capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
    assert (run.returncode, run.stdout, run.stderr) == (0, b"/dev/pts/0\r\nerr\r\n", b"")


def test_the_callers_terminal_goes() -> None:
    with box("-it", script="trap 'echo bye >/dev/console; exit' HUP; " + READY + WAIT) as caller:
        caller.expect("ready")
        assert within(60, caller.is_raw)
        os.close(caller.slave)
        os.close(caller.master)
        caller.process.wait(60)
        caller.master, caller.slave = os.openpty()


def test_who_ignores_that_the_terminal_is_gone_is_killed() -> None:
    with box("-it", script="trap '' HUP; " + READY + WAIT) as caller:
        caller.expect("ready")
        assert within(60, caller.is_raw)
        os.close(caller.slave)
        os.close(caller.master)
        assert caller.process.wait(60) == 128 + signal.SIGHUP
        caller.master, caller.slave = os.openpty()


@pytest.mark.parametrize("back", [False, True], ids=["taken", "both-ways"])
def test_a_paste_of_ten_megabytes(dice: random.Random, back: bool) -> None:
    pasted = dice.randbytes(10 << 20)
    taker = "cat" if back else "md5sum"
    script = f"stty raw -echo; {READY} head -c {len(pasted)} | {taker}; echo over; read x"
    with box("-it", script=script) as caller:
        caller.expect("ready\n")
        # Raw here as well, or what is pasted has keys in it.
        assert within(60, caller.is_raw)
        before = peak(caller.process.pid)
        typing = threading.Thread(target=write_all, args=(caller.master, pasted))
        typing.start()
        within(0.3, lambda: False)  # nobody reads meanwhile
        shown = bytearray()
        while not shown.endswith(b"over\n"):
            part = os.read(caller.master, 65536)
            assert part
            shown += part
        typing.join()
        assert peak(caller.process.pid) - before < 4096, "KB more than before the paste"
        caller.send("\n")
        assert caller.end()[0] == 0
    if back:
        assert hashlib.md5(shown[: len(pasted)]).digest() == hashlib.md5(pasted).digest()
        assert len(shown) == len(pasted) + len("over\n")
    else:
        assert hashlib.md5(pasted).hexdigest() in shown.decode()


def peak(pid: int) -> int:
    """The most memory that it has had, in KB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


def write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def test_python() -> None:
    plan = fastbox.prepare("busybox", tty=True)
    done = plan.run(["sh", "-c", "read x; echo $x; tty >&2; exit 3"], input=b"in\n")
    assert (done.exit_code, done.stderr) == (3, None)
    assert done.stdout == b"in\r\nin\r\n/dev/pts/0\r\n"
    with plan.start(["sh", "-c", f"trap 'stty size' WINCH; {READY} {WAIT}"]) as container:
        terminal = container.terminal
        assert terminal is not None
        assert terminal is container.terminal
        assert (container.stdin, container.stdout, container.stderr) == (None, None, None)
        assert terminal.read(100) == b"ready\r\n"
        container.resize(30, 99)
        assert terminal.read(100) == b"30 99\r\n"
        container.kill()
        assert terminal.readall() == b""
        assert container.wait().exit_code == 137
    assert terminal.closed
    done = plan.start(["echo", "untaken"]).wait()
    assert done.stdout == b"untaken\r\n"
    for streams in ({"stdout": fastbox.DEVNULL}, {"stderr": fastbox.STDOUT}, {"stdin": 0}):
        with pytest.raises(ValueError, match="the terminal, and nothing else"):
            plan.run(["true"], **streams)  # type: ignore[arg-type]
    with (
        fastbox.prepare("busybox").start(["sleep", "9"]) as container,
        pytest.raises(ValueError, match="tty=True"),
    ):
        container.resize(1, 1)
