"""`fastbox run`: Docker's habits, streams, signals, exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cli
import pytest

pytestmark = pytest.mark.both_ways


def run(*args: str | Path, **more: object) -> subprocess.CompletedProcess[str]:
    return cli.fastbox("run", *args, **more)


@contextmanager
def running(*args: str) -> Iterator[subprocess.Popen[bytes]]:
    """`fastbox run` while it runs; its program says `ready` first."""
    with subprocess.Popen(
        cli.command("run", *args), stdin=subprocess.DEVNULL, stdout=-1, stderr=-1
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == b"ready\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("code", [0, 1, 42, 255])
def test_exit_code_is_the_programs(busybox: str, code: int) -> None:
    assert run(busybox, "sh", "-c", f"exit {code}").returncode == code


def test_streams_stay_apart(busybox: str) -> None:
    done = run("-q", busybox, "sh", "-c", "echo out; echo err >&2")
    assert (done.stdout, done.stderr) == ("out\n", "err\n")


def test_stdin_needs_i(busybox: str) -> None:
    assert run(busybox, "cat", input="data").stdout == ""
    assert run("-i", busybox, "cat", input="data").stdout == "data"


def test_bytes_pass_unchanged(busybox: str) -> None:
    data = os.urandom(1 << 20)
    command = cli.command("run", "-i", busybox, "cat")
    assert subprocess.run(command, input=data, stdout=-1, timeout=60).stdout == data


def test_the_host_image() -> None:
    done = run("host", "sh", "-c", "echo $0; ps ax | wc -l")
    assert done.returncode == 0, done
    assert done.stdout.startswith("sh\n")


def test_options(busybox: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content\n")
    tmp_path.chmod(0o755)
    script = "hostname; pwd; id -u; echo $A $B; cat /mnt/file; touch /mnt/x /x || echo read-only"
    done = run(
        *("-h", "name", "-w", "/work", "-u", "user", "-e", "A=1", "-e", "B"),
        *("-v", f"{tmp_path}:/mnt:ro", "--read-only", "--tmpfs", "/run", "-m", "64m"),
        *("--cpus", "0.5", "--pids-limit", "20", "--network", "none", "--rm"),
        *(busybox, "sh", "-c", script),
        env={**os.environ, "B": "2"},
    )
    assert done.stdout.splitlines() == ["name", "/work", "1000", "1 2", "content", "read-only"]


def test_no_command(busybox: str) -> None:
    cli.refused(run(busybox), 125, "no command specified")


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        ([], 125, "requires at least 1 argument"),
        (["--bogus"], 125, "unknown flag: --bogus"),
        (["-z", "IMAGE"], 125, "unknown shorthand flag"),
        (["-m"], 125, "flag needs an argument"),
        (["-d", "IMAGE", "true"], 125, "-d, --detach cannot be had: a container lives as long"),
        (
            ["-p", "80:80", "IMAGE", "true"],
            125,
            '-p, --publish "80:80" cannot be had: there are no',
        ),
        (["-m", "lots", "IMAGE", "true"], 125, 'invalid argument "lots" for "-m, --memory"'),
        (["--preset", "untrusted", "--network", "host", "IMAGE", "true"], 125, "conflicting"),
        (["no-such-image", "true"], 125, "no such image: no-such-image"),
        (["-u", "nobody-of-that-name", "IMAGE", "true"], 125, "unable to find user"),
        (["IMAGE", "no-such-program"], 127, "no-such-program"),
        (["IMAGE", "/etc/passwd"], 126, "/etc/passwd"),
        (["IMAGE", "/etc"], 126, "/etc"),
    ],
)
def test_errors(busybox: str, args: list[str], code: int, words: str) -> None:
    args = [busybox if arg == "IMAGE" else arg for arg in args]
    cli.refused(run(*args), code, words)


def test_name_in_use(busybox: str) -> None:
    with running("--name", "taken", busybox, "sh", "-c", "echo ready; sleep 60"):
        cli.refused(run("--name", "taken", busybox, "true"), 125, "already in use")


def test_timeout(busybox: str) -> None:
    began = time.monotonic()
    done = run("--timeout", "500ms", busybox, "sh", "-c", "echo before; sleep 60")
    assert (done.returncode, done.stdout) == (124, "before\n")
    assert "fastbox: timed out after 0.5 seconds" in done.stderr
    assert time.monotonic() - began < 10


def test_max_output(busybox: str) -> None:
    done = run("--max-output", "10k", busybox, "yes")
    assert (done.returncode, len(done.stdout)) == (137, 10 << 10)
    assert "more output than --max-output allows" in done.stderr


def test_timings(busybox: str) -> None:
    done = run("--timings", "-q", busybox, "true")
    lines = done.stderr.splitlines()
    assert len(lines) > 10
    assert all(" µs  |" in line and line.endswith("|") for line in lines)
    assert lines[-1].startswith("total ")
    assert lines[-1].endswith(f"|{'=' * 40}|")


def test_timings_file(busybox: str, tmp_path: Path) -> None:
    """A trace, and not a word on stderr."""
    path = tmp_path / "trace.json"
    done = run("--timings-file", str(path), "-q", busybox, "sh", "-c", "exit 3")
    assert (done.returncode, done.stderr) == (3, "")
    names = [event["name"] for event in json.loads(path.read_text())["traceEvents"]]
    assert {"clone", "exec", "program", "reap"} <= {*names}
    nowhere = run("--timings-file", str(tmp_path / "no" / "file"), busybox, "true")
    cli.refused(nowhere, 125, "--timings-file")


def test_help() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert "Usage:  fastbox run [OPTIONS] IMAGE [COMMAND] [ARG...]" in done.stdout
    for flag in ("-i, --interactive", "-e, --env NAME[=VALUE]", "    --timeout DURATION"):
        assert flag in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP])
def test_signals_are_passed_on(busybox: str, number: signal.Signals) -> None:
    name = number.name.removeprefix("SIG")
    script = f"trap 'echo got {name}; exit 9' {name}; echo ready; while :; do sleep 0.05; done"
    with running(busybox, "sh", "-c", script) as process:
        process.send_signal(number)
        out, _ = process.communicate(timeout=20)
        assert (out, process.returncode) == (f"got {name}\n".encode(), 9)


def test_third_interrupt_kills(busybox: str) -> None:
    # Not "exec sleep" alone: a shell with -c ends at SIGINT, and might not have come to it.
    with running(busybox, "sh", "-c", "trap '' INT; echo ready; exec sleep 60") as process:
        for _ in range(2):
            process.send_signal(signal.SIGINT)
            time.sleep(0.2)
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 137


def test_interrupt_of_a_terminals_whole_group(busybox: str) -> None:
    """As Ctrl-C sends it; the program is not in the group, and gets it once, from fastbox."""
    script = "n=0; trap 'n=$((n+1)); echo $n' INT; echo ready; sleep 1; sleep 1; exit $n"
    command = cli.command("run", busybox, "sh", "-c", script)
    with subprocess.Popen(command, stdout=-1, process_group=0) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=20) == 1


def test_killed_by_a_signal_of_its_own(busybox: str) -> None:
    done = run("-q", busybox, "sh", "-c", "sh -c 'kill -KILL $$'; exit $?")
    assert done.returncode == 137


def test_reader_that_goes_away(busybox: str) -> None:
    with subprocess.Popen(cli.command("run", busybox, "yes"), stdout=-1, stderr=-1) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(4) == b"y\ny\n"
        process.stdout.close()
        assert process.wait(timeout=20) in (1, 128 + signal.SIGPIPE)
        assert b"Traceback" not in process.stderr.read()


def test_closed_streams(busybox: str) -> None:
    closed = 'exec "$@" <&- >&- 2>&-'
    command = ["sh", "-c", closed, "sh", *cli.command("run", busybox, "sh", "-c", "exit 5")]
    assert subprocess.run(command, timeout=60).returncode == 5


def test_a_gigabyte_without_growth(busybox: str) -> None:
    """A sample of it, unless everything is to be run."""
    megabytes = 1024 if os.environ.get("FASTBOX_LONG") else 64
    command = cli.command("run", "-i", busybox, "cat")
    with subprocess.Popen(command, stdin=-1, stdout=-1) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        chunk = bytes(1 << 16)
        peak = 0
        for _ in range(megabytes * 16):
            process.stdin.write(chunk)
            left = len(chunk)
            while left:
                left -= len(process.stdout.read(left))
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                peak = int(line.split()[1])
        process.stdin.close()
        assert process.wait(timeout=20) == 0
        assert 0 < peak < 100 << 10
