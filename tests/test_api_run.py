"""`run` keeps the habits of subprocess.run."""

from __future__ import annotations

import io
import json
import os
import pickle
import signal
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fastbox
import pytest
from fastbox import DEVNULL, PIPE, STDOUT


@pytest.fixture(scope="module")
def plan(busybox: str) -> fastbox.Plan:
    return fastbox.prepare(busybox)


def shell(plan: fastbox.Plan, script: str) -> fastbox.Completed[bytes]:
    return plan.run(["sh", "-c", script])


def test_output_is_captured_as_bytes(plan: fastbox.Plan) -> None:
    done = shell(plan, r"printf 'a\000\377\r\n'; printf err >&2; exit 3")
    assert (done.stdout, done.stderr) == (b"a\x00\xff\r\n", b"err")
    assert done.exit_code == done.returncode == 3
    assert done.signal is None
    assert done.args[:2] == ["sh", "-c"]
    assert done.truncated is False


def test_module_function_and_plan_agree(busybox: str) -> None:
    assert fastbox.run(busybox, ["echo", "x"]).stdout == b"x\n"
    assert fastbox.prepare(busybox).run(["echo", "x"]).stdout == b"x\n"


def test_str_is_one_programs_name(plan: fastbox.Plan) -> None:
    assert plan.run("true").exit_code == 0
    with pytest.raises(fastbox.SpawnError) as caught:
        plan.run("echo hello")
    assert caught.value.exit_code == 127


def test_command_of_paths_and_bytes(plan: fastbox.Plan) -> None:
    assert plan.run([Path("/bin/echo"), b"one", "two"]).stdout == b"one two\n"
    assert plan.run(Path("/bin/true")).exit_code == 0
    with pytest.raises(TypeError):
        plan.run(b"true")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        plan.run(["echo", 1])  # type: ignore[list-item]


def test_no_command_and_none_in_the_image(plan: fastbox.Plan, busybox: str) -> None:
    with pytest.raises(fastbox.SpecError, match="no command specified"):
        plan.run()
    with pytest.raises(fastbox.SpecError, match="no command specified"):
        fastbox.run(busybox, [])


def test_text(plan: fastbox.Plan) -> None:
    done = plan.run(["sh", "-c", r"cat; printf 'é\r\nb\r' >&2"], input="ä\n", text=True)
    assert (done.stdout, done.stderr) == ("ä\n", "é\nb\n")
    latin = plan.run(["printf", r"\344"], encoding="latin-1")
    assert latin.stdout == "ä"
    replaced = plan.run(["printf", r"\344"], errors="replace")
    assert replaced.stdout == "\ufffd"
    with pytest.raises(UnicodeDecodeError):
        plan.run(["printf", r"\344"], text=True)


@pytest.mark.parametrize("data", [b"x" * 10, bytearray(b"x" * 10), memoryview(b"x" * 10)])
def test_input(plan: fastbox.Plan, data: bytes | bytearray | memoryview) -> None:
    assert plan.run(["cat"], input=data).stdout == b"x" * 10


def test_large_input_both_ways(plan: fastbox.Plan) -> None:
    data = os.urandom(1 << 20) * 5
    assert plan.run(["cat"], input=data).stdout == data


def test_input_that_nobody_reads(plan: fastbox.Plan) -> None:
    assert plan.run(["true"], input=b"x" * (1 << 20)).exit_code == 0


def test_input_of_the_wrong_type(plan: fastbox.Plan) -> None:
    with pytest.raises(TypeError):
        plan.run(["cat"], input="text")  # type: ignore[call-overload]
    with pytest.raises(TypeError):
        plan.run(["cat"], input=b"bytes", text=True)  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="stdin and input"):
        plan.run(["cat"], input=b"", stdin=PIPE)


def test_stdin_is_empty_unless_given(plan: fastbox.Plan) -> None:
    reader, writer = os.pipe()
    saved = os.dup(0)
    os.dup2(reader, 0)
    try:
        assert plan.run(["cat"]).stdout == b""
        assert plan.run(["cat"], stdin=DEVNULL).stdout == b""
        assert plan.run(["cat"], stdin=PIPE).stdout == b""
    finally:
        os.dup2(saved, 0)
        for fd in (reader, writer, saved):
            os.close(fd)


def test_stderr_joins_stdout(plan: fastbox.Plan) -> None:
    done = plan.run(["sh", "-c", "echo a; echo b >&2; echo c"], stderr=STDOUT)
    assert done.stdout == b"a\nb\nc\n"
    assert done.stderr is None


def test_devnull(plan: fastbox.Plan) -> None:
    done = plan.run(["sh", "-c", "echo a; echo b >&2"], stdout=DEVNULL, stderr=DEVNULL)
    assert (done.stdout, done.stderr) == (None, None)


def test_files_and_descriptors(plan: fastbox.Plan) -> None:
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as target:
        source.write(b"from a file")
        source.seek(5)
        source.flush()
        os.lseek(source.fileno(), 5, os.SEEK_SET)
        done = plan.run(["cat"], stdin=source, stdout=target, stderr=target.fileno())
        assert (done.stdout, done.stderr) == (None, None)
        target.seek(0)
        assert target.read() == b"a file"


def test_stderr_joins_a_file(plan: fastbox.Plan) -> None:
    with tempfile.TemporaryFile() as target:
        plan.run(["sh", "-c", "echo a; echo b >&2"], stdout=target, stderr=STDOUT)
        target.seek(0)
        assert target.read() == b"a\nb\n"


def test_streams_of_the_wrong_kind(plan: fastbox.Plan) -> None:
    with pytest.raises(TypeError, match="stdout"):
        plan.run(["true"], stdout=None)  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="stdin"):
        plan.run(["true"], stdin=STDOUT)
    with pytest.raises(OSError, match="Bad file descriptor"):
        plan.run(["true"], stdout=100_000)
    with pytest.raises(io.UnsupportedOperation):
        plan.run(["true"], stdout=io.BytesIO())  # type: ignore[call-overload]


def test_signal_gives_128_and_its_number(plan: fastbox.Plan) -> None:
    # Inside, the first process is immune to its own signals: its child is not.
    assert shell(plan, "sh -c 'kill -TERM $$'; exit $?").exit_code == 128 + signal.SIGTERM
    assert shell(plan, "kill -TERM $$; exit 4").exit_code == 4


def test_check(plan: fastbox.Plan) -> None:
    assert plan.run(["true"], check=True).exit_code == 0
    with pytest.raises(fastbox.ExitError) as caught:
        plan.run(["sh", "-c", "echo out; echo err >&2; exit 5"], check=True)
    error = caught.value
    assert (error.exit_code, error.returncode) == (5, 5)
    assert (error.stdout, error.stderr) == (b"out\n", b"err\n")
    assert error.completed.usage.wall_ns > 0
    with pytest.raises(fastbox.ExitError):
        error.completed.check_returncode()


def test_timeout_kills_all_and_carries_the_output(plan: fastbox.Plan) -> None:
    script = "echo before; (sleep 100 & sleep 100) & echo err >&2; sleep 100"
    with pytest.raises(fastbox.ContainerTimeout) as caught:
        plan.run(["sh", "-c", script], timeout=0.5)
    error = caught.value
    assert isinstance(error, TimeoutError)
    assert (error.stdout, error.stderr) == (b"before\n", b"err\n")
    assert error.completed is not None
    assert error.completed.signal == signal.SIGKILL
    assert 0.5 < error.completed.usage.wall_ns / 1e9 < 5


def test_timeout_in_words_and_text(plan: fastbox.Plan) -> None:
    with pytest.raises(fastbox.ContainerTimeout) as caught:
        plan.run(["sh", "-c", "echo a; sleep 9"], timeout="300ms", text=True)
    assert caught.value.stdout == "a\n"


def test_max_output(plan: fastbox.Plan) -> None:
    done = plan.run(["yes"], max_output="100k")
    assert done.truncated
    assert len(done.stdout) == 100 << 10
    assert done.signal == signal.SIGKILL


def test_environment_is_not_the_callers(
    plan: fastbox.Plan, busybox: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "x")
    lines = plan.run(["env"]).stdout.split(b"\n")
    names = {line.split(b"=")[0] for line in lines if line}
    assert names == {b"PATH", b"HOSTNAME", b"HOME"}
    done = fastbox.run(busybox, ["env"], env={"A": "1", "PATH": "/bin:/usr/bin"}, hostname="here")
    assert {b"A=1", b"PATH=/bin:/usr/bin", b"HOSTNAME=here", b"HOME=/root"} <= set(
        done.stdout.split(b"\n")
    )
    assert b"B=2\n" in fastbox.run(busybox, ["env"], env=["B=2"]).stdout


def test_no_descriptor_of_the_caller(plan: fastbox.Plan) -> None:
    with tempfile.TemporaryFile() as file:
        os.set_inheritable(file.fileno(), True)
        # ls itself opens the directory it lists.
        assert plan.run(["ls", "/proc/self/fd"]).stdout == b"0\n1\n2\n3\n"


def test_cwd_and_user(busybox: str) -> None:
    done = fastbox.run(busybox, ["sh", "-c", "pwd; id -u; id -g"], cwd="/new/dir", user="user")
    assert done.stdout == b"/new/dir\n1000\n1000\n"
    assert fastbox.run(busybox, ["id", "-u"], user="12:34").stdout == b"12\n"


def test_usage(plan: fastbox.Plan) -> None:
    usage = plan.run(["sh", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"]).usage
    assert usage.wall_ns > 0
    assert usage.oom_killed in (False, None)
    if usage.cpu_total_ns is not None:
        assert usage.cpu_total_ns > 1_000_000
        assert usage.cpu_user_ns is not None
        assert usage.cpu_system_ns is not None
    if usage.memory_peak_bytes is not None:
        assert 0 < usage.memory_peak_bytes < 64 << 20
    assert repr(usage).startswith("Usage(cpu_total_ns=")


def test_usage_may_be_asked_for_late(plan: fastbox.Plan) -> None:
    def groups(container: fastbox.Container) -> list[Path]:
        top = Path("/sys/fs/cgroup")
        patterns = [f"{below}fastbox/*/{container.id}" for below in ("", "*/")]
        return [group for pattern in patterns for group in top.glob(pattern)]

    with plan.start(["sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"]) as container:
        had_groups = bool(groups(container))
        done = container.wait()
    deadline = time.monotonic() + 30
    while groups(container):
        assert time.monotonic() < deadline, "its groups are still there"
        time.sleep(0.01)
    assert (done.usage.cpu_total_ns or 0) > (1_000_000 if had_groups else -1)
    assert repr(done.usage) == repr(done.usage)


def test_results_travel_between_processes(plan: fastbox.Plan) -> None:
    done = plan.run(["sh", "-c", "echo out; exit 3"], timings=True)
    copy = pickle.loads(pickle.dumps(done))
    for name in (
        "args",
        "exit_code",
        "signal",
        "stdout",
        "stderr",
        "timings",
        "truncated",
        "notes",
    ):
        assert getattr(copy, name) == getattr(done, name)
    assert repr(copy.usage) == repr(done.usage)
    with pytest.raises(fastbox.ExitError) as caught:
        plan.run(["false"], check=True)
    error = pickle.loads(pickle.dumps(caught.value))
    assert (error.exit_code, error.stdout, str(error)) == (1, b"", str(caught.value))


def test_results_can_be_made_by_hand() -> None:
    made = fastbox.Completed(["x"], 1, stdout=b"a", usage=fastbox.Usage(oom_killed=True))
    assert (made.exit_code, made.stdout, made.stderr, made.notes) == (1, b"a", None, [])
    with pytest.raises(fastbox.ExitError, match="out of memory"):
        made.check_returncode()


def test_timings_are_asked_for(plan: fastbox.Plan) -> None:
    assert plan.run(["true"]).timings is None
    timings = plan.run(["true"], timings=True).timings
    assert timings is not None
    assert {"exec", "program", "reap"} <= {step for step, _, _ in timings}
    assert all(begin >= 0 and took >= 0 for _, begin, took in timings)
    assert min(begin for _, begin, _ in timings) == 0


def test_a_trace_for_chrome(plan: fastbox.Plan) -> None:
    """What the Trace Event Format asks of complete events; those of one row do not overlap."""
    done = plan.run(["true"], timings=True)
    assert done.timings is not None
    trace = json.loads(done.chrome_trace())
    events = trace["traceEvents"]
    assert len(events) == len(done.timings)
    ends: dict[int, float] = {}
    for event in events:
        assert event.keys() == {"name", "cat", "ph", "ts", "dur", "pid", "tid"}
        assert event["ph"] == "X"
        assert all(isinstance(event[key], int) for key in ("pid", "tid"))
        assert all(isinstance(event[key], (int, float)) for key in ("ts", "dur"))
        assert event["ts"] >= ends.get(event["tid"], 0) - 0.01
        ends[event["tid"]] = event["ts"] + event["dur"]
    assert pickle.loads(pickle.dumps(done)).chrome_trace() == done.chrome_trace()
    with pytest.raises(ValueError, match="timings=True"):
        plan.run(["true"]).chrome_trace()


def test_many_threads(plan: fastbox.Plan) -> None:
    def work(number: int) -> list[bytes]:
        return [plan.run(["echo", f"{number}-{i}"]).stdout for i in range(10)]

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(work, range(8)))
    assert results == [[f"{n}-{i}\n".encode() for i in range(10)] for n in range(8)]


def test_descriptors_and_threads_do_not_grow(plan: fastbox.Plan) -> None:
    def counts() -> tuple[int, int]:
        files, threads = (Path("/proc/self") / name for name in ("fd", "task"))
        return len([*files.iterdir()]), len([*threads.iterdir()])

    for _ in range(20):
        plan.run(["true"])
    before = counts()
    for _ in range(50):
        plan.run(["true"])
    files, threads = counts()
    assert (files, threads) <= (before[0] + 2, before[1] + 1)
