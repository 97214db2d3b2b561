"""One more program in a container that runs."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anyio
import fastbox
import pytest
from fastbox import DEVNULL, PIPE, STDOUT, aio
from needs import needs_root

STATUS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Uid", "Gid")
STATUS += ("Groups", "SigBlk", "SigIgn", "SigCgt", "Seccomp_filters")
HUNGRY = "x=$(head -c 200000000 /dev/zero | tr '\\0' x); echo survived"
LIMITED: dict[str, Any] = {"memory": "64m", "pids_limit": 16, "ulimits": ["nofile=333:444"]}


@pytest.fixture(scope="module")
def container(busybox: str) -> Iterator[fastbox.Container]:
    with fastbox.prepare(busybox, env={"FROM": "plan"}).start(["sleep", "1000"]) as running:
        yield running


def shell(container: fastbox.Container, script: str, **call: Any) -> str:
    done = container.exec(["sh", "-c", script], text=True, check=True, **call)
    assert done.stderr == ""
    return str(done.stdout)


def test_output_and_exit_code(container: fastbox.Container) -> None:
    done = container.exec(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (done.args[0], done.exit_code, done.signal) == ("sh", 3, None)
    assert (done.stdout, done.stderr) == (b"out\n", b"err\n")
    assert done.usage.wall_ns > 0
    assert container.exec(["sh", "-c", "echo a; echo b >&2"], stderr=STDOUT).stdout == b"a\nb\n"
    assert container.exec(["echo", "a"], stdout=DEVNULL).stdout is None
    assert container.exec(["sh", "-c", "kill -9 $$"]).signal == 9
    with pytest.raises(fastbox.ExitError) as error:
        container.exec(["false"], check=True)
    assert error.value.exit_code == 1


def test_input(container: fastbox.Container) -> None:
    data = os.urandom(1 << 20)
    assert container.exec(["cat"], input=data).stdout == data
    assert container.exec(["cat"]).stdout == b""
    assert container.exec(["cat"], input="ä\n", text=True).stdout == "ä\n"
    assert container.exec(["true"], input=data).exit_code == 0
    assert shell(container, "readlink /proc/self/fd/0") == "/null\n"


def test_environment(container: fastbox.Container) -> None:
    script = "echo $FROM $MORE $HOME; hostname | grep -c $HOSTNAME"
    assert shell(container, script) == "plan /root\n1\n"
    assert shell(container, script, env={"FROM": "exec", "MORE": "x"}) == "exec x /root\n1\n"
    # What runs is looked for along the PATH that is given.
    with pytest.raises(fastbox.SpawnError):
        container.exec(["ls"], env={"PATH": "/nowhere"})
    assert "FASTBOX_RUN" not in shell(container, "env")
    for name, value in {"": "x", "a=b": "x", "a": "x\0"}.items():
        with pytest.raises(fastbox.SpecError):
            container.exec(["true"], env={name: value})


def test_directory(container: fastbox.Container) -> None:
    assert shell(container, "pwd") == "/\n"
    assert shell(container, "pwd", cwd="/bin") == "/bin\n"
    with pytest.raises(fastbox.SpawnError, match="change directory /no: no such file") as error:
        container.exec(["true"], cwd="/no")
    assert (error.value.step, error.value.target) == ("change directory", "/no")
    with pytest.raises(fastbox.SpecError, match="absolute"):
        container.exec(["true"], cwd="bin")
    # No file of the host's that is open on the way can be the directory.
    for number in range(40):
        with pytest.raises(fastbox.SpawnError, match="change directory"):
            container.exec(["pwd"], cwd=f"/proc/self/fd/{number}")


def test_user(busybox: str) -> None:
    script = "echo 'u:x:12:34::/home/u:/bin/sh' >> /etc/passwd; echo 'g:x:56:u' >> /etc/group"
    plan = fastbox.prepare(busybox, user="7:8")
    with plan.start(["sleep", "100"]) as container:
        assert shell(container, "id -u; id -g") == "7\n8\n"
        assert shell(container, script, user="0") == ""
        whole = "id -u; id -g; echo $HOME; grep -E '^(CapEff|Groups)' /proc/self/status"
        seen = shell(container, whole, user="u").split()
        assert seen[:3] == ["12", "34", "/home/u"]
        assert seen[3:] == ["Groups:", "34", "56", "CapEff:", "0000000000000000"]
        assert shell(container, "id -u; id -g", user="u:g") == "12\n56\n"
        assert shell(container, "id -u; id -g", user=99) == "99\n0\n"
        # The streams are the user's, to be opened by name.
        assert shell(container, "echo x > /dev/stdout", user="u") == "x\n"
        with pytest.raises(fastbox.SpecError, match="nobody-at-all"):
            container.exec(["true"], user="nobody-at-all")
        with pytest.raises(fastbox.SpecError):
            container.exec(["true"], user="u:nogroup-at-all")


def test_the_users_file_is_the_containers_alone(busybox: str, tmp_path: Path) -> None:
    """A link or a pipe of the container's in its place leads to no file of the host's."""
    hosts = tmp_path / "passwd"
    hosts.write_text("spy:x:99:99::/:/bin/sh\n")
    with fastbox.prepare(busybox).start(["sleep", "100"]) as container:
        for script in (
            f"ln -s ../../../../../../..{hosts}",
            "mkfifo",
            f"ln -s /proc/1/root{hosts}",
        ):
            shell(container, f"rm -f /etc/passwd; {script} /etc/passwd")
            with pytest.raises(fastbox.SpecError, match="spy"):
                container.exec(["id"], user="spy")
            assert shell(container, "grep Uid /proc/self/status", user=5).split()[1] == "5"


def test_what_cannot_be_executed(container: fastbox.Container) -> None:
    for command, code in ((["no-such"], 127), (["/etc/passwd"], 126), (["/bin"], 126)):
        with pytest.raises(fastbox.SpawnError) as error:
            container.exec(command)
        assert error.value.exit_code == code
        assert error.value.step == "exec"
    for command in ([], [""], ["a\0b"]):
        with pytest.raises(fastbox.SpecError):
            container.exec(command)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"preset": "untrusted"},
        {"security_opt": ["no-new-privileges"]},
        {"user": "7:8", "cap_drop": ["ALL"], "group_add": ["9"]},
        {"cap_add": ["SYS_ADMIN"]},
        {"privileged": True},
        {"userns": "host"},
        {"network": "host"},
        {"init": True},
        {"read_only": True, "oom_score_adj": 500},
        {"pid": "host"},
        {"ulimits": ["nofile=100:100"]},
    ],
    ids=str,
)
def test_the_rights_are_the_containers(busybox: str, options: dict[str, Any]) -> None:
    needs_root()
    script = "cat /proc/self/status; echo; for n in /proc/self/ns/*; do readlink $n; done"
    script += "; cat /proc/self/limits /proc/self/oom_score_adj; umask; ls /proc/self/fd"

    def rights(text: str) -> list[str]:
        status, _, rest = text.partition("\n\n")
        lines = [line for line in status.splitlines() if line.split(":")[0] in STATUS]
        return lines + rest.splitlines()

    command = ["sh", "-c", f"{script}; echo; read x"]
    plan = fastbox.prepare(busybox, **options)
    with plan.start(command, stdin=PIPE, text=True) as container:
        assert container.stdout is not None
        first = ""
        while not first.endswith("\n\n") or first.count("\n\n") < 2:
            first += container.stdout.readline()
        assert rights(shell(container, script)) == rights(first.rstrip("\n") + "\n")
        with container.exec_start(["sleep", "100"]) as program:
            groups = [Path(f"/proc/{pid}/cgroup") for pid in (container.pid, program.pid)]
            assert groups[0].read_text() == groups[1].read_text()


def test_streaming(container: fastbox.Container) -> None:
    with container.exec_start(["cat"], stdin=PIPE, text=True) as program:
        assert program.args == ["cat"]
        assert program.stdin is not None
        assert program.stdout is not None
        program.stdin.write("line\n")
        program.stdin.flush()
        assert program.stdout.readline() == "line\n"
        program.stdin.close()
        done = program.wait(10)
        assert (done.exit_code, done.stdout, done.stderr) == (0, None, "")
        assert program.wait() is done
    with container.exec_start(["sleep", "100"]) as program:
        with pytest.raises(fastbox.ContainerTimeout):
            program.wait(0.05)
        program.kill(signal.SIGTERM)
        assert program.wait(10).signal == signal.SIGTERM
        program.kill()
    with container.exec_start(["sleep", "100"]) as program:
        pid = program.pid
    assert not Path(f"/proc/{pid}").exists()
    with pytest.raises(ValueError, match="closed"):
        program.fileno()


def test_timeout_kills_the_program_and_its_group(container: fastbox.Container) -> None:
    began = time.monotonic()
    with pytest.raises(fastbox.ContainerTimeout) as error:
        container.exec(["sh", "-c", "echo first; sleep 1000 & sleep 1000"], timeout=0.3)
    assert error.value.stdout == b"first\n"
    assert error.value.completed is not None
    assert error.value.completed.exit_code == 137
    assert 0.3 <= time.monotonic() - began < 10
    deadline = time.monotonic() + 5
    while "sleep 1000 " in shell(container, "ps -o args").replace("\n", " \n").split("1000", 1)[-1]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert container.exec(["true"]).exit_code == 0


def test_output_is_bounded(container: fastbox.Container) -> None:
    done = container.exec(["yes"], max_output=1000)
    assert done.truncated
    assert len(done.stdout) == 1000


def test_limits_are_the_containers(busybox: str) -> None:
    needs_root()
    with fastbox.prepare(busybox, **LIMITED).start(["sleep", "1000"]) as container:
        assert shell(container, "ulimit -n; ulimit -Hn") == "333\n444\n"
        done = container.exec(["sh", "-c", HUNGRY])
        assert (done.exit_code, done.signal) == (137, 9)
        assert done.usage.oom_killed is True
        # What ends otherwise has no part in that.
        assert container.exec(["sh", "-c", "kill -9 $$"]).usage.oom_killed is False
        assert container.exec(["true"]).usage.oom_killed is False
        running = []
        error = None
        while error is None:
            try:
                running.append(container.exec_start(["sleep", "1000"]))
            except fastbox.SpawnError as refused:
                error = refused
        assert error.step == "clone"
        assert "--pids-limit" in str(error)
        assert 13 <= len(running) <= 15
        for program in running:
            program.close()
        assert container.exec(["true"]).exit_code == 0


def test_the_end_of_the_container(busybox: str) -> None:
    plan = fastbox.prepare(busybox)
    container = plan.start(["sleep", "1000"])
    program = container.exec_start(["sleep", "1000"])
    container.kill()
    assert program.wait(10).signal == signal.SIGKILL
    container.wait(10)
    with pytest.raises(fastbox.ContainerNotFound, match=f"container {container.id[:12]} has ended"):
        container.exec(["true"])
    container.close()
    with pytest.raises(ValueError, match="closed"):
        container.exec(["true"])
    # Nobody has waited for them, and the container ends all the same.
    with plan.start(["sleep", "1000"]) as container:
        programs = [container.exec_start(["sleep", "1000"]) for _ in range(3)]
        container.exec_start(["true"])
    assert [program.wait(10).signal for program in programs] == [signal.SIGKILL] * 3
    # The first process ends by itself.
    with plan.start(["sleep", "0.5"]) as short:
        assert short.exec(["sleep", "1000"], timeout=30).signal == signal.SIGKILL


def test_containers_that_end_meanwhile(busybox: str) -> None:
    """Whatever the moment, there is an end or an error that says so."""
    plan = fastbox.prepare(busybox)
    for delay in range(12):
        container = plan.start(["sleep", "1000"])
        killer = threading.Timer(delay / 4000, container.kill)
        killer.start()
        try:
            for _ in range(100):
                done = container.exec(["true"])
                assert (done.exit_code, done.signal) in ((0, None), (137, 9))
            raise AssertionError("it did not end")
        except fastbox.ContainerNotFound:
            pass
        killer.join()
        container.close()


def test_in_a_pool_and_with_threads(busybox: str) -> None:
    with fastbox.Pool(busybox, 1) as pool, pool.start(["sleep", "1000"]) as container:

        def run(number: int) -> None:
            for turn in range(10):
                word = f"{number} {turn}"
                assert container.exec(["echo", word], text=True).stdout == f"{word}\n"

        with ThreadPoolExecutor(16) as threads:
            list(threads.map(run, range(16)))


def test_a_thousand_leave_nothing(busybox: str) -> None:
    needs_root()

    def open_files() -> int:
        # Those of the spawners' table as well.
        tasks = Path("/proc/self/task").iterdir()
        return sum(len(list((task / "fd").iterdir())) for task in tasks)

    with fastbox.prepare(busybox).start(["sleep", "1000"]) as container:
        container.exec(["true"])
        for _ in range(20):
            container.exec(["true"])
        before = open_files()
        for _ in range(1000):
            assert container.exec(["true"]).exit_code == 0
        with pytest.raises(fastbox.SpawnError):
            container.exec(["no-such"])
        assert open_files() <= before
        assert shell(container, "ps -o args | grep -vc -e sleep -e PID -e ps -e grep") == "1\n"
        group = Path(f"/proc/{container.pid}/cgroup").read_text()
        for line in group.splitlines():
            _, controllers, path = line.split(":")
            if controllers == "pids":
                tasks = Path("/sys/fs/cgroup/pids", path.lstrip("/"), "tasks")
                assert tasks.read_text().split() == [str(container.pid)]
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    assert all(_command(pid) != "sleep" for pid in children.split())


def _command(pid: str) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def test_a_fork_has_no_part_in_it(container: fastbox.Container) -> None:
    pid = os.fork()
    if pid == 0:
        try:
            container.exec(["true"])
        except fastbox.FastboxError:
            os._exit(7)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    assert container.exec(["true"]).exit_code == 0


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_awaited(busybox: str, loop: str) -> None:
    data = os.urandom(1 << 20)

    async def main() -> None:
        async with await aio.start(busybox, ["sleep", "1000"]) as container:
            done = await container.exec(["cat"], input=data)
            assert (done.exit_code, done.stdout, done.stderr) == (0, data, b"")
            script = "echo err >&2; echo out; sleep 1000 & exit 3"
            done = await container.exec(["sh", "-c", script], env={"A": "b"}, cwd="/bin", user=5)
            assert (done.exit_code, done.stdout, done.stderr) == (3, b"out\n", b"err\n")
            with pytest.raises(fastbox.ExitError):
                await container.exec(["false"], check=True)
            with pytest.raises(TimeoutError), anyio.fail_after(0.2):
                await container.exec(["sh", "-c", "sleep 2000 & sleep 2000"])
            deadline = time.monotonic() + 5
            count = ["sh", "-c", "ps -o args | grep -c 'sleep 200[0]'"]
            while (await container.exec(count)).stdout != b"0\n":
                assert time.monotonic() < deadline
            async with await container.exec_start(["cat"], stdin=PIPE) as program:
                await program.stdin.send(b"x")
                assert await program.stdout.receive() == b"x"
            assert not Path(f"/proc/{program.pid}").exists()

    anyio.run(main, backend=loop)
